"""Errors in OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pydantic
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as AnyHTTPException

from shopbot.errors import CallError, ShopbotError
from shopbot.server import schemas
from shopbot.server.errors import Problem, explain
from shopbot.server.limits import BusyError

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class ErrorDetail(pydantic.BaseModel):
    """What went wrong, of which kind, and with which parameter."""

    message: str
    type: str
    param: str | None
    code: str


class Error(pydantic.BaseModel):
    """An error in OpenAI's shape."""

    error: ErrorDetail


class ParameterError(HTTPException):
    """The parameter ``name`` of a request cannot be what it is."""

    def __init__(self, name: str, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(status, message)
        self.name, self.code = name, code


class OpenAiRoute(APIRoute):
    """A route whose errors have that shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (AnyHTTPException, RequestValidationError, BusyError, ShopbotError) as error:
                return _respond(error)

        return answer


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may end in these, and in what any may end in."""
    # 408 and 413 come from the outermost layer, which does not know whom it answers, and has the service's own shape
    own: dict[int | str, dict[str, Any]] = {status: {"model": schemas.Error} for status in (408, 413)}
    return {**own, **{status: {"model": Error} for status in sorted({400, 429, 500, 503, *statuses})}}


def error_json(error: Exception) -> tuple[Problem, dict[str, Any]]:
    """What a client is told of an error, and the body that says so."""
    problem = _explain(error)
    told = {
        "message": problem.message,
        "type": _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error"),
        "param": _parameter(error),
        "code": problem.code,
    }
    return problem, {"error": told}


def _explain(error: Exception) -> Problem:
    if isinstance(error, ParameterError):
        return Problem(error.status_code, error.code or "invalid_value", str(error.detail))
    if isinstance(error, CallError):
        return Problem(400, "invalid_value", str(error))
    problem = explain(error)
    # OpenAI's clients know 400 for what is wrong in the body
    return Problem(400, problem.code, problem.message) if problem.status == 422 else problem


def _parameter(error: Exception) -> str | None:
    if isinstance(error, ParameterError):
        return error.name
    if isinstance(error, CallError):
        return "tools"
    if isinstance(error, RequestValidationError):
        place = [part for part in error.errors()[0]["loc"][1:] if not isinstance(part, str) or part.isidentifier()]
        return ".".join(map(str, place)) or None
    return None


def _respond(error: Exception) -> JSONResponse:
    problem, body = error_json(error)
    headers = {"Cache-Control": "no-store", **(getattr(error, "headers", None) or {})}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    return JSONResponse(body, problem.status, headers)
