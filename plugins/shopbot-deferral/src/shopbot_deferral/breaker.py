"""The circuit breaker: an endpoint that fails again and again is left alone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

#: No endpoint may ask for a longer pause than this, in seconds.
MAX_PAUSE_S = 3600.0


class Breaker:
    """Closed at first. Opens after ``failures`` in a row; ``pause_s`` later one call may try (half-open), and what
    becomes of it closes the breaker or opens it again. ``clock`` gives seconds. Thread-safe.

    Each :meth:`enter` that gives True is followed by exactly one of the others.
    """

    def __init__(self, failures: int, pause_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._failures, self._pause_s, self._clock = failures, pause_s, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._opens_at: float | None = None
        self._is_trying = False

    def enter(self) -> bool:
        """Whether a call may be made now."""
        with self._lock:
            if self._opens_at is None:
                return True
            if self._is_trying or self._clock() < self._opens_at:
                return False
            self._is_trying = True
            return True

    def succeed(self) -> None:
        """The endpoint answered."""
        with self._lock:
            self._failed, self._opens_at, self._is_trying = 0, None, False

    def fail(self, pause_s: float = 0.0) -> None:
        """It did not; ``pause_s``: how long it asked to be left alone, which counts at once."""
        with self._lock:
            self._failed += 1
            if self._is_trying or pause_s or self._failed >= self._failures:
                self._opens_at = self._clock() + max(self._pause_s, min(pause_s, MAX_PAUSE_S))
            self._is_trying = False

    def leave(self) -> None:
        """No call was made after all."""
        with self._lock:
            self._is_trying = False
