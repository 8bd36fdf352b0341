"""The HTTP service: sessions, messages, health and the chat page.

``create_app(bot)`` gives an ordinary ASGI application: serve it, or mount it in your own. The caller closes the bot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pydantic
from fastapi import FastAPI, Header, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

import shopbot
from shopbot import phrases
from shopbot.bot import Bot
from shopbot.server.errors import add_handlers, problem
from shopbot.server.guard import Guard
from shopbot.server.limits import RateLimit, Turns
from shopbot.server.page import page_routes

#: New sessions from one address, for each message a minute that one session may send.
_SESSIONS_PER_MESSAGE = 10
_WAITING_PER_WORKER = 16
_NO_STORE = {"Cache-Control": "no-store"}
_Printable = pydantic.StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=200)
RequestId = Annotated[str, _Printable]


class NewSession(pydantic.BaseModel):
    """What ``POST /v1/sessions`` takes; an empty body will do. ``allows_refine`` false: nothing is learnt from it."""

    model_config = pydantic.ConfigDict(extra="forbid")
    customer_token: Annotated[str, pydantic.StringConstraints(pattern=r"^[\x21-\x7e]*$", max_length=4096)] | None = None
    allows_refine: bool = True


class Message(pydantic.BaseModel):
    """What ``POST /v1/sessions/{id}/messages`` takes. A repeated ``request_id`` gets the first reply again."""

    model_config = pydantic.ConfigDict(extra="forbid")
    text: str
    request_id: RequestId | None = None


def create_app(bot: Bot, *, hosts: Collection[str] | None = None) -> FastAPI:
    """The application for ``bot``. ``hosts``: the Host names it answers to, None for any; see :class:`Guard`."""
    settings = bot.config
    workers = settings.model.slots
    turns = Turns(workers=workers, max_waiting=workers * _WAITING_PER_WORKER)
    messages_limit = RateLimit(settings.server.messages_per_minute)
    sessions_limit = RateLimit(settings.server.messages_per_minute * _SESSIONS_PER_MESSAGE)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(turns.close)

    app = FastAPI(title="shopbot", version=shopbot.__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(Guard, hosts=hosts)
    add_handlers(app)
    app.include_router(
        page_routes(settings.shop.name, greeting=phrases.GREETING, max_message_chars=settings.session.max_message_chars)
    )

    @app.get("/healthz")
    def health() -> dict[str, Any]:
        """That the service answers, and with which checkpoint."""
        checkpoint = bot.manifest.name if bot.manifest else None
        return {"status": "ok", "checkpoint": checkpoint, "version": shopbot.__version__}

    @app.post("/v1/sessions")
    async def start(request: Request, new: NewSession | None = None) -> JSONResponse:
        """Start a session. Its id is the key to it: unguessable, to be kept by the client only."""
        sessions_limit.take(request.client.host if request.client else "")
        wanted = new or NewSession()
        session = await run_in_threadpool(
            bot.session, customer_token=wanted.customer_token, allows_refine=wanted.allows_refine
        )
        return JSONResponse({"session_id": session.id}, headers=_NO_STORE)

    @app.post("/v1/sessions/{session_id}/messages")
    async def answer(
        session_id: Annotated[str, Path(max_length=200)],
        message: Message,
        idempotency_key: Annotated[RequestId | None, Header()] = None,
    ) -> JSONResponse:
        """Answer one message of a session."""
        if idempotency_key and message.request_id and idempotency_key != message.request_id:
            return problem(400, "bad_request", "Idempotency-Key and request_id differ.")
        if not session_id.isascii():
            return problem(404, "no_such_session", "There is no such session. Please start a new one.")
        messages_limit.take(session_id)
        request_id = message.request_id or idempotency_key
        reply = await turns.run(session_id, lambda: bot.ask(session_id, message.text, request_id=request_id))
        return JSONResponse(reply.as_json(), headers=_NO_STORE)

    return app
