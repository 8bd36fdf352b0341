"""What keeps one visitor, or all of them together, from taking the box: rates, and a bounded line for turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
_MAX_KEYS = 10_000


class BusyError(Exception):
    """Not now: ``status`` 429 (this caller asks too much) or 503 (all together do), again in ``retry_after_s``."""

    def __init__(self, status: int, retry_after_s: int) -> None:
        super().__init__(f"busy, again in {retry_after_s} s")
        self.status = status
        self.retry_after_s = retry_after_s


class RateLimit:
    """A token bucket a key: ``per_minute`` at once, then evenly. Forgets the keys unused for longest."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one. :class:`BusyError` (429) where the bucket is empty."""
        now = self._clock()
        left, since = self._buckets.pop(key, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / 60)
        is_allowed = left >= 1
        self._buckets[key] = (left - 1 if is_allowed else left, now)
        if len(self._buckets) > _MAX_KEYS:
            self._buckets.popitem(last=False)
        if not is_allowed:
            raise BusyError(429, max(1, round((1 - left) * 60 / self._per_minute)))


@dataclass(slots=True)
class _Line:
    """The turns of one session: one at a time, in order."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Turns:
    """Runs turns in ``workers`` threads; ``max_waiting`` may wait or run at once, ``max_per_session`` of one session.

    A session's turns take one thread at most, so that a visitor who sends ten messages at once delays nobody else.
    """

    def __init__(self, *, workers: int, max_waiting: int, max_per_session: int = 4) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="turn")
        self._max_waiting = max_waiting
        self._max_per_session = max_per_session
        self._waiting = 0
        self._lines: dict[str, _Line] = {}

    async def run(self, session_id: str, turn: Callable[[], T]) -> T:
        """The turn's result. :class:`BusyError` at once where the line is full."""
        line = self._lines.get(session_id)
        if line is not None and line.waiting >= self._max_per_session:
            raise BusyError(429, 1)
        if self._waiting >= self._max_waiting:
            raise BusyError(503, 2)
        line = self._lines.setdefault(session_id, _Line())
        line.waiting += 1
        self._waiting += 1
        try:
            async with line.lock:
                return await asyncio.get_running_loop().run_in_executor(self._pool, turn)
        finally:
            self._waiting -= 1
            line.waiting -= 1
            if not line.waiting:
                self._lines.pop(session_id, None)

    def close(self) -> None:
        """Wait for the turns that run; start no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
