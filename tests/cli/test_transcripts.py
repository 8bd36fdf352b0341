"""``shopbot transcripts``: its output, its questions and its exit codes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shopbot.cli import main
from shopbot.session import SessionState
from shopbot.store import Feedback, Message
from shopbot.stores.sql import open_store
from shopbot.transcript import Recorder
from shopbot.types import Act, Reply, ToolCall


def shopbot(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["transcripts", *arguments], input=answer)


@pytest.fixture
def filled(shopbot_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sessions: one of three turns with a customer, one of a visitor."""
    monkeypatch.chdir(shopbot_home.parent)
    store = open_store(f"sqlite:///{shopbot_home.parent / 'store.db'}")
    recorder = Recorder(shopbot_home / "transcripts.db")
    call = ToolCall("order_status", {"order": "#W5520817"}, "read", "c1", {})
    reply = Reply("It is on its way.", (Act("order_status", {"order": "#W5520817"}, 0.9),), (call,))
    for turn in range(1, 4):
        recorder.record(SessionState("session-a", "dora_1", turns=turn), "where is #W5520817?", reply, store)
    recorder.record(SessionState("session-b", turns=1), "hello\x1b[2J", Reply("Hi."), store)
    recorder.close()
    store.close()
    return shopbot_home


def test_list_and_its_json(filled: Path) -> None:
    result = shopbot("list", "--json")
    newest, oldest = json.loads(result.stdout)
    assert (newest["turns"], oldest["turns"], oldest["outcome"]) == (1, 3, "answered")
    text = shopbot("list").stdout
    assert newest["session_id"] in text
    assert len(json.loads(shopbot("list", "--json", "--limit", "1").stdout)) == 1
    assert json.loads(shopbot("list", "--json", "--since", "1d").stdout)[0] == newest
    assert json.loads(shopbot("list", "--json", "--since", "2999-01-01").stdout) == []


def test_show(filled: Path) -> None:
    text = shopbot("show", "session-a").stdout
    assert "customer: where is <ORDER_1>?" in text
    assert 'understood: order_status(order="<ORDER_1>")  0.90' in text
    assert "bot: It is on its way." in text
    assert len(json.loads(shopbot("show", "session-a", "--json", "--limit", "2").stdout)) == 2
    assert "\x1b" not in shopbot("show", "session-b").stdout, "a message can steer the terminal"


def test_show_of_nothing_fails(filled: Path) -> None:
    result = shopbot("show", "session-x")
    assert result.exit_code == 1
    assert "no transcript of session 'session-x'" in result.stderr


def test_export_to_stdout_and_to_a_file(filled: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in shopbot("export").stdout.splitlines()]
    assert [line["turn"] for line in lines] == [1, 2, 3, 1]
    assert json.loads(shopbot("export", "--json").stdout) == lines
    assert json.loads(shopbot("export", "--json", "--since", "2999-01-01").stdout) == []
    target = tmp_path / "new" / "turns.jsonl"
    result = shopbot("export", "--output", str(target), "--limit", "2")
    assert (result.exit_code, result.stdout) == (0, "")
    assert [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()] == lines[:2]
    assert [file.name for file in target.parent.iterdir()] == ["turns.jsonl"], "something is left beside the file"


def test_purge_asks_first(filled: Path) -> None:
    refused = shopbot("purge", "--customer", "dora_1", answer="n\n")
    assert refused.exit_code == 130
    assert len(shopbot("export").stdout.splitlines()) == 4
    done = shopbot("purge", "--customer", "dora_1", "--yes", "--json")
    assert json.loads(done.stdout) == {"purged": 3, "sessions": 0}
    assert len(shopbot("export").stdout.splitlines()) == 1
    assert shopbot("purge", "--session", "session-b", answer="y\n").exit_code == 0
    assert shopbot("export").stdout == ""
    assert shopbot("purge", "--older-than", "0", "--yes").exit_code == 0


def test_an_erasure_reaches_what_the_store_keeps(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{filled.parent / 'store.db'}"
    monkeypatch.setenv("SHOPBOT_STORE__URL", url)
    with closing(open_store(url)) as store:
        for name, customer in (("session-a", "dora_1"), ("session-b", None), ("session-c", "dora_1"), ("d", "uma")):
            said = [Message("customer", "where is my order?")]
            store.save_session(name, {"customer_id": customer}, version=0, messages=said)
        assert json.loads(shopbot("purge", "--customer", "dora_1", "--yes", "--json").stdout)["sessions"] == 2
        assert shopbot("purge", "--session", "session-b", "--yes").stderr.startswith("1 turn erased, and 1 session in")
        assert shopbot("purge", "--older-than", "0", "--yes").exit_code == 0
        assert [entry.id for entry in store.session_entries()] == ["d"]
        assert [len(store.messages(name)) for name in ("session-a", "session-b", "d")] == [0, 0, 1]


def test_show_tells_what_the_customer_thought(filled: Path) -> None:
    recorder = Recorder(filled / "transcripts.db")
    with closing(open_store(f"sqlite:///{filled.parent / 'store.db'}")) as store:
        recorder.record_feedback(SessionState("session-b", turns=1), 1, Feedback("down", "not\x1b[2J helpful"), store)
    recorder.close()
    text = shopbot("show", "session-b").stdout
    assert "customer thought: down not" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "arguments", [["purge", "--yes"], ["purge", "--session", "a", "--customer", "b"], ["list", "--since", "soon"]]
)
def test_wrong_usage(filled: Path, arguments: list[str]) -> None:
    assert shopbot(*arguments).exit_code == 2


def test_nothing_yet(shopbot_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shopbot_home.parent)
    result = shopbot("list", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_doctor_says_that_turns_are_lost(filled: Path) -> None:
    path = filled / "transcripts.db"
    path.write_bytes(b"no database " * 100)
    for extra in ("-wal", "-shm"):
        path.with_name(path.name + extra).unlink(missing_ok=True)
    checks = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    [found] = [check for check in checks if check["name"] == "transcripts"]
    assert not found["is_ok"]
    assert "not a database" in found["detail"]
    assert found["remedy"]
