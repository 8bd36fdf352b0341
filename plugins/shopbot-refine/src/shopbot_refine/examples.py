"""The report's examples: a few rows of each kind, drawn from a run's files without holding the files in memory."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot_refine.scores import Pair
from shopbot_refine.stages import STAGES, read_report, rejected_path, rows_path

EXAMPLES = 10
_CANDIDATE_STAGES = ("check", "teach")  # the later first
#: Origin of rows → how the report calls them.
_ORIGINS = {
    "kept": "Kept by the teacher",
    "fixed": "Fixed by the teacher",
    "written": "Written by the teacher",
    "counterexample": "Counterexamples: the odd words of a logged write in another message",
}
_MAX_SHOWN = 400  # characters of a cell


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report: the first cell of a row names it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    is_numeric: bool = True


def count_origins(folder: Path) -> dict[str, int]:
    """How many rows of the newest training set there is were kept, fixed and so on; empty: there is none yet."""
    path = _candidates(folder)
    if path is None:
        return {}
    counts = Counter(row.get("origin") for row in _rows(path))
    return {origin: counts[origin] for origin in _ORIGINS}


def example_tables(folder: Path, pairs: Iterable[Pair]) -> tuple[Table, ...]:
    """Up to ten rows of each origin, of each stage's each reason, and of the cases that were lost and gained."""
    return (*_origin_tables(folder), *_rejected_tables(folder), *_case_tables(pairs))


def _origin_tables(folder: Path) -> Iterator[Table]:
    path = _candidates(folder)
    if path is None:
        return
    drawn = _draw(_rows(path), lambda row: row.get("origin"))
    before = _logged_acts(folder, {str(row.get("id")) for row in drawn.get("fixed", ())})
    for origin, caption in _ORIGINS.items():
        if rows := drawn.get(origin):
            cells = [(*_cells(row), before.get(str(row.get("id")), ""), _text(row.get("why"))) for row in rows]
            columns = ("message", "state", "acts", "acts in the log", "why")
            yield Table(caption, columns, tuple(cells), is_numeric=False)


def _rejected_tables(folder: Path) -> Iterator[Table]:
    for stage in STAGES:
        path = rejected_path(folder, stage)
        if read_report(folder, stage) is None or not path.is_file():
            continue
        for reason, rows in sorted(_draw(_rows(path), lambda row: row.get("reason")).items()):
            cells = [(*_cells(row.get("row")), _text(row.get("detail"))) for row in rows]
            caption = f"Left out by {stage}: {_text(reason)}"
            yield Table(caption, ("message", "state", "acts", "why"), tuple(cells), is_numeric=False)


def _case_tables(pairs: Iterable[Pair]) -> Iterator[Table]:
    cases = list(pairs)
    lost = [(pair.id, pair.candidate) for pair in cases if pair.parent.passed and not pair.candidate.passed]
    gained = [(pair.id, pair.parent) for pair in cases if pair.candidate.passed and not pair.parent.passed]
    for caption, why, scores in (
        ("Cases lost", "why it failed", lost),
        ("Cases gained", "why it failed before", gained),
    ):
        chosen = sorted(scores, key=lambda entry: _place(entry[0]))[:EXAMPLES]
        cells = [(name, _text(score.said), _text(score.why)) for name, score in chosen]
        if cells:
            yield Table(caption, ("case", "message", why), tuple(cells), is_numeric=False)


def _candidates(folder: Path) -> Path | None:
    stages = (stage for stage in _CANDIDATE_STAGES if read_report(folder, stage) is not None)
    return next((rows_path(folder, stage) for stage in stages if rows_path(folder, stage).is_file()), None)


def _draw(rows: Iterable[Mapping[str, Any]], kind: Any) -> dict[str, list[Mapping[str, Any]]]:
    """Kind → ten of its rows, those whose hashes are the least: by chance, and the same ones every time."""
    heaps: dict[str, list[tuple[int, int, Mapping[str, Any]]]] = {}
    for number, row in enumerate(rows):
        heap = heaps.setdefault(str(kind(row)), [])
        entry = (-_place(str(row.get("id"))), -number, row)
        if len(heap) < EXAMPLES:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    return {name: [row for _, _, row in sorted(heap, key=lambda e: (-e[0], -e[1]))] for name, heap in heaps.items()}


def _place(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _logged_acts(folder: Path, ids: Collection[str]) -> dict[str, str]:
    """Id → the acts that the log had."""
    path = rows_path(folder, "clean")
    if not ids or not path.is_file():
        return {}
    return {str(row.get("id")): _acts(row) for row in _rows(path) if row.get("id") in ids}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file, one at a time; what is none is passed over."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                yield row


def _cells(row: object) -> tuple[str, str, str]:
    """(message, state, acts) of a row that may be anything."""
    if not isinstance(row, Mapping):
        return "", "", ""
    return _text(row.get("text")), _text(row.get("state")), _acts(row)


def _acts(row: Mapping[str, Any]) -> str:
    acts = row.get("acts")
    return _text("; ".join(map(str, acts)) if isinstance(acts, list) else acts)


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    # a lone surrogate cannot be written, and a control character is not for people
    text = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text[: _MAX_SHOWN + 1])
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
