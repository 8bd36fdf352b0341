"""The engines: one result whichever works, in bounded memory, also where a worker dies."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from shopbot_refine.engines import PLACE, Columns, Row, beside, open_engine
from shopbot_refine.engines.sorting import in_order
from shopbot_refine.engines.tables import BATCH, Table
from shopbot_refine.stages import StageError

COLUMNS: Columns = {"text": str}


@dataclass(frozen=True)
class Shout:
    """Every text, louder."""

    reads: ClassVar[Columns] = COLUMNS
    gives: ClassVar[Columns] = {"text": str, "size": int}

    def __call__(self, rows: Sequence[Row]) -> Iterator[Row]:
        return ({**row, "text": row["text"].upper(), "size": len(row["text"])} for row in rows)


@dataclass(frozen=True)
class Later:
    """All rows of a key but the first, with the first's place."""

    reads: ClassVar[Columns] = {}
    gives: ClassVar[Columns] = {"first": int}

    def __call__(self, rows: Iterator[Row]) -> Iterator[Row]:
        first = next(rows)
        return ({PLACE: row[PLACE], "first": first[PLACE]} for row in rows)


def rows(count: int) -> list[Row]:
    return [{PLACE: place, "text": f"text {place % 7} \u2028"} for place in range(count)]


def test_sorting_on_disk_is_sorting(tmp_path: Path) -> None:
    rng = random.Random(0)
    some: list[Row] = [{"key": str(rng.randrange(50)), "n": n} for n in range(2_000)]
    found = list(in_order(iter(some), lambda row: [row["key"]], tmp_path, run_chars=2_000))
    assert found == sorted(some, key=lambda row: str(row["key"])), "equal ones in the order they came in"
    assert list(tmp_path.iterdir()) == []


def test_sorting_given_up_leaves_no_file(tmp_path: Path) -> None:
    begun = in_order(rows(500), lambda row: [row[PLACE]], tmp_path, run_chars=1_000)
    next(begun)
    begun.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_a_table_gives_back_what_was_written(tmp_path: Path) -> None:
    table = Table(tmp_path / "table", COLUMNS)
    table.write(iter(rows(2 * BATCH + 1)))
    assert list(table.read()) == rows(2 * BATCH + 1)
    assert len(table) == 2 * BATCH + 1
    again = Table(tmp_path / "other", COLUMNS)
    again.write([])
    assert list(again.read()) == []


def test_a_row_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    table = Table(tmp_path / "table", COLUMNS)
    table.write(rows(5) + rows(1))
    with pytest.raises(StageError, match="row 0 behind row 4"):
        list(table.read())


def test_what_was_found_stands_beside_its_row() -> None:
    found = [{PLACE: 1, "why": "b"}, {PLACE: 3, "why": "d"}]
    assert [later and later["why"] for _, later in beside(rows(5), found)] == [None, "b", None, "d", None]


def test_the_local_engine_works_each_and_together_and_leaves_nothing(tmp_path: Path) -> None:
    with open_engine("local", tmp_path) as engine:
        shouted = engine.each(rows(BATCH + 3), Shout())
        assert [row["text"] for row in shouted.read("text")] == [row["text"].upper() for row in rows(BATCH + 3)]
        later = engine.together(shouted.read("text"), "text", Later())
        assert list(later.read()) == [{PLACE: place, "first": place % 7} for place in range(7, BATCH + 3)]
        nothing = engine.together([{PLACE: 0, "text": None}], "text", Later())
        assert list(nothing.read()) == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "table-1").touch()
    with open_engine("local", tmp_path) as engine:
        assert list(engine.folder.iterdir()) == []
