"""The line to an endpoint: pauses, new attempts, and when to stop trying."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from shopbot_refine.teachers import Failure
from shopbot_refine.teachers.trouble import Trouble, diagnose

#: After so many requests in a row that used up their attempts, the endpoint is taken to be down.
DOWN_AFTER = 3
#: Longer than this nobody waits within a run: what is left is asked when the run is resumed.
MAX_PAUSE_S = 120.0
#: The longest wait before the second attempt; it doubles with each further one.
BACKOFF_S = 0.5
_MAX_BACKOFF_S = 30.0
_Result = TypeVar("_Result")


class LineError(Exception):
    """A step that failed for good, or whose attempts are used up."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.detail)
        self.trouble = trouble


class Line:
    """The state of the line to the endpoint, shared by all who use it at once: pauses and whether it is down."""

    def __init__(self, attempts: int, backoff_s: float) -> None:
        self._attempts, self._backoff_s = attempts, backoff_s
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._not_before = 0.0
        self._gave_up = 0
        self.down: Trouble | None = None

    def end(self) -> None:
        """Nobody waits for the answers any more: pauses end at once, and nothing more is sent."""
        self._ended.set()

    def _is_usable(self) -> bool:
        """Wait until the line may be used; False where it must not be: it is down, or nobody waits any more."""
        while self.down is None and not self._ended.is_set():
            left_s = self._not_before - time.monotonic()
            if left_s <= 0:
                return True
            self._ended.wait(left_s)
        return False

    def try_often(self, step: Callable[[], _Result | Trouble]) -> _Result:
        """The step's result, after as many attempts as it takes. Raises :class:`LineError` with the last trouble."""
        trouble = Trouble("offline", "the run was ended")
        for attempt in range(self._attempts):
            if attempt and trouble.retry_after_s is None:
                longest_s = min(self._backoff_s * 2 ** (attempt - 1), _MAX_BACKOFF_S)
                self._ended.wait(longest_s * random.uniform(0.5, 1.0))  # noqa: S311
            if not self._is_usable():
                raise LineError(self.down or trouble)
            result = step()
            if not isinstance(result, Trouble):
                self._note(None)
                return result
            trouble = result
            if not trouble.is_transient:
                break
            self._heed(trouble)
        self._note(trouble)
        raise LineError(trouble)

    def fetch(self, step: Callable[[], _Result]) -> _Result:
        """As ``try_often``, for a step of the client that raises its trouble."""

        def diagnosed() -> _Result | Trouble:
            try:
                return step()
            except Exception as error:
                return diagnose(error)

        return self.try_often(diagnosed)

    def _heed(self, trouble: Trouble) -> None:
        """Wait as long as the endpoint asked for; that holds for all."""
        asked_s = trouble.retry_after_s
        if asked_s is not None and asked_s > MAX_PAUSE_S:
            self._take_down(trouble)
        elif asked_s is not None:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + asked_s)

    def wait(self, seconds: float) -> None:
        """Wait, unless nobody waits any more."""
        self._ended.wait(seconds)

    def _note(self, trouble: Trouble | None) -> None:
        """How a request ended: None well, or the trouble that was left when its attempts were used up."""
        is_the_lines = trouble is not None and (trouble.is_transient or trouble.failure == "malformed")
        with self._lock:
            self._gave_up = self._gave_up + 1 if is_the_lines else 0
            is_down = self._gave_up >= DOWN_AFTER
        if trouble is not None and (is_down or trouble.failure == "over_budget"):
            self._take_down(trouble)

    def _take_down(self, trouble: Trouble) -> None:
        failure: Failure = "over_budget" if trouble.failure == "over_budget" else "offline"
        with self._lock:
            self.down = self.down or Trouble(failure, trouble.detail)
