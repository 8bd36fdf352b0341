"""A merchant's own FastAPI app with the bot mounted at /shop-chat; its customers are signed in there as they are here.

``python examples/embed_fastapi/app.py`` runs it on the demo shop. The login is a stand-in for the merchant's own.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import pydantic
import uvicorn
from fastapi import Cookie, FastAPI, HTTPException
from fastapi.responses import FileResponse, Response

from shopbot import Bot, ShopbotError, prepare, sign_token
from shopbot.server.app import create_app

PAGE = Path(__file__).with_name("page.html")
PASSWORDS = {"ada@example.com": "demo"}  # the merchant has accounts
TOKEN_VALID_S = 60  # it is exchanged for a session at once


class Login(pydantic.BaseModel):
    """What the merchant's login form sends."""

    email: str
    password: str


def create(bot: Bot) -> FastAPI:
    """The merchant's app, with ``bot`` in it. The caller closes the bot."""
    chat = create_app(bot)
    signed_in: dict[str, str] = {}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # a mounted app's own lifespan is not run for it; this one waits for the turns under way when the app stops
        async with chat.router.lifespan_context(chat):
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/shop-chat", chat)

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(PAGE)

    @app.post("/login")
    def login(who: Login, response: Response) -> dict[str, str]:
        customer = bot.store.customer_by_email(who.email)
        known = PASSWORDS.get(who.email, "")
        if customer is None or not known or not secrets.compare_digest(known.encode(), who.password.encode()):
            raise HTTPException(401, "Wrong e-mail address or password.")
        login_id = secrets.token_urlsafe()
        signed_in[login_id] = customer.id
        response.set_cookie("login", login_id, httponly=True, samesite="lax")
        return {"name": customer.first_name}

    @app.post("/chat-token")
    def chat_token(login: Annotated[str, Cookie()] = "") -> dict[str, str]:
        """Who the customer is, signed, for the chat's ``POST /v1/sessions``."""
        customer_id = signed_in.get(login)
        if customer_id is None:
            raise HTTPException(401, "Please log in.")
        secret = bot.config.identity.token_secret.get_secret_value()
        return {"customer_token": sign_token(customer_id, secret, valid_s=TOKEN_VALID_S)}

    return app


def main() -> None:
    # the app and the bot are one process here, so they can share a secret that nobody has to keep
    os.environ.setdefault("SHOPBOT_IDENTITY__TOKEN_SECRET", secrets.token_hex(32))
    prepare(say=print)
    with Bot.open() as bot:
        uvicorn.run(create(bot), host="127.0.0.1", port=8001)


if __name__ == "__main__":
    try:
        main()
    except ShopbotError as error:
        raise SystemExit(f"embed_fastapi: {error}") from None
