"""Every error a client sees has one shape: ``{"error": {"code", "message"}}``."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shopbot.errors import SessionError, ShopbotError, TokenError
from shopbot.server.limits import BusyError

_log = logging.getLogger(__name__)
_RETRY_AFTER_S = 5
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 422: "invalid"}


def problem(status: int, code: str, message: str, *, retry_after_s: int | None = None) -> JSONResponse:
    """The response for an error."""
    headers = {"Cache-Control": "no-store"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


def add_handlers(app: FastAPI) -> None:
    """Answer every exception in that shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(ShopbotError, _shopbot)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "error")
    response = problem(error.status_code, code, error.detail or HTTPStatus(error.status_code).phrase)
    response.headers.update(error.headers or {})
    return response


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Names the field, never the value: what was sent may be personal, and need not be valid Unicode."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return problem(400, "bad_request", "The body is no valid JSON.")
    if first["type"] == "extra_forbidden":
        return problem(422, "invalid", "The body has a key that is not known here.")
    if first["loc"] == ("body",):
        return problem(422, "invalid", "Send a JSON object, with 'Content-Type: application/json'.")
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, str)) or "body"
    return problem(422, "invalid", f"{where}: {first['msg']}.")


async def _busy(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BusyError)
    if error.status == 429:
        return problem(
            429, "too_many_requests", "That was a lot at once. Please wait a moment.", retry_after_s=error.retry_after_s
        )
    return problem(
        503, "busy", "Too many people are asking right now. Please try again.", retry_after_s=error.retry_after_s
    )


async def _shopbot(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, SessionError):
        return problem(404, "no_such_session", "There is no such session. Please start a new one.")
    if isinstance(error, TokenError):
        return problem(400, "bad_token", str(error))
    _log.error("a turn failed", exc_info=error)
    return problem(
        503, "unavailable", "The shop cannot be reached right now. Please try again.", retry_after_s=_RETRY_AFTER_S
    )
