"""The exported folder: four files that say the same, whole or not there, the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest
from shopbot_refine.dataset import DatasetError, load_examples
from shopbot_refine.export import CARD, CHAT, EXAMPLES, PARQUET, export, read_chat, set_fingerprint
from shopbot_refine.records import Candidate
from shopbot_refine.stages import StageError

ROWS = [
    Candidate("t1", "-", "cancel <ORDER_1>", ('cancel_order(order="<ORDER_1>")',), "kept"),
    Candidate(
        "t2", "confirm cancel_order", 'yes "please"\nnow [-] 🙂', ("affirm()", "faq()"), "fixed", "big", "k", "two"
    ),
    Candidate("w.1", "ask identity", "<EMAIL_1>", ('inform(email="<EMAIL_1>")',), "written", "big|model", "k2"),
]


def write(folder: Path, rows: list[Candidate] | None = None) -> str:
    rejected = {"clean": {"duplicate": 4}, "check": {"not_copied": 1}}
    return export(ROWS if rows is None else rows, folder, rejected=rejected, languages=["en"]).fingerprint


def test_the_three_forms_hold_the_same_rows(tmp_path: Path) -> None:
    name = write(tmp_path / "set")
    examples = load_examples([tmp_path / "set" / EXAMPLES])
    assert read_chat(tmp_path / "set" / CHAT) == examples
    assert set_fingerprint(examples) == name
    table = pyarrow.parquet.read_table(tmp_path / "set" / PARQUET).to_pylist()
    assert [(row["state"], row["text"], tuple(row["acts"])) for row in table] == [
        (one.state, one.text, one.acts) for one in examples
    ]
    assert [(row["id"], row["origin"], row["teacher"], row["why"]) for row in table] == [
        (row.id, row.origin, row.teacher, row.why) for row in ROWS
    ]
    assert examples[1].text == ROWS[1].text
    assert "<ORDER_1>" not in examples[0].text + examples[0].acts[0]


def test_the_same_rows_give_the_same_bytes_and_any_order_the_same_name(tmp_path: Path) -> None:
    names = {write(tmp_path / "a"), write(tmp_path / "b"), write(tmp_path / "c", ROWS[::-1])}
    assert len(names) == 1
    for file in (EXAMPLES, CHAT, PARQUET, CARD):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert write(tmp_path / "d", ROWS[:2]) not in names


def test_a_row_with_a_value_in_its_acts_is_learnt_with_several(tmp_path: Path) -> None:
    exported = export(ROWS, tmp_path / "set", rejected={}, languages=["en"], values=3)
    examples = load_examples([tmp_path / "set" / EXAMPLES])
    assert exported.rows == len(examples) == 7
    assert len({one.text for one in examples if one.text.startswith("cancel ")}) == 3


def test_the_card_counts_and_names(tmp_path: Path) -> None:
    name = write(tmp_path / "set")
    card = (tmp_path / "set" / CARD).read_text(encoding="utf-8")
    for part in (name, "Rows: 3", "| kept | 1 |", "| cancel_order | 1 |", "| big\\|model | 1 |", "| not_copied | 1 |"):
        assert part in card


def test_an_export_takes_the_place_of_the_last_one_whole(tmp_path: Path) -> None:
    write(tmp_path / "set")
    (tmp_path / "set" / "stray").write_text("x")
    (tmp_path / ".set.part").mkdir()
    (tmp_path / ".set.part" / "half").write_text("x")
    write(tmp_path / "set", ROWS[:1])
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == sorted([EXAMPLES, CHAT, PARQUET, CARD])
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_nothing_to_export_and_nowhere_to_write_leave_no_trace(tmp_path: Path) -> None:
    write(tmp_path / "set")
    with pytest.raises(StageError, match="nothing to export"):
        write(tmp_path / "set", [])
    assert len(load_examples([tmp_path / "set" / EXAMPLES])) == 3
    (tmp_path / "file").write_text("x")
    with pytest.raises(StageError, match="Cannot write"):
        write(tmp_path / "file" / "set")


def test_a_chat_of_another_form_is_named(tmp_path: Path) -> None:
    (tmp_path / "chat.jsonl").write_text('{"state": "-", "messages": [1, 2]}\n')
    with pytest.raises(DatasetError, match="row 1"):
        read_chat(tmp_path / "chat.jsonl")
