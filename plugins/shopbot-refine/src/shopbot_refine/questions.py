"""Which questions a log comes to: one for each different turn, the most urgent first, and which turns ask it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from shopbot_refine.corroboration import Corroboration
from shopbot_refine.engines import PLACE, Columns, Engine, Row, Table, beside
from shopbot_refine.engines.sorting import in_order
from shopbot_refine.new_phrases import NewPhrases
from shopbot_refine.prompts import judge_request
from shopbot_refine.records import LoggedTurn
from shopbot_refine.steering import Steering
from shopbot_refine.suspicion import LabelModel
from shopbot_refine.verdicts import Doubt, Phrase

#: What speaks against each of some turns. It can be pickled.
Doubter = Callable[[Sequence[LoggedTurn]], Doubt]


@dataclass(frozen=True, slots=True)
class Models:
    """What the label model, the seed set and new phrases say against turns: a :data:`Doubter`."""

    labels: LabelModel
    writes: Corroboration
    phrases: NewPhrases

    def __call__(self, turns: Sequence[LoggedTurn]) -> Doubt:
        suspicion = {name: found.wrong for name, found in self.labels.judge(turns).items()}
        return Doubt(suspicion, self.writes.unsupported(turns), self.phrases.find(turns))


@dataclass(frozen=True, slots=True)
class Asking:
    """A turn, what speaks against it, and whether it is the first that asks its question."""

    turn: LoggedTurn
    doubt: Doubt
    is_first: bool


class Questions:
    """The questions about ``turns``. ``doubter`` and ``steering`` say how urgent they are."""

    def __init__(self, turns: Iterable[LoggedTurn], doubter: Doubter, steering: Steering, engine: Engine) -> None:
        came = ({PLACE: place, "turn": json.dumps(turn.as_json())} for place, turn in enumerate(turns))
        self._folder = engine.folder
        self._turns: Table = engine.each(came, Weigh(doubter, steering))
        self._first: Table = engine.together(self._turns.read("key", *FindFirst.reads), "key", FindFirst())

    def by_urgency(self) -> Iterator[LoggedTurn]:
        """A turn for each question; those that customers were not content with first, then by urgency."""
        rows = in_order(self._first.read(), lambda row: [row["content"], row["calm"], row["id"]], self._folder)
        return (LoggedTurn.from_json(json.loads(row["turn"])) for row in rows)

    def by_turn(self) -> Iterator[Asking]:
        """All turns, in their order."""
        for row, first in beside(self._turns.read(), self._first.read("id")):
            turn = LoggedTurn.from_json(json.loads(row["turn"]))
            unsupported = frozenset([turn.id] if row["unsupported"] else ())
            found = frozenset(Phrase(*one) for one in json.loads(row["phrases"]))
            phrases = {turn.id: found} if found else {}
            yield Asking(turn, Doubt({turn.id: row["suspicion"]}, unsupported, phrases), first is not None)


@dataclass(frozen=True, slots=True)
class Weigh:
    """What speaks against turns, and when they are asked about: those with little ``content``, then ``calm``, first."""

    doubter: Doubter
    steering: Steering
    reads: ClassVar[Columns] = {"turn": str}
    gives: ClassVar[Columns] = {
        "turn": str, "id": str, "key": str, "suspicion": float, "unsupported": int, "phrases": str, "content": int,
        "calm": float,
    }  # fmt: skip

    def __call__(self, rows: Sequence[Row]) -> Iterator[Row]:
        turns = [LoggedTurn.from_json(json.loads(row["turn"])) for row in rows]
        doubt = self.doubter(turns)
        for row, turn in zip(rows, turns, strict=True):
            suspicion = doubt.suspicion.get(turn.id, 0.0)
            yield {
                **row,
                "id": turn.id,
                "key": judge_request(turn, "").key,
                "suspicion": suspicion,
                "unsupported": int(turn.id in doubt.unsupported),
                "phrases": json.dumps(sorted(doubt.phrases.get(turn.id, ()))),
                "content": int(turn.rating != "down"),
                "calm": -self.steering.urgency(turn.id, doubt.total(turn)),
            }


@dataclass(frozen=True, slots=True)
class FindFirst:
    """Of turns with one question the most urgent, at the place of the first."""

    reads: ClassVar[Columns] = {"turn": str, "id": str, "content": int, "calm": float}
    gives: ClassVar[Columns] = reads

    def __call__(self, rows: Iterator[Row]) -> Iterator[Row]:
        first = urgent = next(rows)
        for row in rows:
            urgent = min(urgent, row, key=lambda one: (one["content"], one["calm"], one["id"]))
        yield {**urgent, PLACE: first[PLACE]}
