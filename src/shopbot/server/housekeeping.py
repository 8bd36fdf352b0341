"""What the service does by itself while it runs: hand-offs are announced, and nobody is left with an absent agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from functools import partial

from fastapi.concurrency import run_in_threadpool

from shopbot.bot import Bot
from shopbot.handoff import Desk
from shopbot.server.courier import Courier

_EVERY_S = 15.0
_PURGE_EVERY = timedelta(days=1)
_log = logging.getLogger(__name__)


@asynccontextmanager
async def housekeeping(bot: Bot) -> AsyncIterator[None]:
    """While the block runs. What a stop cuts short is taken up by the next process."""
    settings = bot.config.handoff
    courier = Courier(bot.store, settings) if settings.webhook_url else None
    tasks = [asyncio.create_task(_keep_house(bot, courier))]
    if courier is not None:
        bot.observe(courier)
        tasks.append(asyncio.create_task(courier.run()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_house(bot: Bot, courier: Courier | None) -> None:
    purge_at = datetime.now(timezone.utc)
    while True:
        await _do("sessions of absent agents were not looked at", lambda: _return_idle(bot, courier))
        await _do("transcripts of what was erased elsewhere are still here", bot.follow_erasures)
        if datetime.now(timezone.utc) >= purge_at:
            purge_at = datetime.now(timezone.utc) + _PURGE_EVERY
            kept = timedelta(days=bot.config.transcripts.retention_days)
            before = datetime.now(timezone.utc) - kept
            await _do("old accounts were not erased", partial(bot.store.purge_backoffice, before=before))
        await asyncio.sleep(_EVERY_S)


async def _do(undone: str, chore: Callable[[], object]) -> None:
    try:
        await run_in_threadpool(chore)
    except Exception:  # whatever it is, the next chore is to be done
        _log.warning("%s; it is tried again", undone, exc_info=True)


def _return_idle(bot: Bot, courier: Courier | None) -> None:
    waiting = Desk(bot.store).return_idle(timedelta(minutes=bot.config.handoff.idle_minutes))
    if waiting and courier is not None:
        courier.remind(waiting)
