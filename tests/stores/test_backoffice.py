"""Notices and operators' actions keep their contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone

from shopbot.stores.sql import SqlStore, open_store

SOON, LATER = timedelta(minutes=1), timedelta(minutes=2)


def now() -> datetime:
    return datetime.now(timezone.utc)


def test_a_notice_is_taken_by_one_and_comes_back_if_it_is_not_settled(store: SqlStore) -> None:
    assert store.queue_notice("n1", {"odd": "\x00"}, due_at=now())
    assert not store.queue_notice("n1", {"again": True}, due_at=now())
    moment = now()
    taken = store.take_notice(now=moment, lease_until=moment + SOON)
    assert taken is not None
    assert (taken.id, taken.body, taken.attempts, taken.next_at) == ("n1", {"odd": "\x00"}, 1, moment + SOON)
    assert store.take_notice(now=moment, lease_until=moment + SOON) is None, "somebody has it"
    again = store.take_notice(now=moment + SOON, lease_until=moment + LATER)
    assert again is not None and again.attempts == 2, "its sender died"
    store.settle_notice("n1", "delivered")
    assert store.take_notice(now=moment + LATER, lease_until=moment + LATER) is None
    assert store.count_notices() == {"waiting": 0, "delivered": 1, "dead": 0}


def test_the_notice_that_is_due_longest_comes_first(store: SqlStore) -> None:
    for name in ("a", "b"):
        store.queue_notice(name, {}, due_at=now())
    moment = now()
    store.settle_notice("a", "waiting", next_at=moment + SOON, error="refused \x00")
    first, second = (store.take_notice(now=moment + LATER, lease_until=moment + LATER + SOON) for _ in range(2))
    assert first is not None and second is not None
    assert (first.id, second.id, second.error) == ("b", "a", "refused \ufffd")


def test_many_take_notices_and_nobody_gets_one_twice(url: str) -> None:
    with closing(open_store(url)) as store, closing(open_store(url)) as elsewhere, ThreadPoolExecutor(4) as pool:
        for number in range(24):
            store.queue_notice(f"n{number}", {}, due_at=now())
        moment = now()

        def take(number: int) -> str | None:
            taken = (store, elsewhere)[number % 2].take_notice(now=moment, lease_until=moment + SOON)
            return taken.id if taken else None

        taken = [name for name in pool.map(take, range(60)) if name]
    assert sorted(taken) == sorted(f"n{number}" for number in range(24))


def test_a_dead_notice_is_revived_and_no_other(store: SqlStore) -> None:
    store.queue_notice("n", {}, due_at=now())
    assert not store.revive_notice("n", due_at=now())
    assert not store.revive_notice("\x00", due_at=now())
    moment = now()
    store.take_notice(now=moment, lease_until=moment)
    store.settle_notice("n", "dead", error="gone")
    assert [(one.id, one.attempts) for one in store.notices(state="dead")] == [("n", 1)]
    assert store.revive_notice("n", due_at=now())
    taken = store.take_notice(now=now(), lease_until=now())
    assert taken is not None and taken.attempts == 1


def test_open_tickets_are_announced_once(store: SqlStore) -> None:
    before = now()
    for session in ("s", "t"):
        store.save_session(session, {}, version=0)
    first, second = (
        store.open_ticket(session_id=session, customer_id=None, reason="asked", summary="") for session in ("s", "t")
    )
    assert [one.id for one in store.unannounced_tickets(since=before)] == [first.id, second.id]
    assert list(store.unannounced_tickets(since=now())) == []
    store.queue_notice(first.id, {}, due_at=now())
    assert [one.id for one in store.unannounced_tickets(since=before)] == [second.id]
    store.save_session("t", {}, version=1, closed_ticket=second.id)
    assert list(store.unannounced_tickets(since=before)) == []
    assert [one.id for one in store.tickets()] == [first.id]
    assert [one.id for one in store.tickets(open_only=False, sessions=["t"])] == [second.id]
    assert list(store.tickets(sessions=[])) == []


def test_actions_are_kept_from_before_they_are_done(store: SqlStore) -> None:
    done, cut_short = (store.begin_action("kim", name, "s \x00") for name in ("claim", "close"))
    store.end_action(done, "done")
    found = store.actions()
    assert [(one.id, one.operator, one.name, one.subject, one.outcome) for one in found] == [
        (cut_short, "kim", "close", "s \ufffd", "begun"),
        (done, "kim", "claim", "s \ufffd", "done"),
    ]
    assert [one.id for one in store.actions(before=cut_short)] == [done]
    assert [one.id for one in store.actions(limit=1)] == [cut_short]


def test_what_is_old_is_erased_except_what_waits_still(store: SqlStore) -> None:
    for name in ("waits", "delivered"):
        store.queue_notice(name, {}, due_at=now())
    store.settle_notice("delivered", "delivered")
    store.begin_action("kim", "claim", "s")
    assert store.purge_backoffice(before=now() - SOON) == 0
    assert store.purge_backoffice(before=now() + SOON) == 2
    assert [one.id for one in store.notices()] == ["waits"]


def test_sessions_are_listed_page_by_page(store: SqlStore) -> None:
    for number in range(5):
        store.save_session(f"s{number}", {"mode": "human", "agent": "kim"} if number < 2 else {}, version=0)
    seen: list[str] = []
    page = store.session_entries(limit=2)
    while page:
        seen += [entry.id for entry in page]
        page = store.session_entries(before=(page[-1].active_at, page[-1].id), limit=2)
    assert seen == ["s4", "s3", "s2", "s1", "s0"]
    assert [entry.agent for entry in store.session_entries()] == [None, None, None, "kim", "kim"]
    assert store.count_sessions() == {"bot": 3, "waiting": 0, "human": 2}
