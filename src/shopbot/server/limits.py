"""What keeps one visitor, or all of them together, from taking the box: rates, and a bounded line for turns."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")
_MAX_KEYS = 10_000
_BUSY_RETRY_S, _DRAINING_RETRY_S = 2, 5
_log = logging.getLogger(__name__)


class BusyError(Exception):
    """Not now: ``status`` 429 (this caller asks too much) or 503 (all together do), again in ``retry_after_s``."""

    def __init__(self, status: int, retry_after_s: int, *, is_draining: bool = False) -> None:
        super().__init__(f"busy, again in {retry_after_s} s")
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_draining = is_draining


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
        self._free = asyncio.Semaphore(workers)
        self._max_waiting = max_waiting
        self._max_per_session = max_per_session
        self._lines: dict[str, _Line] = {}
        self._all: set[asyncio.Task[Any]] = set()
        self._queued: set[asyncio.Task[Any]] = set()
        self._is_draining = False

    @property
    def running(self) -> int:
        """How many turns are being taken."""
        return len(self._all) - len(self._queued)

    @property
    def queued(self) -> int:
        """How many turns wait for their session's turn before, or for a thread."""
        return len(self._queued)

    def start(self, session_id: str, turn: Callable[[], T]) -> asyncio.Task[T]:
        """Begin or queue a turn, which goes on whoever stops waiting for it: await the task through a shield.

        :class:`BusyError` at once where the line is full, and from the task where the service stops before the turn
        has begun.
        """
        if self._is_draining:
            raise BusyError(503, _DRAINING_RETRY_S, is_draining=True)
        line = self._lines.get(session_id)
        if line is not None and line.waiting >= self._max_per_session:
            raise BusyError(429, 1)
        if len(self._all) >= self._max_waiting:
            raise BusyError(503, _BUSY_RETRY_S)
        line = self._lines.setdefault(session_id, _Line())
        line.waiting += 1
        task = asyncio.create_task(self._take(line, turn))
        self._all.add(task)
        self._queued.add(task)

        def end(_task: asyncio.Task[T]) -> None:
            self._all.discard(task)
            self._queued.discard(task)
            line.waiting -= 1
            if not line.waiting:
                self._lines.pop(session_id, None)
            if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, BusyError):
                _log.debug("a turn ended with an error", exc_info=error)  # also where nobody waits for it any more

        task.add_done_callback(end)
        return task

    async def drain(self, timeout_s: float) -> bool:
        """Take no more turns, turn away those that have not begun, and wait for the others; False if some still run."""
        self._is_draining = True
        for task in [*self._queued]:
            task.cancel()
        running = self._all - self._queued
        if running:
            await asyncio.wait(running, timeout=timeout_s)
        return not any(not task.done() for task in running)

    def close(self) -> None:
        """Wait for the turns that run; start no more."""
        self._is_draining = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _take(self, line: _Line, turn: Callable[[], T]) -> T:
        try:
            async with line.lock, self._free:
                task = asyncio.current_task()
                assert task is not None
                self._queued.discard(task)
                # the thread's log lines name the request, too
                return await asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, turn)
        except asyncio.CancelledError:
            if self._is_draining:
                raise BusyError(503, _DRAINING_RETRY_S, is_draining=True) from None
            raise
