"""The stages of one turn: how long each took, and who watches them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from time import perf_counter
from typing import Any

from shopbot.types import Reply


class Observer:
    """Watches turns, in their own threads; override what you want to see. What it raises breaks the turn."""

    def stage(self, name: str) -> AbstractContextManager[Any]:  # noqa: ARG002 - for those who override it
        """A context manager that is open while a stage runs. ``turn`` is the whole; within it come ``guard``,
        ``understand``, ``defer`` (a cloud model is asked, within understand), ``plan``, ``act`` (a tool, within plan),
        ``answer`` and ``record``."""
        return nullcontext()

    def replied(self, reply: Reply) -> None:
        """Called when a turn has been saved; not for a reply that is given again."""


class Stages:
    """A turn's stages. ``spent_ms``: name → milliseconds; what a stage spends inside another one counts there alone."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self.spent_ms: dict[str, float] = {}
        self.observers = observers
        self._inner_ms = [0.0]

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """The block is the stage ``name``; it may be entered more than once."""
        self._inner_ms.append(0.0)
        started = perf_counter()
        try:
            with ExitStack() as watched:
                for observer in self.observers:
                    watched.enter_context(observer.stage(name))
                yield
        finally:
            whole_ms = 1e3 * (perf_counter() - started)
            own_ms = whole_ms - self._inner_ms.pop()
            self._inner_ms[-1] += whole_ms
            self.spent_ms[name] = self.spent_ms.get(name, 0.0) + own_ms
