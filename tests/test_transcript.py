"""Transcripts: redacted on write, append-only, purged for good, and never in the way of a turn."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from shopbot.errors import ShopbotError
from shopbot.session import SessionState
from shopbot.store import Customer, Feedback, Store
from shopbot.transcript import Recorder, Transcripts, outcome
from shopbot.transcript_file import SCHEMA_VERSION
from shopbot.types import Act, Awaiting, Handoff, Reply, ToolCall

ADA = "ada@example.com"
#: What must never reach the disk: of Ada, and of what the test says beside.
SECRETS = (b"ada", b"example.com", b"garden", b"boston", b"02139", b"okafor", b"4539578763621486", b"w9990001")


@pytest.fixture
def store(demo_store: Store) -> Store:
    return demo_store


@pytest.fixture
def ada(store: Store) -> Customer:
    customer = store.customer_by_email(ADA)
    assert customer is not None
    return customer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "transcripts.db"


def state(session_id: str = "session-a", *, turns: int = 1, customer: Customer | None = None) -> SessionState:
    return SessionState(session_id, customer.id if customer else None, turns=turns)


def reply() -> Reply:
    return Reply(
        "Hello Ada, #W9990001 goes to 12 Garden Street, Apt 3, Boston.",
        (Act("order_status", {"order": "w9990001"}, 0.987654),),
        (ToolCall("order_status", {"order": "#W9990001"}, "read", "c1", {"email": ADA, "total": 12}),),
        Awaiting("slot", "cancel_order", "order", ("#W9990001 (Desk Lamp)",)),
        timings_ms={"total": 12.3456},
    )


def test_a_turn_is_stored_whole_and_redacted(store: Store, ada: Customer, path: Path) -> None:
    recorder = Recorder(path)
    said = "I'm Ada Example, order w9990001, card 4539578763621486"
    recorder.record(state(customer=ada), said, reply(), store, checkpoint="first", read_in="ask order_status.order")
    recorder.close()
    [turn] = Transcripts(path).turns("session-a")
    assert turn["state"] == "ask order_status.order"
    assert turn["message"] == "I'm <NAME_1>, order <ORDER_1>, card <CARD_1>"
    assert turn["reply"] == "Hello <NAME_1>, <ORDER_1> goes to <ADDRESS_1>."
    assert turn["acts"] == [{"name": "order_status", "arguments": {"order": "<ORDER_1>"}, "confidence": 0.9877}]
    [call] = turn["tool_calls"]
    assert call["arguments"] == {"order": "<ORDER_1>"}
    assert call["result"] == {"email": "<EMAIL_1>", "total": 12}
    assert turn["awaiting"]["choices"] == ["<ORDER_1> (Desk Lamp)"]
    assert turn["timings_ms"] == {"total": 12.35}
    assert (turn["turn"], turn["checkpoint"], turn["outcome"], turn["allows_refine"]) == (1, "first", "asked", True)


def test_no_personal_byte_reaches_the_disk(store: Store, ada: Customer, path: Path) -> None:
    recorder = Recorder(path)
    spoken = f"I am Ada Example, 02139, {ada.payment_methods[0].id}, the gift is for Mrs. Okafor; 4539578763621486"
    recorder.record(state(customer=ada), spoken, reply(), store)
    on_disk = b"".join(file.read_bytes() for file in path.parent.glob("transcripts.db*")).lower()
    recorder.close()
    for secret in (*SECRETS, b"session-a", ada.id.encode(), ada.payment_methods[0].id.encode()):
        assert secret not in on_disk, f"{secret!r} is in the file"


def test_placeholders_hold_across_turns_and_processes(store: Store, path: Path) -> None:
    for turn, message in enumerate(("mine is x@y.example", "or z@y.example", "no, X@Y.example"), 1):
        recorder = Recorder(path)
        recorder.record(state(turns=turn), message, Reply("ok"), store)
        recorder.close()
    recorder = Recorder(path)
    recorder.record(state("session-b"), "z@y.example", Reply("ok"), store)
    recorder.close()
    said = [turn["message"] for turn in Transcripts(path).turns("session-a")]
    assert said == ["mine is <EMAIL_1>", "or <EMAIL_2>", "no, <EMAIL_1>"]
    assert Transcripts(path).turns("session-b")[0]["message"] == "<EMAIL_1>"


def test_who_cannot_be_identified_yet_is_redacted_by_what_they_say(store: Store, path: Path) -> None:
    recorder = Recorder(path)
    visitor = state()
    visitor.facts = {"postcode": "90210"}
    acts = (Act("inform", {"name": "wilhelmina okafor", "postcode": "90210"}),)
    recorder.record(
        visitor, "wilhelmina okafor 90210", Reply("Sorry?", acts, awaiting=Awaiting("identity", "x")), store
    )
    recorder.record(visitor, "Wilhelmina Okafor, 90211", Reply("Sorry?", awaiting=Awaiting("identity", "x")), store)
    recorder.close()
    first, second = Transcripts(path).turns("session-a")
    assert first["message"] == "<NAME_1> <POSTCODE_1>"
    assert first["acts"][0]["arguments"] == {"name": "<NAME_1>", "postcode": "<POSTCODE_1>"}
    assert second["message"] == "<NAME_1>, <POSTCODE_2>"


def test_turns_cannot_be_changed_or_deleted(store: Store, path: Path) -> None:
    recorder = Recorder(path)
    recorder.record(state(), "hi", Reply("hello"), store)
    recorder.close()
    with closing(sqlite3.connect(path)) as db:
        for statement in (
            "UPDATE turns SET record = '{}'",
            "DELETE FROM turns",
            "REPLACE INTO turns SELECT * FROM turns",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute("PRAGMA recursive_triggers = ON").connection.execute(statement)
    assert len(Transcripts(path).turns("session-a")) == 1


def test_sessions_are_listed_newest_first(store: Store, ada: Customer, path: Path) -> None:
    moment = [datetime(2026, 6, 15, 9, tzinfo=timezone.utc)]
    recorder = Recorder(path, now=lambda: moment[0])
    for name in ("session-a", "session-b", "session-a"):
        recorder.record(state(name, customer=ada), "hi", Reply("hello"), store)
        moment[0] += timedelta(hours=1)
    recorder.close()
    transcripts = Transcripts(path)
    [newest, oldest] = transcripts.sessions()
    assert (newest["turns"], newest["started_at"][:13], newest["last_at"][:13]) == (2, "2026-06-15T09", "2026-06-15T11")
    assert (oldest["turns"], oldest["is_identified"], oldest["outcome"]) == (1, True, "said")
    assert transcripts.sessions(limit=1) == [newest]
    assert transcripts.sessions(datetime(2026, 6, 15, 10, 30, tzinfo=timezone.utc)) == [newest]
    assert [turn["at"][:13] for turn in transcripts.export(datetime(2026, 6, 15, 10, tzinfo=timezone.utc))] == [
        "2026-06-15T10",
        "2026-06-15T11",
    ]


def test_purging_a_customer_erases_their_sessions_from_the_first_word(store: Store, ada: Customer, path: Path) -> None:
    recorder = Recorder(path)
    recorder.record(state("session-a"), "red kettle question", Reply("who?"), store)
    recorder.record(state("session-a", turns=2, customer=ada), ADA, Reply("hi"), store)
    recorder.record(state("session-b"), "somebody else", Reply("hi"), store)
    transcripts = Transcripts(path)
    assert transcripts.purge(customer=ada.id) == 2
    assert transcripts.purge(customer=ada.id) == 0
    assert [turn["message"] for turn in transcripts.export()] == ["somebody else"]
    recorder.close()
    on_disk = b"".join(file.read_bytes() for file in path.parent.glob("transcripts.db*"))
    assert b"red kettle" not in on_disk, "erased text is still in the file"


def test_feedback_on_a_turn_that_another_box_has(store: Store, path: Path) -> None:
    recorder = Recorder(path)
    recorder.record(state(turns=1), "hello", Reply("hi"), store)
    recorder.record_feedback(state(turns=2), 1, Feedback("up", ""), store)
    recorder.record_feedback(state(turns=2), 2, Feedback("down", "no turn would ever take it along"), store)
    recorder.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT turn, rating FROM feedback").fetchall() == [(1, "up")]


def test_purging_by_session_and_by_age(store: Store, path: Path) -> None:
    long_ago = datetime.now(timezone.utc) - timedelta(days=40)
    old = Recorder(path, now=lambda: long_ago)
    old.record(state("session-a"), "old", Reply("hi"), store)
    old.close()
    new = Recorder(path)
    new.record(state("session-b"), "new", Reply("hi"), store)
    new.record(state("session-c"), "newer", Reply("hi"), store)
    new.close()
    transcripts = Transcripts(path)
    assert transcripts.purge(older_than_days=30) == 1
    assert transcripts.purge(session="session-b") == 1
    [left] = transcripts.sessions()
    assert transcripts.purge(session=left["session_id"]) == 1, "the id that is listed is taken as well"
    assert list(transcripts.export()) == []
    with pytest.raises(ShopbotError, match="exactly one"):
        transcripts.purge()


def test_old_turns_go_at_opening_and_daily(store: Store, path: Path) -> None:
    moment = [datetime(2026, 1, 1, tzinfo=timezone.utc)]
    recorder = Recorder(path, retention_days=30, now=lambda: moment[0])
    recorder.record(state("session-a"), "a@x.example", Reply("hi"), store)
    moment[0] += timedelta(days=20)
    recorder.record(state("session-a"), "a@x.example", Reply("hi"), store)
    moment[0] += timedelta(days=15)
    recorder.record(state("session-a"), "b@x.example", Reply("hi"), store)
    recorder.close()
    said = [turn["message"] for turn in Transcripts(path).export()]
    assert said == ["<EMAIL_2>", "<EMAIL_3>"], "quiet sessions forget values, never reuse a number"


def test_a_locked_file_costs_the_record_not_the_turn(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Recorder(path).close()
    warm = Recorder(path)
    warm.record(state(), "before", Reply("hi"), store)
    warm.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        recorder = Recorder(path)
        recorder.record(state(turns=2), "secret words", Reply("hi"), store)
        recorder.close()
        db.execute("ROLLBACK")
    assert "secret" not in caplog.text
    problem = Transcripts(path).problem()
    assert problem is not None
    assert "locked" in problem
    again = Recorder(path)
    again.record(state(turns=3), "after", Reply("hi"), store)
    again.close()
    assert Transcripts(path).problem() is None
    assert [turn["message"] for turn in Transcripts(path).turns("session-a")] == ["before", "after"]


def test_a_full_disk_costs_the_record_not_the_turn(store: Store, path: Path) -> None:
    recorder = Recorder(path)
    recorder.record(state(), "before", Reply("hi"), store)
    recorder._open().execute("PRAGMA max_page_count = 1")  # what SQLite sees of a full disk
    for turn in range(2, 5):
        recorder.record(state(turns=turn), "words " * 3000, Reply("words " * 3000), store)
    recorder.close()
    problem = Transcripts(path).problem()
    assert problem is not None
    assert "full" in problem
    assert [turn["message"] for turn in Transcripts(path).turns("session-a")] == ["before"]


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b""])
def test_a_foreign_file_is_named(store: Store, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    recorder = Recorder(path)
    recorder.record(state(), "hi", Reply("hi"), store)
    recorder.close()
    if content:
        with pytest.raises(ShopbotError, match=r"transcripts\.db cannot be used"):
            list(Transcripts(path).export())
        assert path.read_bytes() == content
    else:
        assert len(list(Transcripts(path).export())) == 1, "an empty file is a new one"


def test_another_programs_database_is_left_alone(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
        db.commit()
    recorder = Recorder(path)
    recorder.record(state(), "hi", Reply("hi"), store)
    recorder.close()
    with closing(sqlite3.connect(path)) as db:
        assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["theirs"]


def test_a_newer_file_is_not_touched(store: Store, path: Path) -> None:
    recorder = Recorder(path)
    recorder.record(state(), "hi", Reply("hi"), store)
    recorder.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ShopbotError, match="newer shopbot"):
        Transcripts(path).sessions()


def test_there_is_nothing_before_the_first_turn(path: Path) -> None:
    transcripts = Transcripts(path)
    assert (transcripts.sessions(), list(transcripts.export()), transcripts.turns("x")) == ([], [], [])
    assert transcripts.purge(session="x") == 0
    assert transcripts.problem() is None
    assert not path.exists(), "reading made a file"


def test_many_threads_write_at_once(store: Store, path: Path) -> None:
    recorder = Recorder(path)

    def talk(number: int) -> None:
        for turn in range(10):
            recorder.record(state(f"session-{number}", turns=turn), f"m{turn}@x.example", Reply("hi"), store)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    turns = list(Transcripts(path).export())
    assert len(turns) == 40
    assert [turn["message"] for turn in Transcripts(path).turns("session-2")] == [f"<EMAIL_{n}>" for n in range(1, 11)]


def test_hostile_contents_are_stored_as_text(store: Store, path: Path) -> None:
    hostile = "'); DROP TABLE turns; -- \ud800 \x00 <ORDER_1> 👩‍💻 \u202e"
    recorder = Recorder(path)
    recorder.record(state("x'; --"), hostile, Reply(hostile, (Act("inform", {"name": hostile}),)), store)
    recorder.close()
    [turn] = Transcripts(path).turns("x'; --")
    assert "DROP TABLE" in turn["message"]
    json.dumps(turn)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Reply("x"), "said"),
        (Reply("x", tool_calls=(ToolCall("t", {}, "read", "c"),)), "answered"),
        (Reply("x", tool_calls=(ToolCall("t", {}, "write", "c"),)), "wrote"),
        (Reply("x", tool_calls=(ToolCall("t", {}, "write", "c", error="E"),)), "failed"),
        (Reply("x", awaiting=Awaiting("identity", "t")), "asked"),
        (Reply("x", handoff=Handoff("r", "T1", "s")), "handed_off"),
    ],
)
def test_outcomes(given: Reply, expected: str) -> None:
    assert outcome(given) == expected
