"""What the routes share: the bot, the line for turns, the limits, and whether the service is about to stop."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Annotated

from fastapi import Depends, Request

from shopbot.bot import Bot
from shopbot.server.limits import BusyError, RateLimit, Turns
from shopbot.server.metrics import Metrics

#: New sessions from one address, for each message a minute that one session may send.
_SESSIONS_PER_MESSAGE = 10
_WAITING_PER_WORKER = 16
_MAX_STREAMS, _MAX_STREAMS_PER_SESSION = 1000, 4
_STREAM_RETRY_S = 5


class Service:
    """One application's shared state; it lives in ``app.state.service``."""

    def __init__(self, bot: Bot) -> None:
        settings = bot.config
        workers = settings.model.slots
        self.bot = bot
        self.turns = Turns(workers=workers, max_waiting=workers * _WAITING_PER_WORKER)
        self.messages_limit = RateLimit(settings.server.messages_per_minute)
        self.sessions_limit = RateLimit(settings.server.messages_per_minute * _SESSIONS_PER_MESSAGE)
        self.requests_limit = RateLimit(settings.server.requests_per_minute)
        #: Set when the service is about to stop: streams of events end, and no turn begins.
        self.draining = asyncio.Event()
        self._streams: dict[str, int] = {}
        self.metrics = Metrics(bot)
        self.metrics.watch("shopbot_turns_running", "Turns that are being taken.", lambda: self.turns.running)
        self.metrics.watch("shopbot_turns_queued", "Turns that wait.", lambda: self.turns.queued)
        self.metrics.watch("shopbot_streams", "Open streams of events.", lambda: sum(self._streams.values()))

    async def drain(self, timeout_s: float) -> None:
        """Turn new and queued turns away, end the streams of events, and wait for the turns that have begun."""
        self.draining.set()
        await self.turns.drain(timeout_s)

    def open_stream(self, session_id: str) -> None:
        """Count one more stream of events. :class:`BusyError` where there are too many."""
        if self.draining.is_set():
            raise BusyError(503, _STREAM_RETRY_S, is_draining=True)
        if self._streams.get(session_id, 0) >= _MAX_STREAMS_PER_SESSION:
            raise BusyError(429, _STREAM_RETRY_S)
        if sum(self._streams.values()) >= _MAX_STREAMS:
            raise BusyError(503, _STREAM_RETRY_S)
        self._streams[session_id] = self._streams.get(session_id, 0) + 1

    def close_stream(self, session_id: str) -> None:
        """Count one less."""
        self._streams[session_id] -= 1
        if not self._streams[session_id]:
            del self._streams[session_id]


async def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


#: A route's parameter of this type is the application's service.
Shared = Annotated[Service, Depends(_service)]


async def limit_address(request: Request, service: Shared) -> None:
    """A dependency of every route that a stranger may ask."""
    service.requests_limit.take(address_of(request))


def address_of(request: Request) -> str:
    """Whom to count a request for: the client's address, or the network of an IPv6 one, which a client has whole."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return host
