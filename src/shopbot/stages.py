"""The stages of one turn: how long each took, and who watches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from time import perf_counter
from typing import Any

#: Watches turns: called with a stage's name, it gives a context manager that is open while the stage runs, in the
#: turn's own thread. ``turn`` is the whole; within it come guard, understand, plan, act (within plan), answer, record.
Observer = Callable[[str], AbstractContextManager[Any]]


class Stages:
    """A turn's stages. ``spent_ms``: name → milliseconds; what a stage spends inside another one counts there alone."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self.spent_ms: dict[str, float] = {}
        self._observers = observers
        self._inner_ms = [0.0]

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """The block is the stage ``name``; it may be entered more than once."""
        self._inner_ms.append(0.0)
        started = perf_counter()
        try:
            with ExitStack() as watched:
                for observe in self._observers:
                    watched.enter_context(observe(name))
                yield
        finally:
            whole_ms = 1e3 * (perf_counter() - started)
            own_ms = whole_ms - self._inner_ms.pop()
            self._inner_ms[-1] += whole_ms
            self.spent_ms[name] = self.spent_ms.get(name, 0.0) + own_ms
