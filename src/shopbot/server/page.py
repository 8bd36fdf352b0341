"""The chat: the service's own page, and the widget that other pages take in with one script tag.

The widget is a folder of modules and a style sheet, as it stands. Its address has the fingerprint of its contents in
it, so browsers keep it for good, and ask for nothing but ``widget.js`` again.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePath
from string import Template

from fastapi import APIRouter, HTTPException, Request, Response

_STATIC = resources.files("shopbot.server") / "static"
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASK_AGAIN, _KEEP = "no-cache", "public, max-age=31536000, immutable"
#: Other origins' pages take the widget in; whether they may talk to the API is a question of CORS.
_HEADERS = {"Vary": "Accept-Encoding, Origin", "Cross-Origin-Resource-Policy": "cross-origin"}


@dataclass(frozen=True, slots=True)
class _File:
    media_type: str
    plain: bytes
    zipped: bytes
    tag: str

    @classmethod
    def of(cls, name: str, text: str) -> _File:
        plain = text.encode()
        tag = f'"{hashlib.sha256(plain).hexdigest()[:20]}"'
        return cls(_TYPES[PurePath(name).suffix], plain, gzip.compress(plain, mtime=0), tag)

    def response(self, request: Request, caching: str) -> Response:
        headers = {**_HEADERS, "ETag": self.tag, "Cache-Control": caching}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.zipped, media_type=self.media_type, headers=headers)
        return Response(self.plain, media_type=self.media_type, headers=headers)


def page_routes(shop_name: str, *, greeting: str, max_message_chars: int) -> APIRouter:
    """``/``, ``/widget.js`` and the files they need. The shop's name is text everywhere."""
    words = {"shop": shop_name, "greeting": greeting, "max_chars": max_message_chars}
    widget = {
        name: _File.of(name, text)
        for name, text in {**_folder("widget"), "settings.js": f"export const settings = {json.dumps(words)};"}.items()
    }
    version = hashlib.sha256("".join(widget[name].tag for name in sorted(widget)).encode()).hexdigest()[:12]
    files = {
        "/": _File.of("index.html", Template(_read("index.html")).substitute(shop=html.escape(shop_name))),
        "/widget.js": _File.of("widget.js", _read("widget.js").replace("VERSION", version)),
        "/static/icon.svg": _File.of("icon.svg", _read("icon.svg")),
    }
    router = APIRouter(include_in_schema=False)
    for path, file in files.items():
        _add(router, path, file)

    def module(request: Request, asked: str, name: str) -> Response:
        if name not in widget:
            raise HTTPException(404)
        # another version: a page that was loaded from another process or before an update, and is served all the same
        return widget[name].response(request, _KEEP if asked == version else _ASK_AGAIN)

    router.add_api_route("/widget/{asked}/{name}", module, methods=["GET", "HEAD"], response_model=None)
    return router


def _add(router: APIRouter, path: str, file: _File) -> None:
    def send(request: Request) -> Response:
        return file.response(request, _ASK_AGAIN)

    router.add_api_route(path, send, methods=["GET", "HEAD"], response_model=None)


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _folder(name: str) -> Mapping[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in (_STATIC / name).iterdir()}
