"""Who may: a session is opened by its own key, the operator's part of the API by an operator's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.requests import Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from shopbot.errors import SessionError
from shopbot.keys import is_key
from shopbot.server.service import Service, Shared

COOKIE = "shopbot_session"
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="A session's token, or an operator's key.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="cookie", description="A session's token.")

Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def _own_session(
    service: Shared,
    bearer: Bearer,
    cookie: Annotated[str | None, Security(_cookie)],
    session_id: Annotated[str, Path(description="As `POST /v1/sessions` gave it.")],
) -> str:
    token = bearer.credentials if bearer else cookie
    if not token:
        raise HTTPException(401, "Send the session's token.", {"WWW-Authenticate": "Bearer"})
    is_ours = _SESSION_ID.fullmatch(session_id) is not None
    if not is_ours or not await run_in_threadpool(service.bot.opens, session_id, token):
        raise SessionError("There is no such session.")
    return session_id


#: A route's parameter of this type is the id of a session that the caller has the key to.
OwnSession = Annotated[str, Depends(_own_session)]


def set_cookie(request: Request, response: Response, session_id: str, token: str, *, valid_s: int) -> None:
    """Give a browser the key: out of reach of scripts, for this session's own paths."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=valid_s,
        path=cookie_path(request, session_id),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def cookie_path(request: Request, session_id: str) -> str:
    """The path below which the session's cookie is sent, wherever the application is mounted."""
    return f"{request.scope.get('root_path', '').rstrip('/')}/v1/sessions/{session_id}"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs the box, by the name of their key in ``server.operator_keys``."""

    name: str


async def require_operator(service: Shared, bearer: Bearer) -> Operator:
    """A dependency that lets operators pass: 401 without one of the keys in ``server.operator_keys``."""
    operator = operator_of(service, bearer.credentials if bearer else "")
    if operator is None:
        raise HTTPException(401, "Send an operator's key.", {"WWW-Authenticate": "Bearer"})
    return operator


def operator_of(service: Service, key: str) -> Operator | None:
    """Whose key it is; None: nobody's."""
    # all of them are compared, so that the time tells nothing
    names = [name for name, kept in service.bot.config.server.operator_keys.items() if is_key(key, kept)]
    return Operator(names[0]) if names else None
