"""The chat page: three files of our own, no framework, nothing from elsewhere."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from importlib import resources
from string import Template

from fastapi import APIRouter, Request, Response

_TYPES = {"chat.css": "text/css", "chat.js": "text/javascript", "icon.svg": "image/svg+xml"}


def page_routes(shop_name: str, *, greeting: str, max_message_chars: int) -> APIRouter:
    """``/`` and the files it needs. The texts are escaped here and shown as text by the page."""
    words: Mapping[str, str | int] = {
        "shop": html.escape(shop_name),
        "greeting": html.escape(greeting),
        "max_chars": max_message_chars,
    }
    page = Template(_read("index.html")).substitute(words)
    router = APIRouter(include_in_schema=False)
    _add(router, "/", page, "text/html")
    for name, media_type in _TYPES.items():
        _add(router, f"/static/{name}", _read(name), media_type)
    return router


def _add(router: APIRouter, path: str, text: str, media_type: str) -> None:
    body = text.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    def send(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media_type, headers=headers)

    router.add_api_route(path, send, methods=["GET", "HEAD"], response_model=None)


def _read(name: str) -> str:
    return (resources.files("shopbot.server") / "static" / name).read_text(encoding="utf-8")
