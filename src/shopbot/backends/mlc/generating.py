"""One text: a prompt is read into a slot, as far as it is not there yet, and continued token by token."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import perf_counter

from shopbot.backends.mlc.decoding import Chooser
from shopbot.backends.mlc.runtime import Cache, Runtime
from shopbot.errors import BackendError


@dataclass(frozen=True, slots=True)
class Ended:
    """How a text ended. Times in milliseconds, without those when other texts had their turn."""

    cached_tokens: int
    prompt_ms: float
    generate_ms: float
    is_cut: bool


#: What comes of a text: tokens with their log-probabilities, then its end or why there is none.
Event = tuple[int, float] | Ended | BackendError


@dataclass(slots=True)
class Request:
    """What is asked for, and where it is told what comes of it. ``is_cancelled`` may be set by any thread."""

    prompt: Sequence[int]
    chooser: Chooser
    max_tokens: int
    events: SimpleQueue[Event] = field(default_factory=SimpleQueue)
    is_cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one text at a time. ``tokens``: those whose keys and values the cache holds."""

    cache: Cache
    tokens: list[int] = field(default_factory=list)

    def shared(self, prompt: Sequence[int]) -> int:
        """How many tokens of the prompt's beginning are here already. The last one is read again, for its logits."""
        most = min(len(self.tokens), len(prompt) - 1)
        return next((place for place in range(most) if self.tokens[place] != prompt[place]), most)


def generate(runtime: Runtime, slot: Slot, request: Request, stops: frozenset[int]) -> Iterator[None]:
    """Work on ``request`` in ``slot``, a step of the model at a time; its events go to its queue."""
    prompt, chooser = request.prompt, request.chooser
    cached = slot.shared(prompt)
    del slot.tokens[cached:]
    spent = {"prompt": 0.0, "generate": 0.0}
    logits = None
    while len(slot.tokens) < len(prompt):
        began = perf_counter()
        part = prompt[len(slot.tokens) : len(slot.tokens) + runtime.chunk]
        logits = runtime.forward(slot.cache, part, len(slot.tokens))
        slot.tokens += part
        spent["prompt"] += perf_counter() - began
        if len(slot.tokens) < len(prompt):
            yield
    is_cut, count = False, 0
    while not request.is_cancelled.is_set():
        began = perf_counter()
        assert logits is not None
        token, logprob = chooser.choose(logits[0])
        if token in stops:
            break
        chooser.accept(token)
        request.events.put((token, logprob))
        count += 1
        if chooser.is_complete:
            break
        if count == request.max_tokens or len(slot.tokens) == runtime.context:
            is_cut = True
            break
        yield
        logits = runtime.forward(slot.cache, [token], len(slot.tokens))
        slot.tokens.append(token)
        spent["generate"] += perf_counter() - began
    request.events.put(Ended(cached, 1e3 * spent["prompt"], 1e3 * spent["generate"], is_cut))
