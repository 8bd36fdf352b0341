from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from shopbot_refine.ledger import Ledger, LedgerError
from shopbot_refine.ledger_rows import Cap, StoredAnswer, Want
from shopbot_refine.teachers import Request

GOOD = StoredAnswer("{}", "", "", 10, 5, 37)


def want(number: int, tokens: int = 20, micros: int = 100) -> Want:
    return Want(Request("judge", "s", f"u{number}", {}, 10), tokens, micros)


def cap(run: str = "r", micros: int = 1000, tokens: int = 1000) -> Cap:
    return Cap(run, micros, tokens)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "in" / "ledger.db") as ledger:
        yield ledger


def test_a_call_counts_at_its_reservation_until_it_is_settled(ledger: Ledger) -> None:
    answered, lost, free, open_call = ledger.reserve([want(n) for n in range(4)], "m", cap())
    assert answered and lost and free and open_call
    assert ledger.totals().held_micros == 400
    ledger.settle({answered: GOOD})
    ledger.fail({lost: ("timeout", True), free: ("HTTP 500", False)})
    totals = ledger.totals()
    assert (totals.answered, totals.sent, totals.failed) == (1, 1, 2)
    assert (totals.spent_micros, totals.held_micros) == (37, 200)
    assert [(row.state, row.micros, row.tokens) for row in ledger.rows()] == [
        ("answered", 37, 15),
        ("failed", 100, 20),
        ("failed", 0, 0),
        ("sent", 100, 20),
    ]
    # What is settled stays so.
    ledger.fail({answered: ("late", False)})
    ledger.settle({answered: StoredAnswer("other", "", "", 1, 1, 1), free: GOOD})
    assert ledger.totals() == totals
    assert ledger.find_answer(want(0).request, "m") == GOOD
    assert ledger.find_answer(want(0).request, "another model") is None


@pytest.mark.parametrize(("micros", "tokens", "fit"), [(300, 1000, 3), (1000, 59, 2), (1000, 60, 3), (0, 0, 0)])
def test_the_cap_is_exact_and_of_one_run(ledger: Ledger, micros: int, tokens: int, fit: int) -> None:
    ledger.reserve([want(9)], "m", cap("another"))
    ids = ledger.reserve([want(n) for n in range(5)], "m", cap("r", micros, tokens))
    assert [call is not None for call in ids] == [True] * fit + [False] * (5 - fit)
    assert len(ledger.rows("r")) == fit


def test_many_at_once_do_not_pass_the_cap(ledger: Ledger, tmp_path: Path) -> None:
    with Ledger(tmp_path / "in" / "ledger.db") as second, ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda n: (ledger, second)[n % 2].reserve([want(n)], "m", cap())[0], range(30))
        assert sum(call is not None for call in found) == 10
    assert ledger.totals().held_micros == 1000


def test_it_is_there_after_a_restart_and_for_its_owner_only(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "in" / "ledger.db"
    (call,) = ledger.reserve([want(1)], "m", cap())
    assert call is not None
    ledger.settle({call: GOOD})
    with Ledger(path) as again:
        assert again.rows() == ledger.rows() and again.find_answer(want(1).request, "m") == GOOD
    if os.name == "posix":
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_batches_are_open_until_they_are_closed(ledger: Ledger) -> None:
    assert ledger.reserve([want(1, micros=10**6)], "m", cap(), batch="big") == [None]
    ledger.reserve([want(1), want(2)], "m", cap(), batch="b")
    (batch,) = ledger.open_batches("m")
    assert (batch.name, batch.id) == ("b", "") and ledger.open_batches("other") == []
    ledger.name_batch("b", "batch_7")
    assert ledger.open_batches("m")[0].id == "batch_7" and len(ledger.open_calls("b")) == 2
    ledger.close_batch("b")
    assert ledger.open_batches("m") == []


def test_a_file_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    with sqlite3.connect(tmp_path / "newer") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    for name, match in (("text", "cannot be used"), ("newer", "version 99"), (".", "cannot be used")):
        with pytest.raises(LedgerError, match=match):
            Ledger(tmp_path / name)
