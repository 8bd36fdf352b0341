"""How one checkpoint takes over from another while turns go on.

The engine cannot take another LoRA adapter while it runs, so a second engine is started beside the first; the weights
are memory-mapped, so that costs little. Turns that begin afterwards use the second one, and the first is closed when
its last turn has ended: a turn keeps the checkpoint it began with.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Successor(Generic[T]):
    """Where the next one comes from: ``open`` makes it as soon as ``stamp`` changes, which is asked at every turn."""

    stamp: Callable[[], str]
    open: Callable[[], T]


@dataclass(slots=True, eq=False)
class _Place(Generic[T]):
    value: T
    users: int = 0
    is_retired: bool = False


class Serving(Generic[T]):
    """The one in force, and those that still have turns to end. ``close`` frees one. Thread-safe."""

    def __init__(self, first: T, *, close: Callable[[T], None], successor: Successor[T] | None = None) -> None:
        self._place = _Place(first)
        self._close = close
        self._successor = successor
        self._stamp = successor.stamp() if successor else ""
        self._opening: threading.Thread | None = None
        self._guard = threading.Lock()
        self._is_closed = False

    @property
    def value(self) -> T:
        """The one in force now; for looking at, not for a turn."""
        return self._place.value

    @contextmanager
    def turn(self) -> Iterator[T]:
        """The one in force, kept until the block ends."""
        self._look()
        with self._guard:
            place = self._place
            place.users += 1
        try:
            yield place.value
        finally:
            with self._guard:
                place.users -= 1
                is_last = place.is_retired and place.users == 0
            if is_last:
                self._close(place.value)

    def close(self) -> None:
        """Wait for one that is being opened, then free the one in force; turns under way end first."""
        with self._guard:
            self._is_closed = True
            opening = self._opening
        if opening is not None:
            opening.join()
        self._retire(self._place)

    def _look(self) -> None:
        """Start opening the next one in a thread of its own, if there is one; turns go on meanwhile."""
        if self._successor is None or self._opening is not None:
            return
        with self._guard:
            stamp = self._successor.stamp()
            if stamp == self._stamp or self._opening is not None or self._is_closed:
                return
            self._stamp = stamp
            self._opening = threading.Thread(target=self._succeed, args=(self._successor,), name="shopbot-checkpoint")
            self._opening.start()

    def _succeed(self, successor: Successor[T]) -> None:
        try:
            place = _Place(successor.open())
        except Exception as error:  # whatever is wrong with the new one, the old one goes on
            _log.warning("the new checkpoint cannot be used, the old one stays: %s", error)
            place = None
        with self._guard:
            self._opening = None
            old = self._place
            if place is not None:
                self._place = place
        if place is not None:
            self._retire(old)

    def _retire(self, place: _Place[T]) -> None:
        with self._guard:
            place.is_retired = True
            is_idle = place.users == 0
        if is_idle:
            self._close(place.value)
