"""The box over HTTP: transcripts, checkpoints, reports, accounts, the webhook's events, health."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from shopbot.hookspecs import hookimpl
from shopbot.types import Report

from .conftest import KEYS, KIM, RAY, Operators


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
