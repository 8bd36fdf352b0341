"""``/v1/sessions/{id}/messages``: say something, and read what was said."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from shopbot.events import DeltaEvent, reply_events
from shopbot.server import schemas
from shopbot.server.access import OwnSession
from shopbot.server.errors import explain
from shopbot.server.service import Service, Shared, limit_address
from shopbot.server.sessions import NO_STORE
from shopbot.server.sse import MEDIA_TYPE, EventStream, event
from shopbot.store import Message
from shopbot.types import Act, Reply

router = APIRouter(prefix="/v1/sessions", tags=["messages"], dependencies=[Depends(limit_address)])
MAX_MESSAGES = 500
_STREAM_DESCRIPTION = "The reply; with `Accept: text/event-stream` as the events `act`, `delta`, `reply` or `error`."
#: A turn under way: the reply and its number among the session's messages.
_Turn = asyncio.Task[tuple[Reply, int | None]]
_Understood = asyncio.Queue[tuple[Act, ...] | None]


@router.post(
    "/{session_id}/messages",
    summary="Say something",
    response_model=schemas.Reply,
    responses={
        **schemas.errors(401, 404, 422),
        200: {"description": _STREAM_DESCRIPTION, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
    },
)
async def say(
    request: Request,
    service: Shared,
    session_id: OwnSession,
    message: schemas.NewMessage,
    idempotency_key: Annotated[schemas.Printable | None, Header()] = None,
) -> Response:
    """Answers one message of the customer's. The turn is taken and kept whether or not anybody waits for it."""
    if idempotency_key and message.request_id and idempotency_key != message.request_id:
        raise HTTPException(400, "Idempotency-Key and request_id differ.")
    service.messages_limit.take(session_id)
    request_id = message.request_id or idempotency_key or secrets.token_urlsafe(12)
    turn, understood = _start(service, session_id, message.text, request_id)
    if MEDIA_TYPE in request.headers.get("accept", ""):
        return EventStream(_events(turn, understood))
    return JSONResponse(_answer(*await asyncio.shield(turn)), headers=NO_STORE)


@router.get(
    "/{session_id}/messages",
    summary="What was said",
    response_model=schemas.Messages,
    responses=schemas.errors(401, 404, 422),
)
async def read(
    service: Shared, session_id: OwnSession, after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> JSONResponse:
    """The messages with a higher number than `after`, in order, at most 500."""
    said = await run_in_threadpool(service.bot.history, session_id, after=after)
    return JSONResponse({"messages": [message_json(one) for one in said[:MAX_MESSAGES]]}, headers=NO_STORE)


def message_json(message: Message) -> dict[str, Any]:
    """A message of the store as the API shows it."""
    return schemas.Message.model_validate(message, from_attributes=True).model_dump(mode="json")


def _start(service: Service, session_id: str, text: str, request_id: str) -> tuple[_Turn, _Understood]:
    """Begin or queue the turn. What is understood comes through the queue, and None when the turn has ended."""
    understood: _Understood = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(acts: tuple[Act, ...]) -> None:
        loop.call_soon_threadsafe(understood.put_nowait, acts)

    def take() -> tuple[Reply, int | None]:
        reply = service.bot.ask(session_id, text, request_id=request_id, on_acts=tell)
        said = service.bot.store.messages(session_id, request_id=request_id)
        return reply, next((one.seq for one in said if one.role == "bot"), None)

    turn = service.turns.start(session_id, take)
    turn.add_done_callback(lambda _: understood.put_nowait(None))
    return turn, understood


async def _events(turn: _Turn, understood: _Understood) -> AsyncGenerator[bytes, None]:
    numbers = itertools.count(1)
    while (acts := await understood.get()) is not None:
        shown = [{"name": act.name, "confidence": round(act.confidence, 4)} for act in acts]
        yield event("act", {"acts": shown}, next(numbers))
    try:
        reply, seq = await turn
    except Exception as error:  # the response has begun, so the error is an event
        problem = explain(error)
        yield event("error", {"status": problem.status, **problem.as_json()}, next(numbers))
        return
    deltas = [one.text for one in reply_events(reply) if isinstance(one, DeltaEvent)]
    told = [event("delta", {"text": text}, next(numbers)) for text in deltas]
    # all is known by now, and a write costs more than what it carries
    yield b"".join([*told, event("reply", _answer(reply, seq), next(numbers))])


def _answer(reply: Reply, seq: int | None) -> dict[str, Any]:
    return {**reply.as_json(), "seq": seq}
