"""The inbox over HTTP: keys, claiming, answering, giving back, following."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx

from shopbot.handoff import Desk

from .conftest import KEYS, KIM, RAY, Operators

ROUTES = [
    ("GET", "/me"),
    ("GET", "/health"),
    ("GET", "/sessions"),
    ("GET", "/sessions/s"),
    ("POST", "/sessions/s/claim"),
    ("POST", "/sessions/s/messages"),
    ("POST", "/sessions/s/release"),
    ("POST", "/sessions/s/close"),
    ("GET", "/sessions/s/messages/1/explanation"),
    ("GET", "/events"),
    ("GET", "/transcripts"),
    ("GET", "/transcripts/s"),
    ("GET", "/checkpoints"),
    ("POST", "/checkpoints/c/promote"),
    ("POST", "/checkpoints/rollback"),
    ("GET", "/reports"),
    ("GET", "/reports/p/r"),
    ("POST", "/reports/p/r"),
    ("GET", "/notices"),
    ("POST", "/notices/n/retry"),
    ("GET", "/actions"),
]


def test_nothing_opens_without_a_key(operators: Operators) -> None:
    session = operators.visitor.session()
    for method, path in ROUTES:
        for key in ("", "nonsense", KEYS["kim"], operators.visitor.tokens[session]):
            answer = operators.ask(method, path, key)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized"), (method, path)
    assert list(operators.bot.store.actions()) == []


def test_every_route_is_behind_the_key(operators: Operators) -> None:
    described = operators.visitor.http.get("/openapi.json").json()["paths"]
    found = {
        (method.upper(), path.removeprefix("/v1/operator"))
        for path, methods in described.items()
        if path.startswith("/v1/operator")
        for method in methods
    }
    names = {"/s": "/{session_id}", "/1": "/{seq}", "/c": "/{name}", "/p/r": "/{plugin}/{name}", "/n/": "/{notice_id}/"}
    tried = set()
    for method, path in ROUTES:
        for short, name in names.items():
            path = f"{path}/".replace(f"{short.rstrip('/')}/", f"{name.rstrip('/')}/", 1).rstrip("/")
        tried.add((method, path))
    assert found <= tried, f"not tried without a key: {sorted(found - tried)}"


def test_every_route_is_documented(operators: Operators) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "operators.md").read_text(encoding="utf-8")
    table = page[page.index("| below `/v1/operator`") :].replace("{id}", "{}").replace("{name}", "{}")
    for path, methods in operators.visitor.http.get("/openapi.json").json()["paths"].items():
        if path.startswith("/v1/operator"):
            short = re.sub(r"\{(session_id|notice_id|name)\}", "{}", path.removeprefix("/v1/operator"))
            for method in methods:
                assert re.search(rf"`{method.upper()} {re.escape(short)}[?`]", table), (method, path)


def test_a_human_agent_answers_and_gives_the_session_back(operators: Operators) -> None:
    session = operators.waiting()
    [listed] = operators.get("/sessions", params={"mode": "waiting"})["sessions"]
    assert (listed["session_id"], listed["mode"], listed["agent"]) == (session, "waiting", None)
    assert listed["ticket"]["reason"] == "asked for a human agent"
    claimed = operators.ask("POST", f"/sessions/{session}/claim").json()
    assert (claimed["mode"], claimed["agent"]) == ("human", "kim")
    assert operators.visitor.say(session, "hello").json()["reply"] == ""
    body = {"text": "  I am <b>Kim</b>  ", "request_id": "a1"}
    said = [operators.ask("POST", f"/sessions/{session}/messages", json=body).json() for _ in range(2)]
    assert said == [{"seq": 4}, {"seq": 4}], "sent again, said once"
    seen = operators.visitor.ask("GET", session, "/messages").json()["messages"][-1]
    assert (seen["role"], seen["text"], seen["payload"]) == ("agent", "I am <b>Kim</b>", {"name": "kim"})
    assert operators.visitor.ask("GET", session).json()["agent"] == "kim"
    shown = operators.get(f"/sessions/{session}", params={"after": 2})
    assert [one["text"] for one in shown["messages"]] == ["hello", "I am <b>Kim</b>"]
    released = operators.ask("POST", f"/sessions/{session}/release").json()
    assert (released["mode"], released["agent"], released["ticket"]) == ("bot", None, None)
    assert operators.visitor.say(session, "when do you open?").json()["reply"].startswith("We are open")


def test_of_two_operators_one_gets_the_session(operators: Operators) -> None:
    session = operators.waiting()
    assert operators.ask("POST", f"/sessions/{session}/claim").status_code == 200
    for method, path, body in (
        ("POST", "claim", None),
        ("POST", "messages", {"text": "hi"}),
        ("POST", "release", {"to": "waiting"}),
        ("POST", "close", None),
    ):
        answer = operators.ask(method, f"/sessions/{session}/{path}", RAY, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "taken"), path
        assert answer.json()["error"]["message"] == "kim has this conversation. Ask them to give it back."
    assert operators.ask("POST", f"/sessions/{session}/release", json={"to": "waiting"}).json()["mode"] == "waiting"
    assert operators.ask("POST", f"/sessions/{session}/claim", RAY).json()["agent"] == "ray"
    assert operators.ask("POST", f"/sessions/{session}/close", RAY).json()["mode"] == "bot"


def test_what_makes_no_sense_is_refused(operators: Operators) -> None:
    session = operators.waiting()
    operators.ask("POST", f"/sessions/{session}/claim")
    for path, body in (
        (f"/sessions/{session}/messages", {"text": " \n"}),
        (f"/sessions/{session}/messages", {"text": "x" * 4001}),
        (f"/sessions/{session}/messages", {"text": "x", "name": "the boss"}),
        (f"/sessions/{session}/release", {"to": "human"}),
        ("/checkpoints/rollback", {}),
    ):
        assert operators.ask("POST", path, json=body).status_code == 422, (path, body)
    for path in ("/sessions?mode=x", "/sessions?before=yesterday", "/sessions?limit=0", "/sessions?before=9e99~x"):
        assert operators.ask("GET", path).status_code == 422, path
    for method, path in (
        ("GET", "/sessions/nobody"),
        ("POST", "/sessions/nobody/claim"),
        ("POST", "/sessions/%00/claim"),
        ("GET", "/transcripts/nobody"),
        ("GET", f"/sessions/{session}/messages/1/explanation"),
        ("GET", f"/sessions/{session}/messages/77/explanation"),
        ("POST", "/notices/nothing/retry"),
        ("GET", "/reports/tiny/nothing"),
        ("POST", "/checkpoints/nothing/promote"),
    ):
        assert operators.ask(method, path).status_code == 404, path


def test_sessions_are_read_page_by_page(operators: Operators) -> None:
    made = [operators.visitor.session() for _ in range(5)]
    seen: list[str] = []
    before: str | None = None
    while True:
        page = operators.get("/sessions", params={"limit": 2, **({"before": before} if before else {})})
        seen += [one["session_id"] for one in page["sessions"]]
        before = page["next"]
        if before is None:
            break
    assert seen == made[::-1]


def test_who_the_customer_is_is_told_by_the_store(operators: Operators) -> None:
    from shopbot.stores.demo import fill_demo

    fill_demo(operators.bot.store)
    session = operators.waiting()
    assert operators.get(f"/sessions/{session}")["customer"] is None
    customer = operators.bot.store.customer_by_email("ada@example.com")
    operators.bot.identify(session, customer.id)
    assert operators.get(f"/sessions/{session}")["customer"] == {"id": customer.id, "name": "Ada Example"}


def test_an_answer_is_explained(operators: Operators) -> None:
    session = operators.visitor.session()
    for text in ("when do you open?", "wrap it", "I want a human"):
        operators.visitor.say(session, text)
    told = [operators.get(f"/sessions/{session}/messages/{seq}/explanation")["reasons"] for seq in (2, 4, 6)]
    assert told[0][:2] == ["Understood opening_hours(), 100% sure.", "Looked up opening_hours()."]
    assert "Waits for 'paper' of wrap_gift." in told[1]
    assert any(reason.startswith("Handed off: asked for a human agent (ticket T") for reason in told[2])
    assert all(any(reason.startswith("Took ") for reason in reasons) for reasons in told)


def test_the_inbox_is_followed(operators: Operators) -> None:
    first = operators.waiting()
    headers = {"Authorization": f"Bearer {KIM}"}
    with operators.visitor.http.stream("GET", "/v1/operator/events", headers=headers) as response:
        lines = response.iter_lines()

        def coming() -> tuple[str, Any]:
            for line in lines:
                if line.startswith("event: "):
                    return line.removeprefix("event: "), json.loads(next(lines).removeprefix("data: "))
            raise AssertionError("the stream ended")

        name, session = coming()
        assert (name, session["session_id"], session["mode"]) == ("session", first, "waiting")
        assert coming() == ("synced", {"sessions": 1})
        operators.ask("POST", f"/sessions/{first}/claim", RAY)
        name, session = coming()
        assert (name, session["mode"], session["agent"]) == ("session", "human", "ray")
        operators.visitor.say(first, "hello")
        assert coming()[1]["last_seq"] == 3
        operators.visitor.ask("DELETE", first)
        assert coming() == ("gone", {"session_id": first})


def test_a_service_that_starts_takes_sessions_from_agents_who_are_gone(
    make_bot: Any, serving: Any, visitor_of: Any
) -> None:
    bot = make_bot(handoff={"idle_minutes": 5})
    session = bot.session()
    hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    Desk(bot.store, now=lambda: hour_ago).claim(session.id, "kim")
    with serving(bot) as url:
        headers = {"Authorization": f"Bearer {session.token}"}
        with httpx.stream("GET", f"{url}/v1/sessions/{session.id}/events", headers=headers, trust_env=False) as events:
            modes = (line for line in events.iter_lines() if line.startswith('data: {"mode"'))
            assert any(json.loads(line.removeprefix("data: "))["mode"] == "bot" for line in modes)
