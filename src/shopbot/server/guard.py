"""The outermost layer of the HTTP service: who may ask, how much, and what every response carries."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
import secrets
from collections.abc import Callable, Collection
from time import perf_counter
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopbot import logs

_log = logging.getLogger("shopbot.access")
MAX_BODY_BYTES = 64 * 1024
_MAX_DRAINED_BYTES = 16 * MAX_BODY_BYTES
_BODY_TIMEOUT_S = 15.0
#: The names of this box itself. A foreign page that rebinds its own name to 127.0.0.1 still sends that name as Host.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Refused(Exception):  # noqa: N818  (not an error: an answer)
    """A request that is not let through."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


_INTERNAL = Refused(500, "internal", "Something went wrong here. Please try again.")


class Guard:
    """ASGI middleware: Host and Origin, the body's size, security headers, an access log without personal data.

    ``hosts``: the names a request may give as Host (without port); None lets any pass. ``origins``: other origins whose
    pages may send something from a browser. ``on_response``: told method, route's pattern and status of every request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str] | None,
        origins: Collection[str] = (),
        on_response: Callable[[str, str, int], None] = lambda method, route, status: None,
    ) -> None:
        self._app = app
        self._on_response = on_response
        self._hosts = None if hosts is None else frozenset(name.lower() for name in hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 0
        asked_as = _request_id(scope)
        inside = logs.request_id.set(asked_as)

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _with_security(message.get("headers", ()), asked_as)}
            await send(message)

        try:
            self._check_origin(scope)
            body = await _read_body(receive)
            await self._app(scope, _replay(body, receive), send_guarded)
        except Refused as refused:
            await _refuse(refused, send_guarded)
        except Exception:
            # caught here and not by the server, whose log would quote the message and with it what the customer wrote
            _log.exception("unexpected error")
            if not status:
                await _refuse(_INTERNAL, send_guarded)
        finally:
            method, route = _method(scope), getattr(scope.get("route"), "path", "-")
            self._on_response(method, route, status)
            _log_access(method, route, status, 1e3 * (perf_counter() - started))
            logs.request_id.reset(inside)

    def _check_origin(self, scope: Scope) -> None:
        host = _header(scope, b"host")
        if self._hosts is not None and host_name(host) not in self._hosts:
            raise Refused(400, "bad_host", "This service does not answer to that host name.")
        origin = _header(scope, b"origin")
        if origin and scope["method"] not in ("GET", "HEAD") and not self._is_allowed(origin, host):
            raise Refused(400, "bad_origin", "Only this service's own pages may send that from a browser.")

    def _is_allowed(self, origin: str, host: str) -> bool:
        if origin in self._origins:
            return True
        try:
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        named = self._hosts is not None and host_name(netloc) in self._hosts - LOOPBACK_NAMES
        return bool(netloc) and (netloc == host.lower() or named)


def host_name(netloc: str) -> str:
    """``[::1]:8000`` → ``::1``; ``Shop.Example:80`` → ``shop.example``; what is no host name → an empty string."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether only this box itself can reach a service bound to ``host``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_hosts(bound_to: str, configured: Collection[str] = ()) -> frozenset[str] | None:
    """The Host names for a service bound to an address: this box's own, and those configured (a reverse proxy's name).

    None, any name, for a service that the network can reach and for which none are configured.
    """
    if is_loopback(bound_to) or configured:
        return LOOPBACK_NAMES | {name.lower() for name in configured}
    return None


def _header(scope: Scope, name: bytes) -> str:
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


async def _read_body(receive: Receive) -> bytes:
    """The whole body. :class:`Refused` where it is too large or does not come."""
    try:
        return await asyncio.wait_for(_collect(receive), _BODY_TIMEOUT_S)
    except asyncio.TimeoutError:
        raise Refused(408, "timeout", "The request's body did not arrive in time.") from None


async def _collect(receive: Receive) -> bytes:
    """A body that is somewhat too large is read to its end and thrown away: who still sends does not hear a refusal."""
    body, size = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "disconnected", "The connection was closed.")
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY_BYTES:
            body += part
        if size > _MAX_DRAINED_BYTES or (size > MAX_BODY_BYTES and not message.get("more_body")):
            raise _too_large()
        if not message.get("more_body"):
            return bytes(body)


def _too_large() -> Refused:
    return Refused(413, "too_large", f"A request may have at most {MAX_BODY_BYTES} bytes.")


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(refused: Refused, send: Send) -> None:
    body = json.dumps({"error": {"code": refused.code, "message": refused.message}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_security(headers: Collection[tuple[bytes, bytes]], asked_as: str) -> list[tuple[bytes, bytes]]:
    present = {key.lower() for key, _ in headers}
    added = [(key.encode(), value.encode()) for key, value in _HEADERS.items() if key.encode() not in present]
    return [*headers, *added, (b"x-request-id", asked_as.encode())]


def _request_id(scope: Scope) -> str:
    """The client's name for the request if it is a sane one, else one of ours."""
    given = _header(scope, b"x-request-id")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _log_access(method: str, route: str, status: int, elapsed_ms: float) -> None:
    """The route's pattern, not the path: a path holds a session's id, and may hold anything."""
    fields = {"method": method, "route": route, "status": status, "ms": round(elapsed_ms)}
    _log.info("%s %s %d %.0f ms", method, route, status, elapsed_ms, extra=fields)


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "OTHER"
