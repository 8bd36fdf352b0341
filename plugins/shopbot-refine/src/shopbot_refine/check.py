"""``check``: what the teacher said counts only if it holds: the acts are acts, their arguments stand in the message,
the engine can play them, the row contradicts no other, and it is no case of any golden or eval set.

Placeholders are filled for the checks exactly as they are for training (:mod:`shopbot_refine.fill`); the rows that come
out hold the placeholders still.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shopbot import Tool, fold, open_tool, signatures
from shopbot_refine.acts import Act, parse_act
from shopbot_refine.answers import is_hidden
from shopbot_refine.decontamination import Guarded
from shopbot_refine.fill import fill
from shopbot_refine.prompts import MAX_ACTS
from shopbot_refine.records import Candidate, Rejected

VERSION = 1
#: What the grammar takes for a number, and what it takes in no argument.
_NUMBER = re.compile(r"(?:[$€£]|[A-Z]{3} ?)?[0-9][0-9.,]*(?: ?[$€£a-zA-Z]{1,8})?")
_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is rejected."""

    reason: str
    detail: str


def check(
    candidates: Iterable[Candidate],
    tools: Mapping[str, Tool],
    guarded: Guarded,
    play: Callable[[Candidate], str],
    *,
    seed: int = 0,
) -> Iterator[Candidate | Rejected]:
    """The candidates that hold, in their order, after those that do not.

    ``guarded``: the messages of every golden and eval set. ``play``: plays a candidate on a sandbox store and says what
    is wrong, see :meth:`shopbot_refine.sandbox.Sandbox.play`. ``seed``: as in :func:`~shopbot_refine.fill.fill`.
    """
    good: list[Candidate] = []
    for candidate in candidates:
        problem = examine(fill(candidate, seed), tools) or _overlap(candidate, guarded, seed)
        if problem is None:
            good.append(candidate)
        else:
            yield _reject(candidate, problem)
    agreed = _agreed(good)
    seen: set[tuple[str, str]] = set()
    kept: list[Candidate] = []
    for candidate in good:
        place = _place(candidate)
        if agreed[place] != candidate.acts:
            yield _reject(candidate, Problem("contradiction", "the same message has other acts elsewhere"))
        elif place in seen:
            yield _reject(candidate, Problem("duplicate", "the same message with the same acts came before"))
        else:
            seen.add(place)
            kept.append(candidate)
    for candidate in kept:
        wrong = play(fill(candidate, seed))
        yield _reject(candidate, Problem("replay", wrong)) if wrong else candidate


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


def _overlap(candidate: Candidate, guarded: Guarded, seed: int) -> Problem | None:
    texts = dict.fromkeys((candidate.text, fill(candidate, seed).text))
    found = next((match for match in map(guarded.find, texts) if match is not None), None)
    return None if found is None else Problem("eval_overlap", f"near {found[:200]!r}")


def _agreed(candidates: Sequence[Candidate]) -> dict[tuple[str, str], tuple[str, ...] | None]:
    """(state, folded text) → the acts that hold for it; None where there are several answers. What a teacher has seen
    stands above what was only logged."""
    found: dict[tuple[str, str], dict[bool, set[tuple[str, ...]]]] = {}
    for candidate in candidates:
        by_rank = found.setdefault(_place(candidate), {})
        by_rank.setdefault(bool(candidate.teacher), set()).add(candidate.acts)
    best = {place: by_rank.get(True) or by_rank[False] for place, by_rank in found.items()}
    return {place: next(iter(acts)) if len(acts) == 1 else None for place, acts in best.items()}


def _place(candidate: Candidate) -> tuple[str, str]:
    return candidate.state, fold(candidate.text) or candidate.text


def _reject(candidate: Candidate, problem: Problem) -> Rejected:
    return Rejected(candidate.id, problem.reason, problem.detail, candidate.as_json())
