"""Every error a client sees has one shape: ``{"error": {"code", "message"}}``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shopbot.errors import GateError, HandoffError, NotFoundError, SessionError, ShopbotError, TokenError
from shopbot.server.limits import BusyError

_log = logging.getLogger(__name__)
_RETRY_AFTER_S = 5
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What a client is told of an error."""

    status: int
    code: str
    message: str
    retry_after_s: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The body; the time to wait stands in it too, for a stream of events has no header for it any more."""
        told: dict[str, Any] = {"error": {"code": self.code, "message": self.message}}
        return told if self.retry_after_s is None else {**told, "retry_after_s": self.retry_after_s}


INTERNAL = Problem(500, "internal", "Something went wrong here. Please try again.")


def explain(error: Exception) -> Problem:
    """The problem that an error is to a client. What nobody expected is logged, and is :data:`INTERNAL`."""
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "error")
        return Problem(error.status_code, code, error.detail or HTTPStatus(error.status_code).phrase)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, BusyError):
        return _busy(error)
    if isinstance(error, SessionError):
        return Problem(404, "no_such_session", "There is no such session. Please start a new one.")
    if isinstance(error, NotFoundError):
        return Problem(404, "no_such_message", "There is no such message.")
    if isinstance(error, TokenError):
        return Problem(400, "bad_token", str(error))
    if isinstance(error, HandoffError):
        return Problem(409, "taken", str(error))
    if isinstance(error, GateError):
        return Problem(409, "gate_not_met", str(error))
    if isinstance(error, ShopbotError):
        _log.error("a request failed", exc_info=error)
        message = "The shop cannot be reached right now. Please try again."
        return Problem(503, "unavailable", message, _RETRY_AFTER_S)
    _log.error("unexpected error", exc_info=error)
    return INTERNAL


def respond(problem: Problem) -> JSONResponse:
    """The response for a problem."""
    headers = {"Cache-Control": "no-store"}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    return JSONResponse(problem.as_json(), problem.status, headers)


def add_handlers(app: FastAPI) -> None:
    """Answer every deliberate error in that shape; the guard does so for the others."""
    for kind in (HTTPException, RequestValidationError, BusyError, ShopbotError):
        app.add_exception_handler(kind, _handle)


async def _handle(_request: Request, error: Exception) -> JSONResponse:
    response = respond(explain(error))
    response.headers.update(getattr(error, "headers", None) or {})
    return response


def _invalid(error: RequestValidationError) -> Problem:
    """Names the field, never the value: what was sent may be personal, and need not be valid Unicode."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Problem(400, "bad_request", "The body is no valid JSON.")
    if first["type"] == "extra_forbidden":
        return Problem(422, "invalid", "The body has a key that is not known here.")
    if first["loc"] == ("body",):
        return Problem(422, "invalid", "Send a JSON object, with 'Content-Type: application/json'.")
    where = ".".join(str(part) for part in first["loc"] if isinstance(part, str)) or "body"
    return Problem(422, "invalid", f"{where}: {first['msg']}.")


def _busy(error: BusyError) -> Problem:
    if error.status == 429:
        message = "That was a lot at once. Please wait a moment."
        return Problem(429, "too_many_requests", message, error.retry_after_s)
    if error.is_draining:
        return Problem(503, "draining", "The service is being restarted. Please try again.", error.retry_after_s)
    return Problem(503, "busy", "Too many people are asking right now. Please try again.", error.retry_after_s)
