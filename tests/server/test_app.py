"""The HTTP API over a real socket: what it answers, and what it makes of bad input."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any

import httpx
import pytest

import shopbot
from shopbot.identity import sign_token

REPLY_KEYS = ["reply", "acts", "tool_calls", "cards", "awaiting", "handoff", "timings_ms", "tokens", "explain", "seq"]


def test_a_conversation(visitor: Any) -> None:
    session = visitor.session()
    answer = visitor.say(session, "when do you open?")
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    assert list(reply) == REPLY_KEYS
    assert reply["reply"].startswith("We are open from 9 to 18.")
    assert [call["tool"] for call in reply["tool_calls"]] == ["opening_hours"]
    assert reply["awaiting"] is None

    asked = visitor.say(session, "wrap it").json()
    assert asked["awaiting"]["kind"] == "slot"
    assert asked["awaiting"]["slot"] == "paper"
    assert asked["awaiting"]["choices"] == ["red", "blue"]
    # the page's buttons send the number of the choice
    assert visitor.say(session, "2").json()["reply"].startswith("Wrapped in blue paper."), "choices go by number"


def test_sessions_are_apart_and_their_ids_cannot_be_guessed(visitor: Any) -> None:
    first, second = visitor.session(), visitor.session()
    assert first != second
    assert len(first) >= 22, "an id has at least 128 random bits"
    visitor.say(first, "wrap it")
    assert visitor.say(second, "2").json()["tool_calls"] == []


def test_a_session_can_be_kept_out_of_learning(make_bot: Any, serving: Any, visitor_of: Any) -> None:
    bot = make_bot()
    with serving(bot) as url:
        visitor = visitor_of(url)
        kept, other = visitor.session(allows_refine=False), visitor.session()
        visitor.http.close()
    assert (bot.view(kept).allows_refine, bot.view(other).allows_refine) == (False, True)
    bot.session(other, allows_refine=False)
    bot.session(kept)
    assert (bot.view(kept).allows_refine, bot.view(other).allows_refine) == (False, False), "also later, and for good"


@pytest.mark.parametrize("by_header", [True, False])
def test_a_repeated_request_gets_the_first_reply_again(visitor: Any, by_header: bool) -> None:
    session = visitor.session()

    def ask() -> dict[str, Any]:
        if by_header:
            headers = {"Idempotency-Key": "one"}
            answer = visitor.ask("POST", session, "/messages", json={"text": "wrap it"}, headers=headers)
        else:
            answer = visitor.say(session, "wrap it", request_id="one")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert ask() == ask(), "timings included: nothing ran twice"


def test_two_different_request_ids_are_refused(visitor: Any) -> None:
    body, headers = {"text": "hi", "request_id": "a"}, {"Idempotency-Key": "b"}
    answer = visitor.ask("POST", visitor.session(), "/messages", json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_health(visitor: Any) -> None:
    health = visitor.http.get("/healthz").json()
    assert health == {"status": "ok", "checkpoint": None, "version": shopbot.__version__}


def test_customer_tokens(visitor: Any) -> None:
    forged = sign_token("nobody", "another secret")
    for token in (forged, sign_token("nobody", "s3cret"), "rubbish"):
        answer = visitor.http.post("/v1/sessions", json={"customer_token": token})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_token"), token


BAD_BODIES = [
    (b"", 422),
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b"[" * 30_000, 400),
    (b"null", 422),
    (b"[]", 422),
    (b'{"text": null}', 422),
    (b'{"text": 7}', 422),
    (b'{"text": ["a"]}', 422),
    (b'{"text": "a", "admin": true}', 422),
    (b'{"text": "a", "request_id": ""}', 422),
    (b'{"text": "a", "request_id": "\\ud800"}', 422),
    (b'{"text": "a", "request_id": "' + b"x" * 201 + b'"}', 422),
    (b'{"text": "' + b"x" * 70_000 + b'"}', 413),
]


def test_bad_bodies(visitor: Any) -> None:
    session, headers = visitor.session(), {"Content-Type": "application/json"}
    for body, status in BAD_BODIES:
        answer = visitor.ask("POST", session, "/messages", content=body, headers=headers)
        assert answer.status_code == status, (body[:40], answer.text)
        error = answer.json()["error"]
        assert set(error) == {"code", "message"}
        assert error["message"]
        assert "xxxx" not in error["message"], "what was sent is not repeated"


def test_any_text_gets_a_polite_answer(visitor: Any) -> None:
    session, headers = visitor.session(), {"Content-Type": "application/json"}
    for text in ("", " ", "\x00", "\ud83d a", "x" * 5000, "مرحبا", "\u202e olleh", "🙂" * 400):
        body = json.dumps({"text": text}).encode("ascii")  # unpaired surrogates as escapes
        answer = visitor.ask("POST", session, "/messages", content=body, headers=headers)
        assert answer.status_code == 200, (ascii(text[:20]), answer.text)
        assert answer.json()["reply"]


def test_unknown_sessions(visitor: Any) -> None:
    for session_id in ("nobody", "a" * 500, "%00", "..%2F..", "%ED%A0%80", "é", "' OR 1=1 --"):
        answer = visitor.say(session_id, "hi")
        assert answer.status_code in (404, 422), (session_id, answer.text)
        assert answer.json()["error"]["message"]


def test_unknown_paths_and_methods(visitor: Any) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/docs", 404), ("PUT", "/v1/sessions", 405)):
        answer = visitor.http.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["message"], path


def test_a_body_of_unknown_length_is_cut_off(visitor: Any) -> None:
    def parts() -> Any:
        for _ in range(200):
            yield b"x" * 1024

    answer = visitor.http.post("/v1/sessions", content=parts())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_messages_of_one_session_are_limited(visit: Any) -> None:
    visitor = visit(server={"messages_per_minute": 2})
    session, other = visitor.session(), visitor.session()
    assert [visitor.say(session, "when do you open?").status_code for _ in range(3)] == [200, 200, 429]
    refused = visitor.say(session, "when do you open?")
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert visitor.say(other, "when do you open?").status_code == 200, "other sessions are not slowed down"


def test_new_sessions_are_limited_too(visit: Any) -> None:
    visitor = visit(server={"messages_per_minute": 1})
    statuses = [visitor.http.post("/v1/sessions").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]


def test_too_many_turns_at_once_are_told_to_come_back(visit: Any, door: Any) -> None:
    visitor = visit(model={"slots": 1})
    answers: queue.Queue[httpx.Response] = queue.Queue()

    def wait(session: str) -> None:
        answers.put(visitor.say(session, "wait for me"))

    threads = [threading.Thread(target=wait, args=(visitor.session(),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    refused = answers.get(timeout=20)  # the door is shut, so whoever gets an answer was turned away
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
    assert int(refused.headers["Retry-After"]) >= 1
    assert visitor.http.get("/healthz").status_code == 200
    door.is_open.set()
    for thread in threads:
        thread.join(20)
    statuses = [answers.get(timeout=1).status_code for _ in range(19)]
    assert statuses.count(200) == 16, "those in the line are served"


def test_one_session_cannot_take_all_threads(visit: Any, door: Any) -> None:
    visitor = visit(model={"slots": 2})
    greedy, modest = visitor.session(), visitor.session()
    threads = [threading.Thread(target=visitor.say, args=(greedy, "wait for me")) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert door.entered.acquire(timeout=20)
    assert visitor.say(modest, "when do you open?").status_code == 200
    door.is_open.set()
    for thread in threads:
        thread.join(20)


def test_turns_in_flight_are_finished_when_the_server_stops(
    make_bot: Any, serving: Any, visitor_of: Any, door: Any
) -> None:
    answers: list[httpx.Response] = []
    with serving(make_bot()) as url:
        visitor = visitor_of(url)
        session = visitor.session()
        thread = threading.Thread(target=lambda: answers.append(visitor.say(session, "wait for me")))
        thread.start()
        assert door.entered.acquire(timeout=20)
        threading.Timer(0.2, door.is_open.set).start()
    thread.join(20)
    assert answers[0].json()["reply"].startswith("Here you are.")
