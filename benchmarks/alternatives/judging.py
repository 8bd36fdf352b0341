"""The cases that all arms get, what counts as right, and how the shares are told."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

from benchmarks.blind.run import CASES
from benchmarks.shared_data import ACTS_OF_INTENT, Part, call_as_act, part_of, read
from shopbot import grammar
from shopbot.evals import load_cases, wilson


@dataclass(frozen=True, slots=True)
class Case:
    """A message with the acts that are right for it; ``arguments``: exactly those, None where only the act counts."""

    text: str
    names: frozenset[str]
    kind: str
    arguments: Mapping[str, str] | None = None

    def is_named(self, name: str) -> bool:
        return name in self.names

    def is_right(self, guess: Guess) -> bool:
        has_arguments = self.arguments is None or dict(guess.arguments) == dict(self.arguments)
        return self.is_named(guess.name) and has_arguments


@dataclass(frozen=True, slots=True)
class Guess:
    """What an arm makes of a message, and the tokens that its model read, found in its cache and wrote."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    read: int = 0
    cached: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A guess for a case, and the milliseconds that it took."""

    case: Case
    guess: Guess
    ms: float


def routing_cases(part: Part, count: int) -> list[Case]:
    """So many third-party rows drawn at random, in the shop's domain and out of it as they come."""
    rows = _drawn("intent_routing.jsonl", part, count)
    return [Case(row["text"], _names(row), "in-domain" if row["domain"] == "in" else "out of scope") for row in rows]


def call_cases(part: Part, count: int) -> list[Case]:
    """So many calls with swapped arguments: the act and its argument have to be right."""
    cases = []
    for row in _drawn("toolcall_single_swapped.jsonl", part, count):
        call = grammar.parse(call_as_act(row))[0]
        cases.append(Case(row["text"], frozenset({call.name}), "call", dict(call.arguments)))
    return cases


def blind_cases() -> list[Case]:
    """First messages of the blind conversations whose act the conversation itself names: the first tool that runs, or
    what is written in the end."""
    cases = []
    for case in load_cases(CASES):
        first = case.turns[0]
        names = first.tools[:1] if first.tools else tuple(write["tool"] for write in case.writes)
        if names:
            cases.append(Case(first.say, frozenset(names), "blind"))
    return cases


def _drawn(name: str, part: Part, count: int) -> list[dict[str, Any]]:
    rows = [row for row in read(name) if part_of(row["id"]) == part]
    return random.Random(0).sample(rows, min(count, len(rows)))


def _names(row: Mapping[str, Any]) -> frozenset[str]:
    """As in ``benchmarks.routing``: whether a greeting is called small talk or out of scope does not matter."""
    return frozenset(ACTS_OF_INTENT[row["intent"]] | ({"out_of_scope"} if row["intent"] == "smalltalk" else set()))


def shares(answers: Sequence[Answer]) -> dict[str, str]:
    """Kind of case → how many were right, with 95 % Wilson intervals; of calls also the act alone."""
    told = {}
    for kind in ("in-domain", "out of scope", "blind"):
        told[kind] = _share(answer.case.is_right(answer.guess) for answer in answers if answer.case.kind == kind)
    calls = [answer for answer in answers if answer.case.kind == "call"]
    told["call, act"] = _share(answer.case.is_named(answer.guess.name) for answer in calls)
    told["call, act and argument"] = _share(answer.case.is_right(answer.guess) for answer in calls)
    return told


def costs(answers: Sequence[Answer]) -> dict[str, str]:
    """Milliseconds a message, and tokens of its prompt (of these, new) and of its answer; nothing without answers."""
    if not answers:
        return {}
    ordered = sorted(answer.ms for answer in answers)
    guesses = [answer.guess for answer in answers]
    prompt = mean(guess.read + guess.cached for guess in guesses)
    return {
        "ms": f"p50 {median(ordered):.1f}, p95 {ordered[int(0.95 * (len(ordered) - 1))]:.1f}, n={len(ordered)}",
        "tokens": f"{prompt:.0f} in the prompt, {mean(guess.read for guess in guesses):.0f} of them new, "
        f"{mean(guess.written for guess in guesses):.0f} written",
    }


def _share(claims: Iterable[bool]) -> str:
    found = list(claims)
    right, n = sum(found), len(found)
    if not n:
        return "–"
    low, high = wilson(right, n)
    return f"{right / n:.1%} [{100 * low:.1f}, {100 * high:.1f}], {right} of {n}"
