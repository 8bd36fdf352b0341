"""An event is sent at least once, whatever fails in between."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from shopbot.bot import Bot
from shopbot.handoff import Desk
from shopbot.server import courier as courier_module
from shopbot.server import webhook
from shopbot.server.courier import WAITS_S, Courier
from shopbot.store import Store
from shopbot.stores.sql import open_store

from .conftest import SECRET, Clock, Receiver, ask, settings, status, works


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
