"""The records that travel from stage to stage, one JSON object a line.

A *turn* is what the logs hold; a *candidate* is an example on its way into the training set; what a stage leaves out is
*rejected*, with its reason. No stage changes a row in place: it writes its own file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from shopbot_refine.dataset import DatasetError

Origin = Literal["kept", "fixed", "written", "counterexample"]
_Record = TypeVar("_Record", "LoggedTurn", "Candidate")


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    """One customer message of the logs and what the bot made of it.

    ``id`` is unique and stable. ``session`` is shared by the turns of one conversation. ``state`` is the dialogue state
    that the message came in (``"-"``: nothing was open). ``acts`` are what the log says was meant, in act form; they
    may be wrong. ``at`` is ISO 8601 in UTC, ``outcome`` the transcript's word for how the turn ended, ``confidence``
    the least of its acts'; empty or None: the log does not say. ``rating`` is what the customer thought of the reply,
    ``up`` or ``down``, and ``comment`` what they said of it.
    """

    id: str
    session: str
    text: str
    acts: tuple[str, ...]
    state: str = "-"
    at: str = ""
    outcome: str = ""
    reply: str = ""
    confidence: float | None = None
    rating: str = ""
    comment: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any], where: str = "a turn") -> LoggedTurn:
        return _read(cls, row, where)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An example on its way into the training set: a logged turn that was kept or fixed, what the teacher wrote, or a
    counterexample.

    ``id`` is the turn's, or names the request and the place in its answer. ``request`` is the key of the teacher's
    request (empty: no teacher was asked), ``teacher`` who answered, ``why`` what it said.
    """

    id: str
    state: str
    text: str
    acts: tuple[str, ...]
    origin: Origin
    teacher: str = ""
    request: str = ""
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any], where: str = "a candidate") -> Candidate:
        return _read(cls, row, where)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that a stage left out. ``reason`` is one of the stage's own few words, ``detail`` is for a person, ``row``
    is the row as it came in."""

    id: str
    reason: str
    detail: str
    row: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "reason": self.reason, "detail": self.detail, "row": dict(self.row)}


def _read(kind: type[_Record], row: Mapping[str, Any], where: str) -> _Record:
    """A record from its JSON. Raises :class:`DatasetError` that names ``where`` and the field."""
    remedy = "Let the stage before write this file again."
    known = {field.name for field in fields(kind)}
    if not isinstance(row, Mapping) or not known >= row.keys():
        raise DatasetError(f"{where} is not an object with the keys {', '.join(sorted(known))}.", remedy=remedy)
    values = dict(row)
    acts = values.get("acts")
    if not isinstance(acts, list | tuple) or not all(isinstance(act, str) for act in acts):
        raise DatasetError(f"{where}: acts is no list of strings.", remedy=remedy)
    values["acts"] = tuple(acts)
    for name, value in values.items():
        if name not in ("acts", "confidence") and not isinstance(value, str):
            raise DatasetError(f"{where}: {name} is no string.", remedy=remedy)
    if not isinstance(values.get("confidence"), int | float | None):
        raise DatasetError(f"{where}: confidence is no number.", remedy=remedy)
    try:
        return kind(**values)
    except TypeError as error:
        raise DatasetError(f"{where}: {error}.", remedy=remedy) from error


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file, one by one; blank lines are skipped.

    Raises :class:`DatasetError`, naming file and line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _object(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read {path} ({error}).", remedy="Check the path; the file is UTF-8.") from error


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} is not JSON ({error}).", remedy="Give one object a line.") from error
    if not isinstance(row, dict):
        raise DatasetError(f"{where} is no JSON object.", remedy="Give one object a line.")
    return row
