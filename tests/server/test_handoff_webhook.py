"""A program of the shop's is told of hand-offs: signed, redacted, and at least once, whatever fails in between."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shopbot.bot import Bot
from shopbot.cli import main
from shopbot.config import HandoffSection, check
from shopbot.errors import ConfigError
from shopbot.handoff import Desk
from shopbot.server import courier as courier_module
from shopbot.server import webhook
from shopbot.server.courier import WAITS_S, Courier
from shopbot.store import Store
from shopbot.stores.demo import fill_demo
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


def test_a_handoff_is_told_once_and_its_signature_is_right(
    store: Store, receive: Callable[..., Receiver], clock: Clock
) -> None:
    receiver = receive()
    ticket = ask(store)
    courier = Courier(store, settings(receiver.url), now=clock)
    for _ in range(2):
        works(courier)
    [(headers, body)] = receiver.got
    told = Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    assert headers["webhook-id"] == ticket
    assert told["type"] == "handoff.requested"
    assert told["data"] == {
        "session_id": "s",
        "ticket_id": ticket,
        "reason": "asked for a human agent",
        "summary": "",
        "is_identified": False,
    }
    assert datetime.fromisoformat(told["timestamp"]).utcoffset() == timedelta(0)
    assert store.count_notices() == {"waiting": 0, "delivered": 1, "dead": 0}


@pytest.mark.parametrize("change", ["body", "webhook-id", "webhook-timestamp", "secret"])
def test_what_was_changed_or_replayed_is_not_taken(
    store: Store, receive: Callable[..., Receiver], clock: Clock, change: str
) -> None:
    receiver = receive()
    ask(store)
    works(Courier(store, settings(receiver.url), now=clock))
    [(sent, body)] = receiver.got
    headers = {name.lower(): value for name, value in sent.items()}
    secret = webhook.new_secret() if change == "secret" else SECRET
    if change in headers:
        headers[change] = str(int(headers[change]) - 1) if change == "webhook-timestamp" else "another"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" " if change == "body" else body, headers)


def test_nothing_personal_is_told(store: Store, receive: Callable[..., Receiver], clock: Clock) -> None:
    fill_demo(store)  # type: ignore[arg-type]
    customer = store.customer_by_email("ada@example.com")
    assert customer is not None
    said = f"I'm Ada Example, ada@example.com, card 4111 1111 1111 1111, {customer.address.line1}, call 555-010-9999"
    ask(store, f"Customer: {customer.id}. Open tasks: none. Last messages: {said}", customer.id)
    receiver = receive()
    works(Courier(store, settings(receiver.url), now=clock))
    [(_, body)] = receiver.got
    summary = json.loads(body)["data"]["summary"]
    assert summary.startswith("Customer: <CUSTOMER_1>. Open tasks: none.")
    for personal in ("Ada", "ada@", "4111", customer.address.line1, "555-010", customer.id):
        assert personal not in body.decode(), personal


def test_a_receiver_that_fails_is_asked_again_later_and_later(
    store: Store, receive: Callable[..., Receiver], clock: Clock
) -> None:
    receiver = receive(status(500), status(301, Location="http://127.0.0.1:1/"), status(204))
    ticket = ask(store)
    courier = Courier(store, settings(receiver.url), now=clock)
    for sent, moved in ((1, 4), (1, 2), (2, 29), (2, 2), (3, 3600)):
        works(courier)
        assert receiver.ids == [ticket] * sent
        clock.move(seconds=moved)
    [notice] = store.notices()
    assert (notice.state, notice.attempts, notice.error) == ("delivered", 3, "")
    stamps = [int(headers["webhook-timestamp"]) for headers, _ in receiver.got]
    assert stamps == sorted(set(stamps)), "each attempt is signed anew"


def test_a_receiver_says_when_it_wants_to_be_asked_again(
    store: Store, receive: Callable[..., Receiver], clock: Clock
) -> None:
    answers = [status(503, Retry_After=after) for after in ("300", "999999999", "²")]
    receiver = receive(*answers)
    ask(store)
    for wait_s in (300, 3600, 120):
        works(Courier(store, settings(receiver.url), now=clock))
        assert (store.notices()[0].next_at - clock.now).total_seconds() == wait_s
        clock.move(seconds=wait_s)


def test_what_is_never_taken_is_given_up_after_a_day_and_can_be_sent_again(
    store: Store, receive: Callable[..., Receiver], clock: Clock
) -> None:
    receiver = receive(status(500))
    ticket = ask(store)
    courier, started = Courier(store, settings(receiver.url), now=clock), clock.now
    for wait_s in (*WAITS_S, 0):
        works(courier)
        clock.move(seconds=wait_s)
    assert timedelta(hours=20) < clock.now - started < timedelta(hours=30)
    assert [(one.id, one.error) for one in store.notices(state="dead")] == [(ticket, "HTTP 500")]
    clock.move(days=3)
    works(courier)
    assert len(receiver.got) == len(WAITS_S) + 1, "a dead one is let lie"
    receiver.answers = [status(200)]
    assert store.revive_notice(ticket, due_at=clock.now)
    works(courier)
    assert store.count_notices()["delivered"] == 1


def _hang(request: BaseHTTPRequestHandler) -> None:
    """Drips a header for as long as anybody listens."""
    try:
        for _ in range(100):
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX: " if _ == 0 else b"x")
            request.wfile.flush()
            threading.Event().wait(0.05)
    except OSError:
        pass


def test_slow_silent_and_absent_receivers_are_failures(
    store: Store, receive: Callable[..., Receiver], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.3)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    cut = receive(lambda request: request.connection.shutdown(socket.SHUT_RDWR))
    for url, error in (
        (receive(_hang).url, "no answer within 0 s"),
        (refused, "no connection (ConnectError)"),
        (cut.url, "no connection (RemoteProtocolError)"),
        ("http://[::1", "no connection (ValueError)"),
    ):
        ask(store)
        clock.move(minutes=1)
        works(Courier(store, settings(url), now=clock))
        assert store.notices(limit=1)[0].error == error
        assert store.notices(limit=1)[0].state == "waiting"


def test_what_was_being_sent_in_a_crash_is_sent_again(
    store: Store, receive: Callable[..., Receiver], clock: Clock, tmp_path: Path
) -> None:
    ticket = ask(store)

    class Killed(BaseException):
        pass

    def die(_: BaseHTTPRequestHandler) -> None:
        raise ConnectionAbortedError

    receiver = receive(die, status(204))
    courier = Courier(store, settings(receiver.url), now=clock)
    courier._settle = lambda *_: (_ for _ in ()).throw(Killed())  # type: ignore[method-assign]  # the power goes out here
    with pytest.raises(Killed):
        works(courier)
    with closing(open_store(f"sqlite:///{tmp_path / 'hook.db'}")) as reopened:
        after = Courier(reopened, settings(receiver.url), now=clock)
        works(after)
        assert receiver.ids == [ticket], "another process may be sending it still"
        clock.move(minutes=1)
        works(after)
    assert receiver.ids == [ticket, ticket], "with the same id"


def test_old_handoffs_are_no_news(store: Store, receive: Callable[..., Receiver], clock: Clock) -> None:
    ask(store)
    clock.move(hours=25)
    receiver = receive()
    works(Courier(store, settings(receiver.url), now=clock))
    assert receiver.got == []


def test_a_running_service_tells_at_once_and_a_later_one_what_was_missed(
    make_bot: Any, serving: Any, visitor_of: Any, receive: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier_module, "WAITS_S", (0,) * 10)
    receiver = receive()
    handoff = {"webhook_url": receiver.url, "webhook_secret": SECRET}

    def hand_off(bot: Bot) -> str:
        with serving(bot) as url:
            visitor = visitor_of(url)
            session = visitor.session()
            assert visitor.say(session, "I want a human").json()["handoff"]
            assert receiver.arrived.acquire(timeout=20)
            visitor.http.close()
        return str(session)

    first = hand_off(make_bot(handoff=handoff))
    assert json.loads(receiver.got[0][1])["data"]["session_id"] == first
    quiet: Bot = make_bot()
    missed = quiet.session()
    missed.ask("I want a human")
    with serving(make_bot(handoff=handoff)):
        assert receiver.arrived.acquire(timeout=20)
    assert json.loads(receiver.got[1][1])["data"]["session_id"] == missed.id
    assert len(receiver.got) == 2


def test_a_customer_who_waits_again_is_told_of_again(
    make_bot: Any, receive: Callable[..., Receiver], clock: Clock
) -> None:
    receiver = receive()
    bot: Bot = make_bot()
    session = bot.session()
    session.ask("I want a human")
    courier = Courier(bot.store, settings(receiver.url), now=clock)
    desk = Desk(bot.store, now=clock)
    desk.claim(session.id, "kim")
    session.ask("hello?")
    clock.move(minutes=20)
    courier.remind(desk.return_idle(timedelta(minutes=15)))
    works(courier)
    kinds = sorted(json.loads(body)["type"] for _, body in receiver.got)
    assert kinds == ["handoff.requested", "handoff.waiting"]
    assert len(set(receiver.ids)) == 2


@pytest.mark.parametrize(
    ("handoff", "problem"),
    [
        ({"webhook_url": "https://a.example"}, "webhook_url needs a webhook_secret"),
        ({"webhook_url": "ftp://a.example", "webhook_secret": SECRET}, "webhook_url"),
        ({"webhook_url": "https://", "webhook_secret": SECRET}, "webhook_url"),
        ({"webhook_url": "https://a.example", "webhook_secret": "hunter2"}, "shopbot handoff secret"),
        ({"webhook_secret": "whsec_c2hvcnQ="}, "shopbot handoff secret"),
        ({"idle_minutes": 0}, "idle_minutes"),
    ],
)
def test_a_wrong_webhook_is_refused_when_the_settings_are_read(handoff: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        check({"handoff": handoff})
    assert "hunter2" not in str(caught.value)


def test_the_command_tries_the_webhook(
    receive: Callable[..., Receiver], shopbot_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = CliRunner()

    def try_it(*arguments: str) -> tuple[int, str, str]:
        done = runner.invoke(main, ["handoff", "test", *arguments])
        return done.exit_code, done.stdout, done.stderr

    assert try_it()[0] == 2
    secret = runner.invoke(main, ["handoff", "secret"]).stdout.strip()
    receiver = receive(status(204), status(204), status(403))
    monkeypatch.setenv("SHOPBOT_HANDOFF__WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("SHOPBOT_HANDOFF__WEBHOOK_SECRET", secret)
    code, out, _ = try_it()
    headers, body = receiver.got[0]
    assert (code, out) == (0, f"Delivered: event {headers['webhook-id']}.\n")
    told = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert told["type"] == "handoff.test"
    code, out, _ = try_it("--json")
    assert json.loads(out) == {"event_id": receiver.ids[1], "is_delivered": True}
    code, out, err = try_it()
    assert (code, out) == (1, "")
    assert "HTTP 403" in err and "same secret" in err and secret not in err


def test_the_receiver_of_the_docs(store: Store, clock: Clock, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "operators.md").read_text(encoding="utf-8")
    [source] = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert "9000" in source
    script = tmp_path / "receiver.py"
    script.write_text(source.replace("9000", str(port)), encoding="utf-8")
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET}
    receiver = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        _wait_for_port(port)
        ask(store)
        courier = Courier(store, settings(f"http://127.0.0.1:{port}/"), now=clock)
        works(courier)
        assert store.count_notices()["delivered"] == 1
        assert receiver.stdout is not None and receiver.stdout.readline() == "handoff.requested s\n"
        hook = {"webhook_url": f"http://127.0.0.1:{port}/", "webhook_secret": webhook.new_secret()}
        forger = check({"handoff": hook}).handoff
        sent = asyncio.run(webhook.send(forger, "e", {}, timestamp=int(clock.now.timestamp())))
        assert sent.error == "HTTP 403"
    finally:
        receiver.kill()
        receiver.communicate()


def _wait_for_port(port: int) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError("the receiver did not start")
