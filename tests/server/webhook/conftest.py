"""A program that gets webhooks, and a courier whose clock stands still."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shopbot.config import HandoffSection, check
from shopbot.server import webhook
from shopbot.server.courier import Courier
from shopbot.store import Store
from shopbot.stores.sql import open_store

SECRET = webhook.new_secret()
Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


class Receiver:
    """A program that gets webhooks. ``answers`` are given one after the other, the last one for ever."""

    def __init__(self, *answers: Answer, port: int = 0) -> None:
        receiver, self.got, self.answers = self, [], [*answers] or [status(204)]
        self.arrived = threading.Semaphore(0)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                receiver.arrived.release()
                answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook?from=shop"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    opened: list[Receiver] = []

    def start(*answers: Answer, port: int = 0) -> Receiver:
        opened.append(Receiver(*answers, port=port))
        return opened[-1]

    yield start
    for receiver in opened:
        receiver.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'hook.db'}")) as opened:
        opened.save_session("s", {}, version=0)
        yield opened


class Clock:
    """The courier's clock: it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def settings(url: str) -> HandoffSection:
    return check({"handoff": {"webhook_url": url, "webhook_secret": SECRET}}).handoff


def ask(store: Store, summary: str = "", customer_id: str | None = None) -> str:
    """A hand-off; the ticket's id."""
    return store.open_ticket(
        session_id="s", customer_id=customer_id, reason="asked for a human agent", summary=summary
    ).id


def works(courier: Courier) -> None:
    asyncio.run(courier.work())
