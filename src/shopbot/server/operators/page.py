"""The operator page: a file of HTML, a style sheet and modules, no framework. Without a key it shows nothing."""

from __future__ import annotations

import html
from string import Template

from fastapi import APIRouter, HTTPException, Request, Response

from shopbot.server.static_file import ASK_AGAIN, StaticFile, read, read_folder

#: Modules of the widget that the page uses as they are.
_SHARED = ("dom.js", "patience.js", "sse.js")
#: Beside scripts and styles of our own: reports in a frame, which are asked for with a form. A form that sends no
#: referrer at all would send "null" as its origin.
_HEADERS = {
    **ASK_AGAIN,
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Referrer-Policy": "same-origin",
}


def operator_page(shop_name: str) -> APIRouter:
    """``/operator`` and the files it needs. The shop's name is text."""
    page = StaticFile.of("operator.html", Template(read("operator.html")).substitute(shop=html.escape(shop_name)))
    texts = {**read_folder("operator"), **{name: read(f"widget/{name}") for name in _SHARED}}
    files = {name: StaticFile.of(name, text) for name, text in texts.items()}
    router = APIRouter(include_in_schema=False)

    @router.api_route("/operator", methods=["GET", "HEAD"], response_model=None)
    def send_page(request: Request) -> Response:
        return page.response(request, _HEADERS)

    @router.api_route("/operator/{name}", methods=["GET", "HEAD"], response_model=None)
    def send_file(request: Request, name: str) -> Response:
        if name not in files:
            raise HTTPException(404)
        return files[name].response(request, _HEADERS)

    return router
