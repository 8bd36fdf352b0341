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


#: Tokens that are guessed at once. Up to four tokens take about as long as one.
MAX_GUESS = 3
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
    """Work on ``request`` in ``slot``, a step of the model at a time; its events go to its queue.

    A step reads the last token and a guess at those that follow it, which costs hardly more, for the weights are read
    once. The guess counts only as far as the model would have chosen the same, so it changes nothing but the time.
    """
    cached = slot.shared(request.prompt)
    del slot.tokens[cached:]
    clock = _Clock()
    part: list[int] = []
    while len(slot.tokens) < len(request.prompt):
        if part:
            yield
        with clock:
            part = list(request.prompt[len(slot.tokens) : len(slot.tokens) + runtime.chunk])
            logits = runtime.forward(slot.cache, part, len(slot.tokens))
            slot.tokens += part
    prompt_ms, guess, count, is_cut = clock.take_ms(), list[int](), 0, False
    is_open = True
    while is_open:
        with clock:
            for row in range(len(guess) + 1):
                is_open, is_cut = False, False
                if request.is_cancelled.is_set():
                    break
                token, logprob = request.chooser.choose(logits[row])
                if token in stops:
                    break
                request.chooser.accept(token)
                request.events.put((token, logprob))
                count += 1
                is_cut = count == request.max_tokens or len(slot.tokens) - len(guess) + row == runtime.context
                is_open = not request.chooser.is_complete and not is_cut
                if not is_open or row == len(guess) or guess[row] != token:
                    break
            # what was guessed and not chosen is no part of the text
            del slot.tokens[len(slot.tokens) - len(guess) + row :]
        if is_open:
            yield
            with clock:
                room = min(MAX_GUESS, request.max_tokens - count - 1, runtime.context - len(slot.tokens) - 1)
                guess = (request.chooser.forced() or look_up([*slot.tokens, token], MAX_GUESS))[: max(0, room)]
                tokens = [token, *guess]
                logits = runtime.forward(slot.cache, tokens, len(slot.tokens), answers=len(tokens))
                slot.tokens += tokens
    is_cut = is_cut and not request.chooser.is_complete
    request.events.put(Ended(cached, prompt_ms, clock.take_ms(), is_cut))


def look_up(tokens: Sequence[int], most: int) -> list[int]:
    """A guess at what follows: what followed when the last two tokens, or the last one, stood in the text before. Acts
    copy their arguments from the message."""
    for length in (2, 1):
        ending = list(tokens[-length:])
        for place in range(len(tokens) - length - 1, -1, -1):
            if list(tokens[place : place + length]) == ending:
                return list(tokens[place + length : place + length + most])
    return []


class _Clock:
    """Sums up the time of the blocks that it is entered for."""

    def __init__(self) -> None:
        self._spent = self._began = 0.0

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, *_: object) -> None:
        self._spent += perf_counter() - self._began

    def take_ms(self) -> float:
        """Milliseconds since the last time this was asked."""
        spent, self._spent = 1e3 * self._spent, 0.0
        return spent
