"""``/v1/operator/events``: what changes in the inbox, as it changes, whichever process it happens in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from itertools import chain

from fastapi.concurrency import run_in_threadpool

from shopbot.server.operators import schemas
from shopbot.server.operators.gate import By, operator_router
from shopbot.server.operators.inbox import listed
from shopbot.server.schemas import errors
from shopbot.server.service import Service, Shared
from shopbot.server.sse import MEDIA_TYPE, EventStream, event
from shopbot.store import Store

router = operator_router("/events", tag="operator: sessions")
#: How often the store is asked.
POLL_S = 1.0
#: So many sessions of each mode are watched: those that were active last.
_MAX_WATCHED = 100
_DESCRIPTION = "The events `session`, `synced`, `gone` and `end`."


@router.get(
    "",
    summary="Follow the inbox",
    status_code=200,
    response_class=EventStream,
    responses={
        **errors(401),
        200: {"description": _DESCRIPTION, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
    },
)
async def follow(service: Shared, operator: By) -> EventStream:
    """First every session of the inbox, as `session`, and `synced`; then each that changes, and those that leave."""
    who = f"operator {operator.name}"
    service.open_stream(who)
    return EventStream(_events(service), on_close=lambda: service.close_stream(who))


async def _events(service: Service) -> AsyncGenerator[bytes, None]:
    known: dict[str, schemas.ListedSession] | None = None
    while not service.draining.is_set():
        found = await run_in_threadpool(_watched, service.bot.store)
        for session_id, session in found.items():
            if known is None or known.get(session_id) != session:
                yield event("session", session.model_dump(mode="json"))
        if known is None:
            yield event("synced", {"sessions": len(found)})
        else:
            for session_id in known.keys() - found.keys():
                yield event("gone", {"session_id": session_id})
        known = found
        try:
            await asyncio.wait_for(service.draining.wait(), POLL_S)
        except asyncio.TimeoutError:
            continue
    yield event("end", {"reason": "draining"})


def _watched(store: Store) -> dict[str, schemas.ListedSession]:
    modes = [store.session_entries(mode=mode, limit=_MAX_WATCHED) for mode in ("waiting", "human", "bot")]
    return {session.session_id: session for session in listed(store, [*chain.from_iterable(modes)])}
