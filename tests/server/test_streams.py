"""Streams of events over a real socket: a reply as it is made, and a session as it goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopbot.bot import Bot
from shopbot.errors import StoreError
from shopbot.server import following, sse
from shopbot.store import Message
from shopbot.stores.sql import open_store

STREAM = {"Accept": "text/event-stream"}
Event = dict[str, str]


class Events:
    """The events of a response, one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """(name, data) of each event; what has none, a comment for instance, is named after its first line."""
        for fields in self.raw():
            if "event" in fields:
                yield fields["event"], json.loads(fields["data"])

    def raw(self) -> Iterator[Event]:
        fields: Event = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                yield fields
                fields = {}

    def until(self, name: str) -> list[tuple[str, Any]]:
        """The events up to the first of that name."""
        seen = []
        for one in self:
            seen.append(one)
            if one[0] == name:
                return seen
        raise AssertionError(f"no '{name}' in {seen}")


@contextmanager
def saying(visitor: Any, session: str, text: str, **more: Any) -> Iterator[Events]:
    headers = {**visitor.key(session), **STREAM}
    path = f"/v1/sessions/{session}/messages"
    with visitor.http.stream("POST", path, json={"text": text, **more}, headers=headers) as response:
        yield Events(response)


@contextmanager
def following_it(visitor: Any, session: str, after: int = 0, **headers: str) -> Iterator[Events]:
    path = f"/v1/sessions/{session}/events"
    options = {"params": {"after": after}, "headers": {**visitor.key(session), **headers}}
    with visitor.http.stream("GET", path, **options) as response:
        yield Events(response)


def test_what_was_understood_comes_before_the_reply(visitor: Any, door: Any) -> None:
    session = visitor.session()
    with saying(visitor, session, "wait for me", request_id="one") as events:
        assert events.response.status_code == 200
        assert events.response.headers["content-type"].startswith("text/event-stream")
        assert events.response.headers["cache-control"] == "no-store"
        raw = events.raw()
        assert next(raw) == {"retry": "2000"}
        act = next(raw)
        assert (act["event"], act["id"]) == ("act", "1")
        assert json.loads(act["data"]) == {"acts": [{"name": "wait_here", "confidence": 1.0}]}
        assert door.entered.acquire(timeout=20), "the tool still runs"
        door.is_open.set()
        rest = list(raw)
    assert [one["id"] for one in rest] == [str(number) for number in range(2, len(rest) + 2)]
    reply = json.loads(rest[-1]["data"])
    assert [one["event"] for one in rest] == ["delta", "reply"]
    assert "".join(json.loads(one["data"])["text"] for one in rest[:-1]) == reply["reply"]
    assert reply == visitor.say(session, "wait for me", request_id="one").json(), "the JSON form has the same"


def test_a_reply_comes_in_pieces(visitor: Any) -> None:
    session = visitor.session()
    with saying(visitor, session, "when do you open?") as events:
        seen = list(events)
    pieces = [data["text"] for name, data in seen if name == "delta"]
    assert len(pieces) == 2
    assert "".join(pieces) == seen[-1][1]["reply"] == "We are open from 9 to 18. <b>Really</b>."


def test_what_can_be_refused_at_once_is_no_stream(visit: Any) -> None:
    visitor = visit(server={"messages_per_minute": 1})
    session = visitor.session()
    for key, body, status in (
        ({}, {"text": "hi"}, 401),
        (visitor.key("nobody"), {"text": "hi"}, 404),
        (visitor.key(session), {"text": 7}, 422),
        (visitor.key(session), {"text": "hi"}, 200),
        (visitor.key(session), {"text": "hi"}, 429),
    ):
        answer = visitor.http.post(f"/v1/sessions/{session}/messages", json=body, headers={**key, **STREAM})
        assert answer.status_code == status, answer.text
        assert status == 200 or answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(StoreError("Ann lives at 1 Main Street"), 503, "unavailable"), (ValueError("Ann"), 500, "internal")],
)
def test_an_error_in_the_middle_is_an_event(
    make_bot: Any, serving: Any, visitor_of: Any, door: Any, error: Exception, status: int, code: str
) -> None:
    bot = make_bot()

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with serving(bot) as url:
        visitor = visitor_of(url)
        with saying(visitor, visitor.session(), "wait for me") as events:
            events.until("act")
            bot.store.save_session = fail  # the store breaks in the middle of a turn
            door.is_open.set()
            [(name, data)] = list(events)
        visitor.http.close()
    assert (name, data["status"], data["error"]["code"]) == ("error", status, code)
    assert "Ann" not in json.dumps(data)


def test_a_turn_goes_on_when_the_client_has_gone(make_bot: Any, serving: Any, visitor_of: Any, door: Any) -> None:
    bot: Bot = make_bot()
    with serving(bot) as url:
        visitor = visitor_of(url)
        session = visitor.session()
        with saying(visitor, session, "wait for me", request_id="one") as events:
            events.until("act")
        assert door.entered.acquire(timeout=20)
        again = threading.Thread(target=visitor.say, args=(session, "wait for me"), kwargs={"request_id": "one"})
        again.start()
        door.is_open.set()
        again.join(20)
        reply = visitor.say(session, "wait for me", request_id="one").json()
        visitor.http.close()
    assert reply["reply"] == "Here you are."
    assert not door.entered.acquire(blocking=False), "the tool ran once"
    assert [message.role for message in bot.history(session)] == ["customer", "bot"]


def test_a_quiet_stream_is_kept_open(visitor: Any, door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.05)
    session = visitor.session()
    with saying(visitor, session, "wait for me") as events:
        raw = events.raw()
        assert next(fields for fields in raw if "" in fields) == {"": "ping"}
        door.is_open.set()
        assert [one["event"] for one in raw if "event" in one][-1] == "reply"


def test_a_session_is_followed_whoever_says_something(
    make_bot: Any, serving: Any, visitor_of: Any, tmp_path: Path
) -> None:
    bot: Bot = make_bot()
    with serving(bot) as url, closing(open_store(f"sqlite:///{tmp_path / 'store.db'}")) as elsewhere:
        visitor = visitor_of(url)
        session = visitor.session()
        visitor.say(session, "wrap it")
        with following_it(visitor, session) as events:
            assert [(name, data.get("seq")) for name, data in (next(iter(events)) for _ in range(3))] == [
                ("mode", None),
                ("message", 1),
                ("message", 2),
            ]
            bot.set_mode(session, "human")
            assert events.until("mode")[-1] == ("mode", {"mode": "human", "agent": None, "last_seq": 2})
            elsewhere.append_message(session, Message("agent", "This is Kim."))  # as another process would
            [(_, message)] = events.until("message")
            assert (message["seq"], message["role"], message["text"]) == (3, "agent", "This is Kim.")
            assert visitor.say(session, "hello Kim").json()["reply"] == ""
            assert events.until("message")[-1][1]["text"] == "hello Kim"
            visitor.ask("DELETE", session)
            assert list(events)[-1] == ("end", {"reason": "forgotten"})
        visitor.http.close()


def test_a_stream_ends_where_the_store_does_not_answer(make_bot: Any, serving: Any, visitor_of: Any) -> None:
    bot = make_bot()

    def fail(_session_id: str) -> None:
        raise StoreError("Ann lives at 1 Main Street")

    with serving(bot) as url:
        visitor = visitor_of(url)
        session = visitor.session()
        with following_it(visitor, session) as events:
            events.until("mode")
            bot.store.session_entry = fail
            assert list(events) == [("end", {"reason": "unavailable"})]
        visitor.http.close()


def test_a_broken_stream_is_taken_up_where_it_was(visitor: Any) -> None:
    session = visitor.session()
    for _ in range(2):
        visitor.say(session, "when do you open?")
    for after, headers, first in ((0, {"Last-Event-ID": "3"}, 4), (2, {}, 3), (1, {"Last-Event-ID": "rubbish"}, 2)):
        with following_it(visitor, session, after, **headers) as events:
            assert events.until("message")[-1][1]["seq"] == first


def test_one_session_has_few_streams_and_gives_them_back(visitor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_S", 0.01)
    session, other = visitor.session(), visitor.session()
    path = f"/v1/sessions/{session}/events"
    request = visitor.http.build_request("GET", path, headers=visitor.key(session))
    opened = [visitor.http.send(request, stream=True) for _ in range(4)]
    assert visitor.ask("GET", session, "/events").status_code == 429
    with following_it(visitor, other) as events:
        assert events.response.status_code == 200
    for response in opened:
        response.close()
    for _ in range(200):  # the server notices a closed connection when it writes, or when it is told
        with following_it(visitor, session) as events:
            if events.response.status_code == 200:
                break
    else:
        raise AssertionError("the streams are still counted")
