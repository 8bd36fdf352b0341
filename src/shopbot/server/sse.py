"""Server-sent events: how they are written, and a stream that stays open while nothing happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_S = 15.0
#: How long a browser waits before it connects again.
_RECONNECT_MS = 2000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event(name: str | None, data: Mapping[str, Any], number: int | None = None) -> bytes:
    """One event; ``number`` is its id. None as its name: a plain message."""
    return format_sse_event(
        event=name, data_str=json.dumps(data, ensure_ascii=False), id=None if number is None else str(number)
    )


class EventStream(StreamingResponse):
    """The response that sends ``events``, and a comment whenever none has come for :data:`KEEP_ALIVE_S`.

    ``on_close`` is called when the stream has ended, whoever ended it. ``reconnects``: whether a browser that lost the
    connection should connect again.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        on_close: Callable[[], None] = lambda: None,
        reconnects: bool = True,
    ) -> None:
        super().__init__(_kept_alive(events, reconnects), headers=_HEADERS)
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_close()


async def _kept_alive(events: AsyncGenerator[bytes, None], reconnects: bool) -> AsyncIterator[bytes]:
    if reconnects:
        yield format_sse_event(retry=_RECONNECT_MS)
    coming: asyncio.Future[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([coming], timeout=KEEP_ALIVE_S)
            if not done:
                yield KEEPALIVE_COMMENT
                continue
            try:
                yield coming.result()
            except StopAsyncIteration:
                return
            coming = None
    finally:
        if coming is not None:
            coming.cancel()  # it ends the events where they wait
