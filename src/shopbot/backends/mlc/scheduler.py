"""The thread that runs the model: texts share it, a step at a time, so that a long one holds nobody up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from shopbot.backends.mlc.generating import Request, Slot, generate
from shopbot.backends.mlc.interface import use_threads
from shopbot.backends.mlc.runtime import Runtime
from shopbot.errors import BackendError


@dataclass(slots=True)
class _Work:
    request: Request
    slot: Slot
    steps: Iterator[None]


class Scheduler:
    """Runs requests in ``slots`` slots, each in the one whose text begins most alike; the others wait their turn.

    TVM keeps a pool of threads for each thread that calls it, so one thread makes all calls.
    """

    def __init__(self, runtime: Runtime, stops: frozenset[int], *, slots: int, threads: int) -> None:
        self._runtime, self._stops, self._threads = runtime, stops, threads
        #: Those without work, the one that has rested longest first.
        self._idle = deque(Slot(runtime.new_cache()) for _ in range(slots))
        self._working: deque[_Work] = deque()
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="shopbot-mlc", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Have ``request`` worked on. Raises :class:`BackendError` once this is closed."""
        with self._changed:
            if self._is_closed:
                raise BackendError("The mlc backend is closed.", remedy="Open it again.")
            self._waiting.append(request)
            self._changed.notify()

    def close(self) -> None:
        """Return when what was submitted is done and the thread has ended."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        use_threads(self._threads)
        while self._admit():
            work = self._working.popleft()
            if self._is_going_on(work):
                self._working.append(work)
            else:
                self._idle.append(work.slot)

    def _admit(self) -> bool:
        """Give waiting requests slots. Waits where there is nothing to do; False where nothing will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._working or self._waiting or self._is_closed)
            while self._waiting and self._idle:
                request = self._waiting.popleft()
                slot = max(self._idle, key=lambda idle: idle.shared(request.prompt))
                self._idle.remove(slot)
                steps = generate(self._runtime, slot, request, self._stops)
                self._working.append(_Work(request, slot, steps))
            return bool(self._working)

    def _is_going_on(self, work: _Work) -> bool:
        """Take one step. Whatever goes wrong is the request's, and its slot begins anew."""
        try:
            next(work.steps)
            return True
        except StopIteration:
            return False
        except BackendError as error:
            failure = error
        except Exception as error:  # the thread serves all others, too
            failure = BackendError(f"The engine failed: {type(error).__name__}.", remedy="Restart shopbot.")
        work.slot.tokens.clear()
        work.request.events.put(failure)
        return False
