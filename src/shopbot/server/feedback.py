"""``/v1/sessions/{id}/feedback``: what the customer thought of an answer."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from shopbot.server import schemas
from shopbot.server.access import OwnSession
from shopbot.server.service import Shared, limit_address
from shopbot.server.sessions import NO_STORE
from shopbot.store import Feedback

router = APIRouter(prefix="/v1/sessions", tags=["feedback"], dependencies=[Depends(limit_address)])


@router.post(
    "/{session_id}/feedback",
    summary="Rate an answer",
    status_code=204,
    responses=schemas.errors(401, 404, 422),
)
async def rate(service: Shared, session_id: OwnSession, given: schemas.NewFeedback) -> Response:
    """Thumbs up or down for a message of the bot's or of a human agent's; later feedback on it replaces earlier."""
    service.messages_limit.take(session_id)
    feedback = Feedback(given.rating, given.text)
    await run_in_threadpool(service.bot.give_feedback, session_id, given.seq, feedback)
    return Response(status_code=204, headers=NO_STORE)
