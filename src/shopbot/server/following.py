"""``/v1/sessions/{id}/events``: what comes in a session, as it comes, whichever process it came to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.concurrency import run_in_threadpool

from shopbot.errors import ShopbotError
from shopbot.server import schemas
from shopbot.server.access import OwnSession
from shopbot.server.messages import message_json
from shopbot.server.service import Service, Shared, limit_address
from shopbot.server.sse import MEDIA_TYPE, EventStream, event

router = APIRouter(prefix="/v1/sessions", tags=["messages"], dependencies=[Depends(limit_address)])
#: How often the store is asked, at first and after a quiet while; several processes share it, so nobody else knows of
#: everything that comes.
POLL_S, MAX_POLL_S = 0.5, 2.0
_SEQ = re.compile(r"[0-9]{1,9}")
_DESCRIPTION = "The events `message`, `mode` and `end`."


@router.get(
    "/{session_id}/events",
    summary="Follow a session",
    status_code=200,
    response_class=EventStream,
    responses={
        **schemas.errors(401, 404, 422),
        200: {"description": _DESCRIPTION, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
    },
)
async def follow(
    service: Shared,
    session_id: OwnSession,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventStream:
    """Messages with a higher number than `after`, or than `Last-Event-ID`, and who answers from now on."""
    service.open_stream(session_id)
    seen = int(last_event_id) if last_event_id and _SEQ.fullmatch(last_event_id) else after
    events = _until_failure(_events(service, session_id, seen))
    return EventStream(events, on_close=lambda: service.close_stream(session_id))


async def _until_failure(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The events; where the store does not answer any more, a last one that says so."""
    try:
        async for one in events:
            yield one
    except ShopbotError:
        yield event("end", {"reason": "unavailable"})


async def _events(service: Service, session_id: str, seen: int) -> AsyncGenerator[bytes, None]:
    store, poll_s = service.bot.store, POLL_S
    answering: tuple[str, str | None] | None = None
    while not service.draining.is_set():
        entry = await run_in_threadpool(store.session_entry, session_id)
        if entry is None:
            yield event("end", {"reason": "forgotten"})
            return
        poll_s = min(poll_s * 1.2, MAX_POLL_S)
        if (entry.mode, entry.agent) != answering:
            answering, poll_s = (entry.mode, entry.agent), POLL_S
            yield event("mode", {"mode": entry.mode, "agent": entry.agent, "last_seq": entry.last_seq})
        if entry.last_seq > seen:
            poll_s = POLL_S
            for message in await run_in_threadpool(store.messages, session_id, after=seen):
                seen = message.seq
                yield event("message", message_json(message), seen)
        try:
            await asyncio.wait_for(service.draining.wait(), poll_s)
        except asyncio.TimeoutError:
            continue
    yield event("end", {"reason": "draining"})
