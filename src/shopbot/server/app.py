"""The HTTP service, put together from its parts; docs/http-api.md is the contract.

``create_app(bot)`` gives an ordinary ASGI application: serve it, or mount it in your own. The caller closes the bot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import shopbot
from shopbot import phrases
from shopbot.bot import Bot
from shopbot.server import feedback, following, messages, operations, operators, sessions
from shopbot.server.completions import routes as completions
from shopbot.server.errors import add_handlers
from shopbot.server.guard import Guard
from shopbot.server.housekeeping import housekeeping
from shopbot.server.operators.page import operator_page
from shopbot.server.page import page_routes
from shopbot.server.service import Service

_ASKED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-ID")
_TOLD_HEADERS = ("Retry-After", "X-Request-ID")


def create_app(bot: Bot, *, hosts: Collection[str] | None = None) -> FastAPI:
    """The application for ``bot``. ``hosts``: the Host names it answers to, None for any; see :class:`Guard`."""
    settings = bot.config
    service = Service(bot)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with housekeeping(bot):
            yield
        service.draining.set()
        await run_in_threadpool(service.turns.close)

    app = FastAPI(title="shopbot", version=shopbot.__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    add_handlers(app)
    page = page_routes(
        settings.shop.name, greeting=phrases.GREETING, max_message_chars=settings.session.max_message_chars
    )
    pages = (page, operator_page(settings.shop.name))
    parts = (sessions, messages, following, feedback, completions, operations)
    for router in (*pages, *(part.router for part in parts), *operators.ROUTERS):
        app.include_router(router)
    # the last one added is the outermost
    if settings.server.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.server.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=_ASKED_HEADERS,
            expose_headers=_TOLD_HEADERS,
        )
    app.add_middleware(Guard, hosts=hosts, origins=settings.server.cors_origins, on_response=service.metrics.responded)
    if settings.server.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*settings.server.trusted_proxies])
    return app
