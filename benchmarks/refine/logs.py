"""The spoilt logs of the third-party data as a log that ``shopbot refine`` reads, and what is true of each row.

The logs were made from the rows that the routing benchmark holds out as well, so a log row is left out where its origin
is held out, or where its text is that of a held-out row or nearly so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot_refine.dataset import Example
from shopbot_refine.decontamination import Guarded

from benchmarks.shared_data import ACTS_OF_INTENT, part_of, read
from shopbot import fold


@dataclass(frozen=True, slots=True)
class Row:
    """A log row: the name of the act that it was logged with, and the names that are right (none: nobody should learn
    from it). ``call``: the whole act as logged, where it has arguments."""

    id: str
    text: str
    logged: str
    right: frozenset[str]
    corruption: str
    call: str = ""

    @property
    def is_right(self) -> bool:
        return self.logged in self.right

    @property
    def act(self) -> str:
        """The act as it was logged."""
        return self.call or f"{self.logged}()"


def held_out() -> list[dict[str, Any]]:
    """The rows that models are judged on."""
    return [row for row in read("intent_routing.jsonl") if part_of(row["id"]) == "held_out"]


def log_rows() -> list[Row]:
    """The log without what is held out."""
    guarded = Guarded(row["text"] for row in held_out())
    rows = []
    for row in read("refine_logs.jsonl"):
        if part_of(row["origin"]) == "held_out" or guarded.find(row["text"]) is not None:
            continue
        right = frozenset(name for intent in row["accept"] for name in ACTS_OF_INTENT.get(intent, ()))
        if row["true_intent"] == "attack":
            right = frozenset()
        logged = min(ACTS_OF_INTENT[row["logged_intent"]])
        rows.append(Row(row["log_id"], row["text"], logged, right, row["corruption"]))
    return rows


def write_log(rows: list[Row], path: Path) -> None:
    """As ``shopbot refine run --log`` takes it."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            turn = {"id": row.id, "session": row.id, "text": row.text, "acts": [row.act]}
            file.write(json.dumps(turn, ensure_ascii=False) + "\n")


def write_held_out(path: Path, also: Iterable[dict[str, Any]] = ()) -> None:
    """As an eval set that the check stage keeps away from training."""
    with path.open("w", encoding="utf-8") as file:
        for row in (*held_out(), *also):
            file.write(json.dumps({"text": row["text"]}, ensure_ascii=False) + "\n")


def raw_examples(rows: list[Row]) -> list[Example]:
    """What somebody trains on who takes the logs as they are."""
    return [Example("-", row.text, (row.act,)) for row in rows]


def true_examples(rows: list[Row]) -> list[Example]:
    """What somebody would train on who knew the truth: right labels, no duplicates, no attacks."""
    return list(_true(rows))


def _true(rows: list[Row]) -> Iterator[Example]:
    truth = {row["log_id"]: row["true_intent"] for row in read("refine_logs.jsonl")}
    seen: set[str] = set()
    for row in rows:
        key = fold(row.text)
        if row.right and key not in seen:
            seen.add(key)
            yield Example("-", row.text, (f"{min(ACTS_OF_INTENT[truth[row.id]])}()",))
