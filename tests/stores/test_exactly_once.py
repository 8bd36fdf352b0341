"""A write happens once or not at all: for racing threads, after errors, after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shopbot.errors import ConflictError, StoreError
from shopbot.store import CANCELLED, Unit, Written
from shopbot.stores.sql import SqlStore, open_store

from .conftest import small_shop

CALL: dict[str, Any] = {"session_id": "s", "customer_id": "nils", "tool": "cancel", "arguments": {"items": ("a", "b")}}


def cancel(unit: Unit) -> dict[str, Any]:
    unit.save_order(replace(unit.order("#W2"), status=CANCELLED))
    return {"text": "done", "shown": ("order:#W2",)}


def take_one(unit: Unit) -> dict[str, Any]:
    """Takes 1.00 from the gift card."""
    nils = unit.customer("nils")
    card, gift = nils.payment_methods
    rest = (gift.balance or Decimal(0)) - 1
    unit.save_customer(replace(nils, payment_methods=(card, replace(gift, balance=rest))))
    return {"rest": str(rest)}


def test_a_second_execution_gives_the_first_ones_entry(store: SqlStore) -> None:
    first = store.execute("c", **CALL, action=cancel)
    assert not first.is_replay
    assert first.result == {"text": "done", "shown": ["order:#W2"]}
    second = store.execute("c", **CALL, action=lambda unit: pytest.fail("it ran twice"))
    assert second == replace(first, is_replay=True)
    assert store.written("c") == first
    assert store.written("other") is None


@pytest.mark.parametrize(
    "other",
    [{"session_id": "t"}, {"customer_id": "uma"}, {"tool": "return"}, {"arguments": {"items": ["a"]}}],
    ids=lambda other: next(iter(other)),
)
def test_an_id_that_stands_for_another_write_is_refused(store: SqlStore, other: dict[str, Any]) -> None:
    store.execute("c", **CALL, action=lambda unit: {})
    with pytest.raises(StoreError, match="another write"):
        store.execute("c", **{**CALL, **other}, action=cancel)
    assert store.contents() == small_shop()


def test_a_write_needs_the_session_where_it_was(store: SqlStore) -> None:
    version = store.save_session("s", {}, version=0)
    with pytest.raises(ConflictError):
        store.execute("c", **CALL, action=cancel, session_version=version - 1)
    assert store.written("c") is None and store.contents() == small_shop()
    assert not store.execute("c", **CALL, action=cancel, session_version=version).is_replay
    store.save_session("s", {}, version=version)
    assert store.execute("c", **CALL, action=cancel, session_version=version).is_replay, "it is done already"


def test_who_saves_the_session_waits_for_its_write(store: SqlStore) -> None:
    version = store.save_session("s", {}, version=0)
    seen: list[Written | None] = []

    def go_on() -> None:
        store.save_session("s", {}, version=version)
        seen.append(store.written("c"))

    other = threading.Thread(target=go_on)

    def action(unit: Unit) -> dict[str, Any]:
        other.start()
        return cancel(unit)

    store.execute("c", **CALL, action=action, session_version=version)
    other.join(20)
    assert seen[0] is not None, "the write that was under way is known to the next turn"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), StoreError("no")], ids=repr)
def test_an_exception_rolls_everything_back(store: SqlStore, error: BaseException) -> None:
    def fail(unit: Unit) -> dict[str, Any]:
        cancel(unit)
        raise error

    with pytest.raises(type(error)):
        store.execute("c", **CALL, action=fail)
    assert store.contents() == small_shop()
    assert store.written("c") is None
    assert not store.execute("c", **CALL, action=cancel).is_replay, "the id is free again"


def test_a_result_that_is_no_json_rolls_everything_back(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="JSON"):
        store.execute("c", **CALL, action=lambda unit: {**cancel(unit), "odd": object()})
    assert store.contents() == small_shop()
    assert store.written("c") is None


def test_racing_threads_run_it_once(store: SqlStore) -> None:
    start = threading.Barrier(8)
    runs: list[int] = []

    def action(unit: Unit) -> dict[str, Any]:
        runs.append(1)
        return take_one(unit)

    def race(_: int) -> Written:
        start.wait(30)
        return store.execute("c", **CALL, action=action)

    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(race, range(8)))
    assert len(runs) == 1
    assert [entry.is_replay for entry in entries].count(False) == 1
    assert {entry.result["rest"] for entry in entries} == {"49.00"}


def test_no_write_is_lost_between_threads(store: SqlStore) -> None:
    with ThreadPoolExecutor(6) as pool:
        entries = list(pool.map(lambda n: store.execute(f"c{n}", **CALL, action=take_one), range(30)))
    assert len({entry.result["rest"] for entry in entries}) == 30
    nils = store.customer("nils")
    assert nils is not None and nils.payment_methods[1].balance == Decimal("20.00")


def test_the_store_can_be_read_while_it_is_written(store: SqlStore) -> None:
    def action(unit: Unit) -> dict[str, Any]:
        cancel(unit)
        outside = store.order("#W2")
        assert outside is not None
        return {"status": outside.status}

    assert store.execute("c", **CALL, action=action).result == {"status": "pending"}


_KILLED = """
import sys
from dataclasses import replace
from shopbot.store import CANCELLED
from shopbot.stores.sql import SqlStore

def action(unit):
    unit.save_order(replace(unit.order("#W2"), status=CANCELLED))
    print("inside", flush=True)
    sys.stdin.read()

SqlStore(sys.argv[1]).execute(
    "c", session_id="s", customer_id="nils", tool="cancel", arguments={"items": ["a", "b"]}, action=action
)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_kill_in_the_middle_leaves_nothing(url: str) -> None:
    with closing(open_store(url)) as store:
        store.fill(small_shop())
        command = [sys.executable, "-c", _KILLED, url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"inside\n"
            child.send_signal(signal.SIGKILL)
            child.wait(30)
        assert store.written("c") is None
        assert store.contents() == small_shop()
        assert not store.execute("c", **CALL, action=cancel).is_replay
        changed = store.order("#W2")
        assert changed is not None and changed.status == CANCELLED
