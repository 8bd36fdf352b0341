"""How one checkpoint did in one case, the files that such scores are kept in, and the pairs that two checkpoints make.

A score file holds the scores of one checkpoint on one set, a line each, written as they come: a judge that is
interrupted goes on where it was, and a parent that was judged before is not judged again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import pydantic

from shopbot import ShopbotError

#: The set of the plugins' golden cases; every other set is an eval set.
GOLDEN = "golden"


class ComparisonError(ShopbotError):
    """Two checkpoints cannot be compared: other cases, or none."""


@dataclass(frozen=True, slots=True)
class Score:
    """How a checkpoint did in one case of ``set``.

    ``passed``: a golden case went as it says; a row's acts are right, names and arguments. ``named``: the names are
    (golden: as ``passed``). ``expected``: the acts' names in order (golden: the tools that must run), ``found``: what
    was understood (golden: empty). ``confidence`` in [0, 1] is the least of the acts'. ``said`` and ``why`` are for a
    person.
    """

    set: str
    id: str
    passed: bool
    named: bool
    expected: tuple[str, ...]
    found: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    confidence: Annotated[float, pydantic.Field(ge=0, le=1)] | None = None
    said: str = ""
    why: str = ""

    @property
    def tools(self) -> tuple[str, ...]:
        """What the case counts for, in a table by tool: each act's name once."""
        return tuple(sorted(set(self.expected)))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Pair:
    """The same case, judged for both."""

    parent: Score
    candidate: Score

    @property
    def id(self) -> str:
        return f"{self.candidate.set}/{self.candidate.id}"

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "parent": self.parent.as_json(), "candidate": self.candidate.as_json()}


def pair_scores(parent: Sequence[Score], candidate: Sequence[Score]) -> list[Pair]:
    """The pairs in the candidate's order. Raises :class:`ComparisonError` unless both were judged on the same cases."""
    remedy = "Judge both checkpoints again, on the same cases."
    before = {(score.set, score.id): score for score in parent}
    after = {(score.set, score.id): score for score in candidate}
    if not before:
        raise ComparisonError("There are no cases to compare on.", remedy="Give golden cases and an eval set.")
    if len(before) != len(parent) or len(after) != len(candidate):
        raise ComparisonError("A case was judged twice.", remedy=remedy)
    if before.keys() != after.keys():
        apart = len(before.keys() ^ after.keys())
        raise ComparisonError(f"Parent and candidate were judged on other cases: {apart} differ.", remedy=remedy)
    for key, score in before.items():
        if (score.expected, score.tags) != (after[key].expected, after[key].tags):
            raise ComparisonError(f"The case {'/'.join(key)} changed between the two.", remedy=remedy)
    return [Pair(before[key], after[key]) for key in after]


_SCORE = pydantic.TypeAdapter(Score)
_PAIR = pydantic.TypeAdapter(Pair)


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of ``evaluate.jsonl``. Raises :class:`ComparisonError`."""
    number = 0
    try:
        with path.open("rb") as file:
            pairs = [_PAIR.validate_json(line, strict=True) for number, line in enumerate(file, 1)]
    except (OSError, pydantic.ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else f"line {number} is no pair of scores"
        raise ComparisonError(f"{path}: {why}.", remedy="Evaluate again.") from error
    return pairs


def read_scores(path: Path, wanted: Iterable[str]) -> dict[str, Score]:
    """Id → score, of the ``wanted`` ids that the file holds. A line that is no score counts as not judged yet."""
    ids, found = set(wanted), dict[str, Score]()
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            with suppress(pydantic.ValidationError):
                score = _SCORE.validate_json(line, strict=True)
                if score.id in ids:
                    found.setdefault(score.id, score)
    return found


@contextmanager
def score_log(path: Path, known: Iterable[Score]) -> Iterator[ScoreLog]:
    """A log to append to, which begins with the ``known`` scores: a torn last line is gone. Raises :class:`OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        for score in known:
            file.write(_line(score))
    part.replace(path)
    with path.open("a", encoding="utf-8") as file:
        yield ScoreLog(file)


class ScoreLog:
    """Appends scores to an open file, each at once."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, score: Score) -> None:
        self._file.write(_line(score))
        self._file.flush()


def _line(score: Score) -> str:
    return json.dumps(score.as_json(), ensure_ascii=False, sort_keys=True) + "\n"
