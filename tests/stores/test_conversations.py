"""Sessions, messages and feedback keep their contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from shopbot.errors import ConflictError, NotFoundError
from shopbot.store import Erasure, Feedback, Message
from shopbot.stores.sql import SqlStore, open_store

HELLO, HI = Message("customer", "hello", request_id="r1"), Message("bot", "hi", {"acts": []}, "r1")


def seqs(store: SqlStore, session_id: str = "s") -> list[int]:
    return [message.seq for message in store.messages(session_id)]


def test_a_turn_is_saved_with_its_messages_or_not_at_all(store: SqlStore) -> None:
    store.save_session("s", {}, version=0)
    store.save_session("s", {"turns": 1}, version=1, messages=[HELLO, HI])
    with pytest.raises(ConflictError):
        store.save_session("s", {"turns": 2}, version=1, messages=[Message("customer", "lost")])
    said = store.messages("s")
    assert [(one.seq, one.role, one.text, one.payload, one.request_id) for one in said] == [
        (1, "customer", "hello", {}, "r1"),
        (2, "bot", "hi", {"acts": []}, "r1"),
    ]
    at = said[0].at
    assert at is not None and at.utcoffset() == timedelta(0)
    assert store.load_session("s") == ({"turns": 1}, 2)


def test_messages_are_found_by_number_and_by_request(store: SqlStore) -> None:
    store.save_session("s", {}, version=0, messages=[HELLO, HI])
    assert store.append_message("s", Message("agent", "this is Kim")) == 3
    assert [one.text for one in store.messages("s", after=2)] == ["this is Kim"]
    assert [one.text for one in store.messages("s", request_id="r1")] == ["hello", "hi"]
    assert list(store.messages("s", request_id="r2")) == list(store.messages("nobody")) == []
    with pytest.raises(NotFoundError):
        store.append_message("nobody", HELLO)


def test_what_a_database_cannot_hold_is_replaced(store: SqlStore) -> None:
    store.save_session("s", {}, version=0)
    store.append_message("s", Message("agent", "odd: \x00 \ud800", {"odd": "\x00"}))
    assert [(one.text, one.payload) for one in store.messages("s")] == [("odd: \ufffd \ufffd", {"odd": "\x00"})]


def test_messages_beside_a_turn_do_not_disturb_it(store: SqlStore) -> None:
    version = store.save_session("s", {}, version=0)
    store.append_message("s", Message("agent", "one moment"))
    store.save_session("s", {"turns": 1}, version=version, messages=[HELLO, HI])
    assert [one.text for one in store.messages("s")] == ["one moment", "hello", "hi"]


def test_numbers_have_no_gap_and_no_double_between_threads(store: SqlStore) -> None:
    store.save_session("s", {}, version=0)
    with ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda n: store.append_message("s", Message("agent", str(n))), range(30)))
    assert sorted(given) == seqs(store) == list(range(1, 31))


_APPENDING = """
import sys
from shopbot.store import Message
from shopbot.stores.sql import SqlStore

store = SqlStore(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
for number in range(15):
    store.append_message("s", Message("agent", str(number)))
store.close()
"""


def test_numbers_have_no_gap_and_no_double_between_processes(url: str) -> None:
    with closing(open_store(url)) as store:
        store.save_session("s", {}, version=0)
        command = [sys.executable, "-c", _APPENDING, url]
        children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
        for child in children:
            assert child.stdout is not None and child.stdout.readline() == b"open\n"
        for child in children:
            child.communicate(b"go\n", timeout=60)
        assert [child.returncode for child in children] == [0, 0]
        assert seqs(store) == list(range(1, 31))


def test_sessions_are_listed_last_active_first(store: SqlStore) -> None:
    for name in ("old", "new", "asked"):
        store.save_session(name, {"customer_id": "nils", "turns": 2, "mode": "bot"}, version=0)
    store.save_session("asked", {"mode": "waiting"}, version=1)
    store.append_message("old", HELLO)
    assert [entry.id for entry in store.session_entries()] == ["old", "asked", "new"]
    assert [entry.id for entry in store.session_entries(limit=1)] == ["old"]
    [waiting] = store.session_entries(mode="waiting")
    assert (waiting.id, waiting.customer_id, waiting.turns, waiting.last_seq) == ("asked", None, 0, 0)
    old = store.session_entry("old")
    assert old is not None
    assert (old.customer_id, old.mode, old.turns, old.last_seq) == ("nils", "bot", 2, 1)
    assert old.started_at < old.active_at
    assert store.session_entry("nobody") is store.session_entry("\x00") is None


def test_feedback_stays_with_an_answer(store: SqlStore) -> None:
    store.save_session("s", {}, version=0, messages=[HELLO, HI])
    store.give_feedback("s", 2, Feedback("up"))
    store.give_feedback("s", 2, Feedback("down", "odd \x00"))
    assert [one.feedback for one in store.messages("s")] == [None, Feedback("down", "odd \ufffd")]
    for session_id, seq in (("s", 1), ("s", 3), ("t", 2)):
        with pytest.raises(NotFoundError):
            store.give_feedback(session_id, seq, Feedback("up"))


def test_a_session_is_forgotten_with_what_was_said(store: SqlStore) -> None:
    for name in ("s", "other"):
        store.save_session(name, {}, version=0, messages=[HELLO, HI])
    ticket = store.open_ticket(session_id="s", customer_id=None, reason="asked", summary="")
    assert store.forget_session("s")
    assert not store.forget_session("s")
    assert not store.forget_session("\x00")
    assert store.load_session("s") is None
    assert (seqs(store), seqs(store, "other")) == ([], [1, 2])
    assert ticket in store.tickets()


def test_a_customer_is_forgotten_with_all_their_sessions(store: SqlStore) -> None:
    for name, customer in (("a", "nils"), ("b", "nils"), ("c", "uma"), ("d", None)):
        store.save_session(name, {"customer_id": customer}, version=0, messages=[HELLO])
    assert [store.forget_customer(name) for name in ("nils", "nils", "nobody", "\x00", "")] == [2, 0, 0, 0, 0]
    assert [len(seqs(store, name)) for name in "abcd"] == [0, 0, 1, 1]


def test_what_was_erased_is_told_to_every_box(store: SqlStore) -> None:
    store.save_session("s", {}, version=0)
    before = datetime.now(timezone.utc)
    store.forget_session("s")
    store.forget_customer("nils")
    assert store.erasures(since=before) == [Erasure("s", None), Erasure(None, "nils")]
    after = datetime.now(timezone.utc)
    assert store.erasures(since=after) == []
    assert store.purge_backoffice(before=after) == 2
    assert store.erasures(since=before) == []


def test_idle_sessions_are_purged_by_their_mode(store: SqlStore) -> None:
    for name, mode in (("a", "bot"), ("b", "bot"), ("c", "human")):
        store.save_session(name, {"mode": mode}, version=0, messages=[HELLO])
    between = datetime.now(timezone.utc)
    store.append_message("b", HI)
    assert store.purge_sessions(idle_since=between, mode="bot") == 1
    assert sorted(entry.id for entry in store.session_entries()) == ["b", "c"]
    assert seqs(store, "a") == []
    assert store.purge_sessions(idle_since=between, mode="human") == 1
