"""``check``: what the teacher said counts only if it holds: the acts are acts, their arguments stand in the message,
the engine can play them, the row contradicts no other, and it is no case of any golden or eval set.

Placeholders are filled for the checks exactly as they are for training (:mod:`shopbot_refine.fill`); the rows that come
out hold the placeholders still.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import ClassVar, Protocol

from shopbot import Tool, fold, open_tool, signatures
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.answers import is_hidden
from shopbot_refine.dataset import fingerprint
from shopbot_refine.decontamination import Guarded
from shopbot_refine.engines import PLACE, Columns, Engine, Row, beside
from shopbot_refine.fill import fill, fillings
from shopbot_refine.prompts import MAX_ACTS
from shopbot_refine.records import Candidate, Rejected

VERSION = 2
#: What the grammar takes for a number, and what it takes in no argument.
_NUMBER = re.compile(r"(?:[$€£]|[A-Z]{3} ?)?[0-9][0-9.,]*(?: ?[$€£a-zA-Z]{1,8})?")
_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is rejected."""

    reason: str
    detail: str


class Shop(Protocol):
    """What a check needs of the shop; it can be pickled."""

    @property
    def tools(self) -> Mapping[str, Tool]: ...

    def play(self, candidate: Candidate) -> str:
        """What is wrong with a candidate when it is played, or ""; see :meth:`shopbot_refine.sandbox.Sandbox.play`."""
        ...


def check(
    candidates: Iterable[Candidate], shop: Shop, guarded: Guarded, engine: Engine, *, seed: int = 0, values: int = 1
) -> Iterator[Candidate | Rejected]:
    """The candidates that hold, and those that do not, in their order.

    ``guarded``: the messages of every golden and eval set. ``seed``, ``values``: as in
    :func:`~shopbot_refine.fill.fillings`.
    """
    came = ({PLACE: place, "row": json.dumps(one.as_json())} for place, one in enumerate(candidates))
    examined = engine.each(came, Examine(shop, guarded, seed, values))
    disputed = engine.together(examined.read("same", *FindDisputed.reads), "same", FindDisputed())
    left = (
        row
        for row, found in beside(examined.read("row", "reason"), disputed.read())
        if row["reason"] is None and found is None
    )
    played = engine.each(left, Replay(shop, seed))
    failed = (row for row in played.read() if row["reason"] is not None)
    found = merge(disputed.read(), failed, key=itemgetter(PLACE))
    for row, later in beside(examined.read("row", "reason", "detail"), found):
        why, candidate = later or row, json.loads(row["row"])
        if why["reason"] is None:
            yield Candidate.from_json(candidate)
        else:
            yield Rejected(candidate["id"], why["reason"], why["detail"], candidate)


@dataclass(frozen=True, slots=True)
class Examine:
    """What is seen in a candidate by itself, before it is played, and what it is compared with others by."""

    shop: Shop
    guarded: Guarded
    seed: int
    values: int
    reads: ClassVar[Columns] = {"row": str}
    gives: ClassVar[Columns] = {"row": str, "reason": str, "detail": str, "same": str, "acts": str, "teacher": str}

    def __call__(self, rows: Sequence[Row]) -> Iterator[Row]:
        for row in rows:
            candidate = Candidate.from_json(json.loads(row["row"]))
            filled = list(fillings(candidate, self.seed, self.values))
            problem = examine(filled[0], self.shop.tools) or _overlap([candidate, *filled], self.guarded)
            if problem is not None:
                yield {**row, "reason": problem.reason, "detail": problem.detail}
                continue
            same = fingerprint([candidate.state, fold(candidate.text) or candidate.text])
            yield {**row, "same": same, "acts": json.dumps(candidate.acts), "teacher": candidate.teacher}


@dataclass(frozen=True, slots=True)
class FindDisputed:
    """Of candidates with one message in one state, those that go. What a teacher has seen stands above what was only
    logged; where that is of several minds, all go."""

    reads: ClassVar[Columns] = {"acts": str, "teacher": str}
    gives: ClassVar[Columns] = {"reason": str, "detail": str}

    def __call__(self, rows: Iterator[Row]) -> Iterator[Row]:
        numbers: dict[str, int] = {}
        taught: set[int] = set()
        places, said = array("q"), array("q")  # a message that comes a million times fits into memory so
        for row in rows:
            number = numbers.setdefault(row["acts"], len(numbers))
            if row["teacher"]:
                taught.add(number)
            places.append(row[PLACE])
            said.append(number)
        held = taught or set(numbers.values())
        agreed = next(iter(held)) if len(held) == 1 else None
        is_first = True
        for place, number in zip(places, said, strict=True):
            if number != agreed:
                yield {PLACE: place, "reason": "contradiction", "detail": "the same message has other acts elsewhere"}
            elif not is_first:
                yield {PLACE: place, "reason": "duplicate", "detail": "the same message with the same acts came before"}
            else:
                is_first = False


@dataclass(frozen=True, slots=True)
class Replay:
    """What is wrong with a candidate whose acts are played."""

    shop: Shop
    seed: int
    reads: ClassVar[Columns] = {"row": str}
    gives: ClassVar[Columns] = {"reason": str, "detail": str}

    def __call__(self, rows: Sequence[Row]) -> Iterator[Row]:
        for row in rows:
            wrong = self.shop.play(fill(Candidate.from_json(json.loads(row["row"])), self.seed))
            yield {PLACE: row[PLACE], **({"reason": "replay", "detail": wrong} if wrong else {})}


def examine(candidate: Candidate, tools: Mapping[str, Tool]) -> Problem | None:
    """What is wrong with one row by itself: its state, its acts, their arguments."""
    if not is_state(candidate.state, tools):
        return Problem("state", f"{candidate.state[:80]!r} is no state of these tools")
    if is_hidden(candidate.text) or not candidate.text.strip():
        return Problem("schema", "an empty message, or control characters in it")
    try:
        acts = [parse_act(text) for text in candidate.acts]
    except ValueError:
        return Problem("schema", "something that is no act")
    if not 1 <= len(acts) <= MAX_ACTS:
        return Problem("schema", f"{len(acts)} acts")
    known = signatures(tools.values(), tools.get(open_tool(candidate.state) or ""))
    for act, text in zip(acts, candidate.acts, strict=True):
        if act.name not in known:
            return Problem("unknown_act", act.name[:80])
        if str(act) != text or not _is_producible(act, known[act.name]):
            return Problem("grammar", f"{text[:200]} cannot be produced in '{candidate.state}'")
        choices = {key for key, values in known[act.name].items() if isinstance(values, tuple)}
        lost = [key for key, value in act.arguments if key not in choices and not is_copied(value, candidate.text)]
        if lost:
            return Problem("not_copied", f"{act.name}.{lost[0]}")
    return None


def is_state(state: str, tools: Mapping[str, Tool]) -> bool:
    """Whether the engine can be in this dialogue state with these tools."""
    if state in ("-", "ask identity"):
        return True
    asking, _, subject = state.partition(" ")
    name, _, slot = subject.partition(".")
    tool = tools.get(name)
    if tool is None or (slot and asking != "ask"):
        return False
    return asking in ("after", "confirm") or (asking == "ask" and tool.parameter(slot) is not None)


def is_copied(value: str, text: str) -> bool:
    """Whether the value stands in the text, letter by letter save for white space, and cuts no word in two."""
    wanted, said = " ".join(value.split()), " ".join(text.split())
    at = said.find(wanted) if wanted else -1
    while at >= 0:
        end = at + len(wanted)
        starts_word = at == 0 or not (said[at - 1].isalnum() and wanted[0].isalnum())
        ends_word = end == len(said) or not (said[end].isalnum() and wanted[-1].isalnum())
        if starts_word and ends_word:
            return True
        at = said.find(wanted, at + 1)
    return False


def _is_producible(act: Act, slots: Mapping[str, Sequence[str]]) -> bool:
    """Whether the grammar of these slots has the act: slots of its own, each once, with values that they take."""
    keys = [key for key, _ in act.arguments]
    if len(set(keys)) < len(keys):
        return False
    for key, value in act.arguments:
        values = slots.get(key)
        if values is None or not value or _CONTROL.search(value):
            return False
        if isinstance(values, str):
            if values == "number" and not _NUMBER.fullmatch(value):
                return False
        elif value not in values:
            return False
    return True


def _overlap(candidates: Iterable[Candidate], guarded: Guarded) -> Problem | None:
    texts = dict.fromkeys(candidate.text for candidate in candidates)
    found = next((match for match in map(guarded.find, texts) if match is not None), None)
    return None if found is None else Problem("eval_overlap", f"near {found[:200]!r}")
