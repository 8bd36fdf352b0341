"""Collect: the turns that a refine run works on, from this box's transcripts since the watermark and from foreign logs.

A session of which any turn opted out is left out whole, and so is every message that the model never read. The same
transcripts and the same bounds give the same rows. The watermark is moved by the caller, once the run that used the
rows is done.
"""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shopbot import Transcripts
from shopbot_refine.acts import Act
from shopbot_refine.dataset import DatasetError
from shopbot_refine.injections import find_injection
from shopbot_refine.records import LoggedTurn, Rejected
from shopbot_refine.stages import StageError, write_json

VERSION = 3


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far transcripts have been used: the highest ids of turns and of what customers thought of them."""

    turn: int = 0
    feedback: int = 0

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Watermark:
        """Raises :class:`ValueError` or :class:`TypeError` for what is none."""
        found = cls(**row)
        if not all(type(number) is int and number >= 0 for number in (found.turn, found.feedback)):
            raise ValueError("no ids")
        return found

    def is_past(self, other: Watermark) -> bool:
        """Whether there is something between the two."""
        return self.turn > other.turn or self.feedback > other.feedback


#: Before anything was used.
START = Watermark()
_END = Watermark(sys.maxsize, sys.maxsize)


def collect_transcripts(
    transcripts: Transcripts, *, after: Watermark = START, until: Watermark = _END
) -> Iterator[LoggedTurn | Rejected]:
    """The turns above ``after``, up to ``until``, oldest first, and those of before that customers have rated since.

    Rejected for ``no_state`` is a turn of before the dialogue state was recorded, unless it opened its session, when
    nothing can have been open; for ``unreadable`` one whose acts are not in the recorder's form. Raises
    :class:`~shopbot.ShopbotError` where the file cannot be read.
    """
    refused = {turn["session_id"] for turn in transcripts.export() if not turn["allows_refine"]}
    for turn in transcripts.export():
        rated = _feedback_id(turn)
        if rated > until.feedback:  # it comes with the next run
            turn, rated = {**turn, "feedback": None}, 0
        is_new = turn["id"] > after.turn or rated > after.feedback
        if not (is_new and turn["id"] <= until.turn and turn["allows_refine"]):
            continue
        if turn["session_id"] not in refused and (row := _read_turn(turn)) is not None:
            yield row


def newest(transcripts: Transcripts) -> Watermark:
    """The highest ids there are now: ``until`` for a run, and its watermark when it is done."""
    mark = Watermark()
    for turn in transcripts.export():
        mark = Watermark(max(mark.turn, turn["id"]), max(mark.feedback, _feedback_id(turn)))
    return mark


def _feedback_id(turn: Mapping[str, Any]) -> int:
    return int((turn.get("feedback") or {}).get("id", 0))


def collect_file(path: Path) -> Iterator[LoggedTurn]:
    """The turns of a foreign log, JSON Lines.

    A row is a :class:`LoggedTurn`, or has ``text`` and ``acts`` and leaves out what it does not know: a row without an
    ``id`` is named by file and line, one without a ``session`` is a session of its own. Raises :class:`DatasetError`
    that names file and line.
    """
    marks = array("Q")
    for _, turn in _read_lines(path):
        marks.append(_mark(turn.id))
        yield turn
    _require_own_ids(path, marks)


def _read_lines(path: Path) -> Iterator[tuple[int, LoggedTurn]]:
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _read_line(line, path, number)
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}:{number + 1}: no UTF-8 here or shortly after ({error.reason}).", remedy="Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise DatasetError(f"Cannot read {path} ({error.strerror}).", remedy="Check the path.") from error


def _require_own_ids(path: Path, marks: array[int]) -> None:
    """Raises :class:`DatasetError` where two rows have one id. The ``marks`` of all ids fit into memory; where two are
    equal, the file is read again to see whether the ids are."""
    values, times = np.unique(np.frombuffer(marks, np.uint64), return_counts=True)
    suspects = set(values[times > 1].tolist())
    if not suspects:
        return
    seen: dict[str, int] = {}
    for number, turn in _read_lines(path):
        if _mark(turn.id) in suspects and seen.setdefault(turn.id, number) != number:
            raise DatasetError(
                f"{path}:{number} has the id of line {seen[turn.id]}.", remedy="Give each row its own id."
            )


def _mark(name: str) -> int:
    """64 bits of an id."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def read_watermark(path: Path) -> Watermark:
    """What a finished run has used at most; the start where none has. Raises :class:`StageError`."""
    try:
        return Watermark.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return START
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "Delete it to collect all transcripts again; what was paid for is not paid twice."
        raise StageError(f"The watermark {path} cannot be read ({type(error).__name__}).", remedy=remedy) from error


def write_watermark(path: Path, used: Watermark) -> None:
    """Keep what was used, whole or not at all; it never goes back. Raises :class:`StageError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = read_watermark(path)
        write_json(path, asdict(Watermark(max(used.turn, before.turn), max(used.feedback, before.feedback))))
    except OSError as error:
        raise StageError(
            f"The watermark {path} cannot be written ({error.strerror}).", remedy="Free some disk space, then resume."
        ) from error


def _read_turn(turn: Mapping[str, Any]) -> LoggedTurn | Rejected | None:
    """A row of the transcripts as a turn; None for a message that the model did not read."""
    name = f"{turn['session_id']}-{turn['turn']}"
    state, acts = turn.get("state"), turn.get("acts")
    if state == "" or (state is None and not acts):
        return None
    raw = {key: turn.get(key) for key in ("id", "session_id", "turn", "at", "message", "acts", "outcome")}
    if state is None and turn["turn"] != 1:
        return Rejected(name, "no_state", "The dialogue state was not recorded.", raw)
    try:
        return LoggedTurn(
            id=name,
            session=turn["session_id"],
            text=_string(turn["message"]),
            acts=tuple(_act(act) for act in acts or ()),
            state=_string(state or "-"),
            at=turn["at"],
            outcome=turn["outcome"],
            reply=_string(turn.get("reply", "")),
            confidence=_confidence(turn),
            **_feedback(turn.get("feedback") or {}),
        )
    except (KeyError, TypeError, ValueError):
        return Rejected(name, "unreadable", "The record is not in the form that shopbot writes.", raw)


def _confidence(turn: Mapping[str, Any]) -> float | None:
    """How sure the model on the box was, also where a cloud model's acts took the place of its own."""
    explain = turn.get("explain") or {}
    if explain.get("deferral") == "answered":
        return float(explain["confidence"])
    return min((float(act["confidence"]) for act in turn.get("acts") or ()), default=None)


def _feedback(given: Mapping[str, Any]) -> dict[str, str]:
    """The customer's rating, and their words where they say nothing to a model."""
    comment = _string(given.get("text", ""))
    return {"rating": _string(given.get("rating", "")), "comment": "" if find_injection(comment) else comment}


def _act(act: Mapping[str, Any]) -> str:
    name = _string(act["name"])
    if not name.isidentifier():
        raise ValueError("an act's name is a word")
    return str(Act(name, tuple((_string(slot), _string(value)) for slot, value in act["arguments"].items())))


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no string")
    return value


def _read_line(line: str, path: Path, number: int) -> LoggedTurn:
    where = f"{path}:{number}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        # the decoder's message may quote the line, which may hold anything
        raise DatasetError(f"{where} is not JSON.", remedy="Give one object a line.") from error
    if not isinstance(row, dict) or not {"text", "acts"} <= row.keys():
        remedy = 'Give one object a line: {"text": "…", "acts": ["…"]}.'
        raise DatasetError(f"{where} is no object with the keys text and acts.", remedy=remedy)
    row.setdefault("id", f"{path.stem}-{number}")
    row.setdefault("session", row["id"])
    return LoggedTurn.from_json(_printable(row), where)


def _printable(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with every half of a surrogate pair replaced, so that it can be written again."""
    raw = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")
    printable: dict[str, Any] = json.loads(raw)
    return printable
