"""``/v1/chat/completions`` and ``/v1/models``.

Without functions of the client's own, the shop's bot answers: the last message goes to a session, which the answer's
``metadata`` names for the next request. With them, the message is understood as a call of one, and the client runs it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from shopbot import phrases
from shopbot.errors import SessionError
from shopbot.events import pieces
from shopbot.server.access import Bearer, require_operator
from shopbot.server.completions.bodies import MODEL, ChatRequest, Completion, finish_reason
from shopbot.server.completions.functions import Functions
from shopbot.server.completions.problems import OpenAiRoute, ParameterError, error_json, errors
from shopbot.server.service import Service, Shared, address_of, limit_address
from shopbot.server.sse import MEDIA_TYPE, EventStream, event
from shopbot.types import Tokens

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=OpenAiRoute, dependencies=[Depends(limit_address)])
_DESCRIPTION = "A `chat.completion` of OpenAI's; with `stream`, its chunks as server-sent events."
_NO_STORE = {"Cache-Control": "no-store"}
_SESSION = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.(\d+)", re.ASCII)
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a request comes to: a text, or calls of the client's functions."""

    text: str | None
    tokens: Tokens = field(default_factory=Tokens)
    tool_calls: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, str] | None = None


_Turn = asyncio.Task[_Answer]


@router.get("/models", summary="The models", responses=errors())
async def models(service: Shared) -> JSONResponse:
    """The bot, and the checkpoint that it runs now."""
    return JSONResponse({"object": "list", "data": [_model(service, name) for name in _models(service)]})


@router.get("/models/{model}", summary="One model", responses=errors(404))
async def model(service: Shared, model: Annotated[str, Path(max_length=200)]) -> JSONResponse:
    """One of them."""
    _check_model(service, model)
    return JSONResponse(_model(service, model))


@router.post(
    "/chat/completions",
    summary="Chat, as OpenAI's clients do",
    responses={**errors(401, 404), 200: {"description": _DESCRIPTION, "content": {MEDIA_TYPE: {"schema": {}}}}},
)
async def complete(request: Request, service: Shared, asked: ChatRequest, bearer: Bearer) -> Response:
    """The last message is answered; with `tools`, which need an operator's key, it becomes a call of one of them."""
    _check_model(service, asked.model)
    if asked.offers_functions:
        await require_operator(service, bearer)
        turn = await _start_function_turn(request, service, asked)
    else:
        turn = await _start_chat_turn(request, service, asked)
    if asked.stream:
        return EventStream(_chunks(turn, asked), reconnects=False)
    answer = await asyncio.shield(turn)
    whole = Completion(asked.model).whole(answer.text, answer.tokens, answer.tool_calls)
    return JSONResponse({**whole, "metadata": answer.metadata}, headers=_NO_STORE)


def _models(service: Service) -> list[str]:
    manifest = service.bot.manifest
    return list(dict.fromkeys([MODEL, *([manifest.name] if manifest else [])]))


def _model(service: Service, name: str) -> dict[str, Any]:
    manifest = service.bot.manifest
    created = int(manifest.created.timestamp()) if manifest else 0
    return {"id": name, "object": "model", "created": created, "owned_by": "shopbot"}


def _check_model(service: Service, name: str) -> None:
    if name not in _models(service):
        known = ", ".join(_models(service))
        raise ParameterError(
            "model", f"There is no such model; there are: {known}.", status=404, code="model_not_found"
        )


async def _start_chat_turn(request: Request, service: Service, asked: ChatRequest) -> _Turn:
    """Begin a turn of the shop's bot: in the session that the request names, or in a new one."""
    last = asked.messages[-1]
    if last.role != "user":
        raise ParameterError("messages", "The last message must be the user's.")
    bot, metadata = service.bot, asked.metadata
    customer_token = metadata.customer_token if metadata else None
    allows_refine = asked.store is not False
    session_id, token, place = _session_key(metadata.session if metadata else None)
    if session_id:
        if not await run_in_threadpool(bot.opens, session_id, token):
            raise SessionError("There is no such session.")
        if customer_token or not allows_refine:
            await run_in_threadpool(bot.session, session_id, customer_token=customer_token, allows_refine=allows_refine)
    else:
        service.sessions_limit.take(address_of(request))
        started = await run_in_threadpool(bot.session, customer_token=customer_token, allows_refine=allows_refine)
        assert started.token is not None
        session_id, token = started.id, started.token
    service.messages_limit.take(session_id)
    # a client that tries again after a lost answer sends the same place and the same messages: the same request
    said = "\n".join(f"{message.role} {message.text}" for message in asked.messages)
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
    request_id = f"chat {place} {digest}"

    def take() -> _Answer:
        reply = bot.ask(session_id, last.text, request_id=request_id)
        entry = bot.store.session_entry(session_id)
        now = entry.last_seq if entry else 0
        text = reply.text or phrases.WITH_HUMAN_AGENT
        return _Answer(text, reply.tokens, metadata={"session": f"{session_id}.{token}.{now}"})

    return service.turns.start(session_id, take)


async def _start_function_turn(request: Request, service: Service, asked: ChatRequest) -> _Turn:
    """Begin to understand a message as a call; what the client's functions gave before is its own answer."""
    last = asked.messages[-1]
    functions = Functions(asked)
    if last.role in ("tool", "function"):
        told = _results(asked)
        return service.turns.start(secrets.token_hex(8), lambda: _Answer(told))
    if last.role != "user":
        raise ParameterError("messages", "The last message must be the user's, or a function's result.")
    longest = service.bot.config.session.max_message_chars
    if len(last.text) > longest:
        raise ParameterError("messages", f"The last message is longer than {longest} characters.")
    service.messages_limit.take(f"functions {address_of(request)}")

    def take() -> _Answer:
        understood = service.bot.understand(last.text, functions.tools, must_call=functions.is_required)
        calls = tuple(functions.calls(understood.acts))
        return _Answer(None if calls else phrases.NOT_UNDERSTOOD, understood.tokens, calls)

    return service.turns.start(secrets.token_hex(8), take)


def _results(asked: ChatRequest) -> str:
    """What the functions that were called last gave, as it stands: the model writes no text."""
    results: list[str] = []
    for message in reversed(asked.messages):
        if message.role not in ("tool", "function"):
            break
        results.insert(0, message.text)
    return "\n\n".join(results)


def _session_key(given: str | None) -> tuple[str, str, str]:
    """Session, token and place of ``metadata.session``; empty where none is given."""
    if given is None:
        return "", "", ""
    match = _SESSION.fullmatch(given)
    if match is None:
        raise SessionError("There is no such session.")
    return match[1], match[2], match[3]


async def _chunks(turn: _Turn, asked: ChatRequest) -> AsyncGenerator[bytes, None]:
    completion = Completion(asked.model)
    yield event(None, completion.chunk({"role": "assistant", "content": ""}))
    try:
        answer = await asyncio.shield(turn)
    except Exception as error:  # the response has begun, so the error is a chunk
        yield event(None, error_json(error)[1])
        return
    for piece in pieces(answer.text or ""):
        yield event(None, completion.chunk({"content": piece}))
    for index, call in enumerate(answer.tool_calls):
        yield event(None, completion.chunk({"tool_calls": [{"index": index, **call}]}))
    last = completion.chunk({}, finish=finish_reason(answer.tool_calls))
    yield event(None, {**last, "metadata": answer.metadata})
    if asked.stream_options is not None and asked.stream_options.include_usage:
        yield event(None, completion.usage(answer.tokens))
    yield _DONE
