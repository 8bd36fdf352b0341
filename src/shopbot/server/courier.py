"""The courier: brings what happened to the webhook, at least once, whatever crashes in between.

Hand-offs are tickets in the store. Those that no notice was queued for yet are queued; what is queued is sent, again
and again with longer and longer waits, until the receiver takes it or it is given up. All of that stands in the
store, so any process goes on where another one stopped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from fastapi.concurrency import run_in_threadpool

from shopbot.backoffice import Notice
from shopbot.config import HandoffSection
from shopbot.server.announcements import announcement
from shopbot.server.webhook import TIMEOUT_S, send
from shopbot.stages import Observer
from shopbot.store import Store
from shopbot.types import Reply

#: The waits after the first, second, … attempt that failed: a day in all. After the last one a notice is dead.
WAITS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
#: Hand-offs older than this are not announced any more, to a webhook that was set up later for instance.
_NEWS = timedelta(days=1)
_LEASE = timedelta(seconds=3 * TIMEOUT_S)
_MAX_WAIT_S = 3600.0
_POLL_S = 5.0
_log = logging.getLogger(__name__)


class Courier(Observer):
    """One process's courier; several may work on one store. As an observer of the bot it hears of hand-offs at once."""

    def __init__(
        self,
        store: Store,
        settings: HandoffSection,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._store = store
        self._settings = settings
        self._now = now
        self._wake: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Work until cancelled. What goes wrong is logged, and tried again."""
        woken, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake = woken.set
        try:
            while True:
                try:
                    await self.work()
                except Exception:  # whatever it is, the next hand-off is to be announced
                    _log.warning("hand-offs were not announced; it is tried again", exc_info=True)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(woken.wait(), _POLL_S)
                woken.clear()
        finally:
            self._loop = None

    async def work(self) -> None:
        """Queue what is new, and send everything that is due."""
        await run_in_threadpool(self._queue)
        while (notice := await run_in_threadpool(self._take)) is not None:
            attempt = await send(self._settings, notice.id, notice.body, timestamp=int(self._now().timestamp()))
            await run_in_threadpool(self._settle, notice, attempt.error, attempt.retry_after_s)

    def replied(self, reply: Reply) -> None:
        loop = self._loop
        if reply.handoff is not None and loop is not None:
            with suppress(RuntimeError):  # the service has just stopped; the next one tells
                loop.call_soon_threadsafe(self._wake)

    def remind(self, session_ids: Iterable[str]) -> None:
        """Tell of customers who wait again, for their human agent was not there."""
        moment = self._now()
        for ticket in self._store.tickets(sessions=list(session_ids)):
            body = announcement(self._store, ticket, "handoff.waiting", moment)
            self._store.queue_notice(f"{ticket.id}.{int(moment.timestamp())}", body, due_at=moment)

    def _queue(self) -> None:
        for ticket in self._store.unannounced_tickets(since=self._now() - _NEWS):
            body = announcement(self._store, ticket, "handoff.requested", ticket.created_at)
            self._store.queue_notice(ticket.id, body, due_at=self._now())

    def _take(self) -> Notice | None:
        return self._store.take_notice(now=self._now(), lease_until=self._now() + _LEASE)

    def _settle(self, notice: Notice, error: str, retry_after_s: float | None) -> None:
        if not error:
            self._store.settle_notice(notice.id, "delivered")
        elif notice.attempts > len(WAITS_S):
            _log.warning("a hand-off was not announced and is given up: %s", error)
            self._store.settle_notice(notice.id, "dead", error=error)
        else:
            wait_s = max(WAITS_S[notice.attempts - 1], min(retry_after_s or 0.0, _MAX_WAIT_S))
            due = self._now() + timedelta(seconds=wait_s)
            self._store.settle_notice(notice.id, "waiting", next_at=due, error=error)
