"""The operator's part of the API: keys, the inbox, answering, searching, checkpoints, reports, accounts, health."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopbot.checkpoint import Base, CheckpointStore, Manifest, write_manifest
from shopbot.hookspecs import hookimpl
from shopbot.keys import hash_key, new_key
from shopbot.manifest import Gate
from shopbot.transcript import Recorder
from shopbot.types import Report

KIM, RAY = new_key(), new_key()
KEYS = {"kim": hash_key(KIM), "ray": hash_key(RAY)}


class Operators:
    """A served bot, a visitor of it, and two operators."""

    def __init__(self, bot: Any, visitor: Any) -> None:
        self.bot, self.visitor = bot, visitor

    def ask(self, method: str, path: str, key: str = KIM, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.visitor.http.request(method, f"/v1/operator{path}", headers=headers, **options)  # type: ignore[no-any-return]

    def get(self, path: str, **options: Any) -> Any:
        answer = self.ask("GET", path, **options)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    def waiting(self) -> str:
        """A session that waits for a human agent."""
        session = self.visitor.session()
        self.visitor.say(session, "I want a human")
        return str(session)


@pytest.fixture
def operators(make_bot: Any, serving: Any, visitor_of: Any, tmp_path: Path, shopbot_home: Path) -> Iterator[Operators]:
    path = tmp_path / "transcripts.db"
    bot = make_bot(Recorder(path), server={"operator_keys": KEYS}, transcripts={"path": str(path)})
    with serving(bot) as url:
        visitor = visitor_of(url)
        yield Operators(bot, visitor)
        visitor.http.close()


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
    page = (Path(__file__).resolve().parents[2] / "docs" / "operators.md").read_text(encoding="utf-8")
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


def test_transcripts_are_searched_and_read_redacted(operators: Operators) -> None:
    session = operators.visitor.session()
    for text in ("When do you open, ann@example.org?", "100% _really_ 'so'", "wrap it"):
        operators.visitor.say(session, text)

    def found(**asked: Any) -> list[str]:
        return [turn["message"] for turn in operators.get("/transcripts", params=asked)["turns"]]

    everything = found()
    assert len(everything) == 3 and everything[1] == "100% _really_ 'so'"
    assert found(q="OPEN when") == ["When do you open, <EMAIL_1>?"]
    assert found(q="which paper") == ["wrap it"], "replies are searched, too"
    assert found(q="%") == found(q="_really_") == found(q="'so'") == [everything[1]]
    assert found(q="ann@example.org") == found(q="open wrap") == []
    assert found(outcome="asked") == ["wrap it"]
    page = operators.get("/transcripts", params={"limit": 2})
    assert [turn["message"] for turn in page["turns"]] == everything[:2]
    rest = operators.get("/transcripts", params={"limit": 2, "before": page["next"]})
    assert ([turn["message"] for turn in rest["turns"]], rest["next"]) == (everything[2:], None)
    turns = operators.get(f"/transcripts/{session}")["turns"]
    assert [turn["message"] for turn in turns] == everything[::-1]
    assert turns == operators.get(f"/transcripts/{turns[0]['session_id']}")["turns"]


@pytest.fixture
def add_checkpoint(shopbot_home: Path, tmp_path: Path) -> Callable[..., None]:
    def add(name: str, *, passed: bool, parent: str | None = None) -> None:
        folder = tmp_path / name
        folder.mkdir()
        manifest = Manifest(
            name=name,
            base=Base(source="x", sha256="0" * 64),
            prompt_format=1,
            parent=parent,
            created=datetime.now(timezone.utc),
            gate=Gate(passed=passed, report="3 of 4 right"),
        )
        write_manifest(folder, manifest)
        CheckpointStore(shopbot_home).add(folder)

    return add


def test_checkpoints_are_promoted_behind_the_gate_and_rolled_back_once(
    operators: Operators, add_checkpoint: Callable[..., None]
) -> None:
    shipped = operators.get("/checkpoints")["current"]
    add_checkpoint("good", passed=True, parent=shipped)
    add_checkpoint("bad", passed=False, parent=shipped)
    refused = operators.ask("POST", "/checkpoints/bad/promote")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "gate_not_met")
    assert operators.ask("POST", "/checkpoints/good/promote").json() == {"current": "good"}
    shown = operators.get("/checkpoints")
    assert (shown["current"], shown["serving"], shown["is_pinned"]) == ("good", None, False)
    rows = {row["name"]: (row["is_current"], row["gate_passed"], row["gate_report"]) for row in shown["checkpoints"]}
    assert rows["good"] == (True, True, "3 of 4 right") and rows["bad"] == (False, False, "3 of 4 right")
    back = [operators.ask("POST", "/checkpoints/rollback", json={"current": "good"}) for _ in range(2)]
    assert back[0].json() == {"current": shipped}
    assert back[1].status_code == 409, "a second click rolls nothing back"
    assert operators.get("/checkpoints")["current"] == shipped
    done = [(one["name"], one["subject"], one["outcome"]) for one in operators.get("/actions")["actions"]]
    assert done == [
        ("roll back", "good", "refused"),
        ("roll back", "good", "done"),
        ("promote", "good", "done"),
        ("promote", "bad", "refused"),
    ]


HOSTILE = "<script>fetch('/v1/operator/health')</script><style>b{color:red}</style><b>report</b>"


def test_a_report_is_shown_and_can_do_nothing(operators: Operators, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(HOSTILE, encoding="utf-8")
    moment = datetime.now(timezone.utc)

    class Plugin:
        @hookimpl
        def shopbot_reports(self) -> list[Report]:
            return [
                Report("2026-11-26-1", "Refine run", "done", moment, page),
                Report("2026-11-26-2", "Refine run", "'teach' is next", moment),
                Report("gone", "Refine run", "done", moment, tmp_path / "gone.html"),
            ]

    operators.bot.plugins.register(Plugin(), "tiny-reports")
    listed = operators.get("/reports")["reports"]
    assert [(one["plugin"], one["name"], one["state"], one["has_page"]) for one in listed] == [
        ("tiny-reports", "2026-11-26-1", "done", True),
        ("tiny-reports", "2026-11-26-2", "'teach' is next", False),
        ("tiny-reports", "gone", "done", True),
    ]
    path = "/reports/tiny-reports/2026-11-26-1"
    form = operators.visitor.http.post(f"/v1/operator{path}", data={"key": KIM})
    for answer in (operators.ask("GET", path), form):
        assert (answer.status_code, answer.text) == (200, HOSTILE)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none';") and "script" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    for other in ("2026-11-26-2", "gone", "..%2Freport.html", "x"):
        assert operators.ask("GET", f"/reports/tiny-reports/{other}").status_code == 404, other
    for key in ("", "nonsense", KEYS["kim"]):
        assert operators.visitor.http.post(f"/v1/operator{path}", data={"key": key}).status_code == 401
    foreign = {"Origin": "https://evil.example"}
    assert operators.visitor.http.post(f"/v1/operator{path}", data={"key": KIM}, headers=foreign).status_code == 400


def test_what_operators_do_is_accounted_for_by_name(operators: Operators) -> None:
    session = operators.waiting()
    operators.ask("POST", f"/sessions/{session}/claim")
    operators.ask("POST", f"/sessions/{session}/claim", RAY)
    operators.get(f"/sessions/{session}")
    operators.get(f"/sessions/{session}", params={"after": 1})
    operators.ask("POST", f"/sessions/{session}/messages", json={"text": "secret words"})
    page = operators.get("/actions", params={"limit": 3})
    rest = operators.get("/actions", params={"limit": 3, "before": page["next"]})
    actions = page["actions"] + rest["actions"]
    assert [(one["operator"], one["name"], one["outcome"]) for one in actions] == [
        ("kim", "answer", "done"),
        ("kim", "read", "done"),
        ("ray", "claim", "refused"),
        ("kim", "claim", "done"),
    ]
    assert {one["subject"] for one in actions} == {session}
    assert rest["next"] is None
    written = json.dumps(actions)
    assert "secret words" not in written and KIM not in written and KEYS["kim"] not in written


def test_dead_webhook_events_are_shown_and_sent_again(operators: Operators) -> None:
    store = operators.bot.store
    store.queue_notice("T1", {"type": "handoff.requested"}, due_at=datetime.now(timezone.utc))
    store.settle_notice("T1", "dead", error="HTTP 500")
    [dead] = operators.get("/notices", params={"state": "dead"})["notices"]
    assert (dead["id"], dead["error"], dead["body"]) == ("T1", "HTTP 500", {"type": "handoff.requested"})
    assert operators.get("/health")["warnings"] == ["The webhook did not take 1 event."]
    assert operators.ask("POST", "/notices/T1/retry").status_code == 204
    assert operators.get("/notices", params={"state": "waiting"})["notices"][0]["attempts"] == 0
    assert operators.ask("POST", "/notices/T1/retry").status_code == 404


def test_health_in_one_look(operators: Operators) -> None:
    operators.waiting()
    operators.visitor.say(operators.visitor.session(), "when do you open?")
    told = operators.get("/health")
    assert (told["status"], told["reasons"], told["warnings"]) == ("ready", [], [])
    assert told["sessions"] == {"bot": 1, "waiting": 1, "human": 0}
    assert told["turns"] == {"handed_off": 1, "answered": 1}
    assert told["mean_ms"]["turn"] >= 0 and told["tokens"]["written"] > 0
    assert (told["turns_running"], told["turns_queued"], told["failed_requests"]) == (0, 0, 0)
    assert operators.get("/me") == {"name": "kim"}
    operators.bot.plugins.failures["broken"] = "ImportError: /home/ann"
    assert operators.get("/health")["warnings"] == [
        "The plugin 'broken' is left out or fails; 'shopbot plugins check' says why."
    ]
