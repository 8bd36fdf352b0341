"""Runs the HTTP service in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from shopbot.errors import ConfigError, ShopbotError

#: How long turns in flight may take to finish after SIGTERM or Ctrl-C.
GRACE_S = 30
#: … and the responses that are being sent then.
_LAST_GRACE_S = 5
#: How long a stop takes at most.
MAX_STOP_S = GRACE_S + _LAST_GRACE_S
_MAX_HEAD_BYTES = 32 * 1024
_FORCE_POLL_S = 0.1


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to ``host`` and ``port`` (0: any free one). It does not listen yet, so nobody is kept waiting.

    Raises :class:`~shopbot.errors.ConfigError` for a host that is none of this machine's, and
    :class:`~shopbot.errors.ShopbotError` for a port that is taken or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise ConfigError(
            f"'{host}' is no address of this machine.", remedy="Use --host 127.0.0.1 or 0.0.0.0."
        ) from None
    bound = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _cannot_bind(host, port, error) from None
    return bound


def url_of(bound: socket.socket) -> str:
    """The address to open in a browser."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (compared, not bound)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Serves ``app`` on a bound socket until ``should_exit``; calls ``on_ready`` once it accepts connections, and
    ``on_stopping`` when it begins to stop."""

    def __init__(
        self, app: FastAPI, on_ready: Callable[[], None], on_stopping: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_LAST_GRACE_S,
                h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
            )
        )
        self._app = app
        self._on_ready = on_ready
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """While turns in flight finish, whoever comes is still answered: told to come back."""
        self._on_stopping()
        service = self._app.state.service
        draining = asyncio.ensure_future(service.drain(GRACE_S))
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=_FORCE_POLL_S)
        draining.cancel()
        await super().shutdown(sockets)

    def run_until_signal(self, bound: socket.socket) -> None:
        """Serve until SIGTERM or Ctrl-C; turns in flight finish first. Ctrl-C ends in :class:`KeyboardInterrupt`."""
        received: list[int] = []

        def note(number: int, _frame: FrameType | None) -> None:
            received.append(number)
            self.should_exit = True

        # uvicorn raises the signals it took once more when it is done; this is where they end
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.run(sockets=[bound])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if signal.SIGINT in received:
            raise KeyboardInterrupt


def _cannot_bind(host: str, port: int, error: OSError) -> ShopbotError:
    if error.errno == errno.EADDRINUSE:
        return ShopbotError(
            f"Port {port} is taken by another program.", remedy=f"Stop it, or use another one: --port {port + 1}."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ShopbotError(f"Port {port} may not be used by this user.", remedy="Use one above 1023: --port 8000.")
    return ConfigError(f"'{host}' is no address of this machine.", remedy="Use --host 127.0.0.1 or 0.0.0.0.")
