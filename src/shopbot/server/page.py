"""The chat: the service's own page, and the widget that other pages take in with one script tag.

The widget is a folder of modules and a style sheet, as it stands. Its address has the fingerprint of its contents in
it, so browsers keep it for good, and ask for nothing but ``widget.js`` again.
"""

from __future__ import annotations

import hashlib
import html
import json
from string import Template

from fastapi import APIRouter, HTTPException, Request, Response

from shopbot.server.static_file import ASK_AGAIN, StaticFile, read, read_folder

#: Other origins' pages take the widget in; whether they may talk to the API is a question of CORS.
_HEADERS = {**ASK_AGAIN, "Vary": "Accept-Encoding, Origin", "Cross-Origin-Resource-Policy": "cross-origin"}
_KEPT = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}


def page_routes(shop_name: str, *, greeting: str, max_message_chars: int) -> APIRouter:
    """``/``, ``/widget.js`` and the files they need. The shop's name is text everywhere."""
    words = {"shop": shop_name, "greeting": greeting, "max_chars": max_message_chars}
    texts = {**read_folder("widget"), "settings.js": f"export const settings = {json.dumps(words)};"}
    widget = {name: StaticFile.of(name, text) for name, text in texts.items()}
    version = hashlib.sha256("".join(widget[name].tag for name in sorted(widget)).encode()).hexdigest()[:12]
    files = {
        "/": StaticFile.of("index.html", Template(read("index.html")).substitute(shop=html.escape(shop_name))),
        "/widget.js": StaticFile.of("widget.js", read("widget.js").replace("VERSION", version)),
        "/static/icon.svg": StaticFile.of("icon.svg", read("icon.svg")),
    }
    router = APIRouter(include_in_schema=False)
    for path, file in files.items():
        _add(router, path, file)

    def module(request: Request, asked: str, name: str) -> Response:
        if name not in widget:
            raise HTTPException(404)
        # another version: a page that was loaded from another process or before an update, and is served all the same
        return widget[name].response(request, _KEPT if asked == version else _HEADERS)

    router.add_api_route("/widget/{asked}/{name}", module, methods=["GET", "HEAD"], response_model=None)
    return router


def _add(router: APIRouter, path: str, file: StaticFile) -> None:
    def send(request: Request) -> Response:
        return file.response(request, _HEADERS)

    router.add_api_route(path, send, methods=["GET", "HEAD"], response_model=None)
