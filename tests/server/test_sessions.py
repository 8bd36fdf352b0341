"""A session over HTTP: its key, who the customer is, going on after a reload, and its end."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopbot.identity import sign_token
from shopbot.stores.demo import fill_demo
from shopbot.transcript import Recorder, Transcripts

SESSION_KEYS = [
    "session_id",
    "mode",
    "agent",
    "awaiting",
    "turns",
    "last_seq",
    "is_identified",
    "allows_refine",
    "allows_cloud",
    "started_at",
    "active_at",
]
ROUTES = [
    ("GET", "", None),
    ("DELETE", "", None),
    ("POST", "/messages", {"text": "wrap it"}),
    ("GET", "/messages", None),
    ("GET", "/events", None),
    ("POST", "/identify", {"customer_token": "x"}),
    ("POST", "/feedback", {"seq": 2, "rating": "up"}),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_nothing_of_a_session_opens_without_its_key(visitor: Any, method: str, path: str, body: Any) -> None:
    mine, other = visitor.session(), visitor.session()
    visitor.say(mine, "wrap it")
    url = f"/v1/sessions/{mine}{path}"
    missing = visitor.http.request(method, url, json=body)
    assert (missing.status_code, missing.json()["error"]["code"]) == (401, "unauthorized")
    assert missing.headers["www-authenticate"] == "Bearer"
    unknown = visitor.http.request(method, f"/v1/sessions/nobody{path}", json=body, headers=visitor.key(other))
    assert unknown.status_code == 404
    for key in (visitor.key(other), visitor.key("nobody"), {"Authorization": f"Bearer {mine}"}):
        wrong = visitor.http.request(method, url, json=body, headers=key)
        assert (wrong.status_code, wrong.content) == (404, unknown.content), "the same for a session that is not there"
    for key in ({"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        assert visitor.http.request(method, url, json=body, headers=key).status_code == 401, key
    assert visitor.ask("GET", mine).json()["turns"] == 1, "nothing was done"


def test_a_browser_keeps_the_key_out_of_reach_of_scripts(visitor: Any) -> None:
    address = str(visitor.http.base_url)
    with httpx.Client(base_url=address, trust_env=False) as browser:
        answer = browser.post("/v1/sessions")
        session = answer.json()["session_id"]
        cookie = answer.headers["set-cookie"]
        assert f"Path=/v1/sessions/{session};" in cookie
        assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        resumed = browser.get(f"/v1/sessions/{session}")
        assert resumed.status_code == 200
        assert resumed.headers["set-cookie"] == cookie, "and it is kept for as long again"
        second = browser.post("/v1/sessions").json()["session_id"]
        assert [browser.get(f"/v1/sessions/{one}").status_code for one in (session, second)] == [200, 200]
        assert browser.delete(f"/v1/sessions/{session}").status_code == 204
        assert len(browser.cookies) == 1, "the other session's is kept"


def test_the_cookie_is_for_https_alone_where_a_trusted_proxy_speaks_https(visit: Any) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    trusting = visit(server={"trusted_proxies": ["127.0.0.0/8"]})
    assert "; Secure" in trusting.http.post("/v1/sessions", headers=headers).headers["set-cookie"]


def test_a_proxy_that_is_not_trusted_is_not_believed(visitor: Any) -> None:
    cookie = visitor.http.post("/v1/sessions", headers={"X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert "Secure" not in cookie


def test_only_a_hash_of_the_key_is_kept(visitor: Any, tmp_path: Path) -> None:
    session = visitor.session()
    visitor.say(session, "wrap it")
    with closing(sqlite3.connect(tmp_path / "store.db")) as db:
        rows = [
            repr(row)
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in db.execute(f"SELECT * FROM {name}")
        ]
    assert any(session in row for row in rows)
    assert not any(visitor.tokens[session] in row for row in rows)


def test_a_session_tells_where_it_stands(visitor: Any) -> None:
    session = visitor.session(allows_refine=False)
    fresh = visitor.ask("GET", session).json()
    assert list(fresh) == SESSION_KEYS
    assert (fresh["mode"], fresh["awaiting"], fresh["turns"], fresh["last_seq"]) == ("bot", None, 0, 0)
    assert (fresh["is_identified"], fresh["allows_refine"]) == (False, False)
    visitor.say(session, "wrap it")
    after = visitor.ask("GET", session).json()
    assert (after["turns"], after["last_seq"]) == (1, 2)
    assert after["awaiting"] == {"kind": "slot", "tool": "wrap_gift", "slot": "paper", "choices": ["red", "blue"]}
    assert fresh["started_at"] == after["started_at"] < after["active_at"]


def test_what_was_said_is_told_again(visitor: Any) -> None:
    session = visitor.session()
    reply = visitor.say(session, "when do you open?").json()
    visitor.say(session, "wrap it")
    said = visitor.ask("GET", session, "/messages").json()["messages"]
    assert [(one["seq"], one["role"]) for one in said] == [(1, "customer"), (2, "bot"), (3, "customer"), (4, "bot")]
    assert (said[0]["text"], said[0]["payload"], said[0]["feedback"]) == ("when do you open?", {"turn": 1}, None)
    assert (said[1]["seq"], said[1]["text"]) == (reply["seq"], reply["reply"])
    assert said[1]["payload"]["acts"] == reply["acts"]
    later = visitor.ask("GET", session, "/messages", params={"after": 3}).json()["messages"]
    assert later == said[3:]
    for after in ("-1", "x", str(2**40)):
        assert visitor.ask("GET", session, "/messages", params={"after": after}).status_code == 422, after


def test_a_customer_can_be_identified_later(make_bot: Any, serving: Any, visitor_of: Any) -> None:
    bot = make_bot()
    fill_demo(bot.store)
    ada, chen = (bot.store.customer_by_email(f"{name}@example.com").id for name in ("ada", "chen.schmidt"))
    with serving(bot) as url:
        visitor = visitor_of(url)
        session = visitor.session()
        for bad in ("rubbish", sign_token(ada, "another secret"), sign_token("nobody", "s3cret")):
            answer = visitor.ask("POST", session, "/identify", json={"customer_token": bad})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_token"), bad
        assert visitor.ask("GET", session).json()["is_identified"] is False
        body = {"customer_token": sign_token(ada, "s3cret")}
        assert visitor.ask("POST", session, "/identify", json=body).json()["is_identified"] is True
        assert visitor.ask("POST", session, "/identify", json=body).status_code == 200, "again does no harm"
        stranger = visitor.ask("POST", session, "/identify", json={"customer_token": sign_token(chen, "s3cret")})
        assert (stranger.status_code, stranger.json()["error"]["code"]) == (400, "bad_token")
        visitor.http.close()
    assert bot.view(session).customer_id == ada


def test_an_ended_session_is_forgotten(make_bot: Any, serving: Any, visitor_of: Any, tmp_path: Path) -> None:
    path = tmp_path / "transcripts.db"
    bot = make_bot(recorder=Recorder(path))
    with serving(bot) as url:
        visitor = visitor_of(url)
        session, other = visitor.session(), visitor.session()
        for one in (session, other):
            visitor.say(one, "when do you open?")
        assert len(Transcripts(path).turns(session)) == 1
        ended = visitor.ask("DELETE", session)
        assert (ended.status_code, ended.content) == (204, b"")
        assert visitor.say(session, "when do you open?").status_code == 404
        assert visitor.ask("DELETE", session).status_code == 404
        assert visitor.ask("GET", other).json()["turns"] == 1
        visitor.http.close()
    assert bot.store.messages(session) == []
    assert Transcripts(path).turns(session) == []
    assert len(Transcripts(path).turns(other)) == 1


def test_feedback_stands_with_the_answer_and_in_the_transcript(
    make_bot: Any, serving: Any, visitor_of: Any, tmp_path: Path
) -> None:
    path = tmp_path / "transcripts.db"
    with serving(make_bot(recorder=Recorder(path))) as url:
        visitor = visitor_of(url)
        session = visitor.session()
        seq = visitor.say(session, "when do you open?").json()["seq"]
        for body, status, code in (
            ({"seq": seq, "rating": "up"}, 204, None),
            ({"seq": seq, "rating": "down", "text": "no! mail me: jo@example.org"}, 204, None),
            ({"seq": 1, "rating": "up"}, 404, "no_such_message"),
            ({"seq": 99, "rating": "up"}, 404, "no_such_message"),
            ({"seq": 0, "rating": "up"}, 422, "invalid"),
            ({"seq": 2**31, "rating": "up"}, 422, "invalid"),
            ({"seq": seq, "rating": "sideways"}, 422, "invalid"),
            ({"seq": seq, "rating": "up", "text": "x" * 1001}, 422, "invalid"),
        ):
            answer = visitor.ask("POST", session, "/feedback", json=body)
            assert answer.status_code == status, (body, answer.text)
            assert code is None or answer.json()["error"]["code"] == code
        said = visitor.ask("GET", session, "/messages").json()["messages"]
        visitor.http.close()
    assert [one["feedback"] for one in said] == [None, {"rating": "down", "text": "no! mail me: jo@example.org"}]
    [turn] = Transcripts(path).turns(session)
    assert turn["feedback"]["rating"] == "down"
    assert "no! mail me" in turn["feedback"]["text"]
    assert "jo@example.org" not in json.dumps(turn), "redacted on write"
