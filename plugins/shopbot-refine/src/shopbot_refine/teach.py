"""``teach``: the teacher judges the logged turns and writes what the set is thin in.

Every turn is asked about, those that customers were not content with first, then the most suspect, so that a budget
that ends early was spent where it matters. A turn that the teacher could not be paid for, or that nobody recorded an
answer to, stays as it was logged if nothing speaks against it; a write, only if something other than the logs speaks
for it. Whatever the answers' order, the rows come in the order of the turns.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shopbot import DIALOGUE_ACTS, Tool
from shopbot_refine.answers import AnswerCheck, AnswerError, read_judgement
from shopbot_refine.coverage import Row, plan
from shopbot_refine.prompts import Assignment, judge_request, system_prompt, write_request
from shopbot_refine.records import Candidate, LoggedTurn, Rejected
from shopbot_refine.steering import Steering
from shopbot_refine.teachers import Answer, Request, Teacher
from shopbot_refine.verdicts import Doubt, TeachCounts, judge, names, right_acts, take_written

VERSION = 3


def teach(
    turns: Iterable[LoggedTurn],
    teacher: Teacher,
    tools: Mapping[str, Tool],
    *,
    doubt: Doubt,
    templates: Sequence[Row],
    counts: TeachCounts,
    write: int,
    agreement: float,
    seed: int = 0,
    steering: Steering | None = None,
) -> Iterator[Candidate | Rejected]:
    """Judge the turns, then have messages written where the result and the seed set's ``templates`` are thin.

    ``write``: how many messages to ask for at most. ``agreement``: the share of turns that mean a write on which a
    second answer is asked for; where the two differ, the turn is left out. ``counts`` is filled while rows come.
    ``steering``: which turns are asked about first, and what to have written because the last generation lacks it.
    """
    steering = steering or Steering()
    system = system_prompt(tools)
    check = AnswerCheck((*tools, *DIALOGUE_ACTS), system)
    logged = [(turn, judge_request(turn, system)) for turn in turns]
    answers = _ask(teacher, logged, steering.urgency(doubt.suspicion))
    writers = frozenset(name for name, tool in tools.items() if tool.effect == "write")
    doubted = [
        (turn, request)
        for turn, request in logged
        if _draw(seed, request) < agreement and not writers.isdisjoint(_names(turn, answers[request.key], check) or ())
    ]
    seconds = _ask_again(teacher, doubted, system, check, counts)
    counts.second_opinions = len(seconds)
    rows: list[Candidate] = []
    seen: set[str] = set()
    for turn, request in logged:
        key = request.key
        for row in judge(turn, answers[key], seconds.get(key), doubt, check, counts):
            yield row
            if isinstance(row, Candidate):
                rows.append(row)
            if key in seen:
                break  # the paraphrases in this answer came with an earlier turn that says the same
        seen.add(key)
    if not counts.is_complete:
        return  # what is to be written follows from all the answers
    wanted = plan(
        [*rows, *steering.earlier_than(rows)],
        templates,
        tools,
        count=write,
        seed=seed,
        confusions=counts.confusions + Counter(steering.confusions),
        missed=steering.missed,
        first=steering.first_request,
    )
    yield from _have_written(teacher, wanted, system, check, counts)


def _ask(
    teacher: Teacher, logged: Sequence[tuple[LoggedTurn, Request]], urgency: Mapping[str, float]
) -> dict[str, Answer]:
    """Request key → answer, one for each different question; those rated down first, then the most urgent turns."""
    ordered = sorted(logged, key=lambda pair: (pair[0].rating != "down", -urgency.get(pair[0].id, 0.0), pair[0].id))
    requests = {request.key: request for _, request in ordered}
    return {answer.request.key: answer for answer in teacher.answer(list(requests.values()))}


def _ask_again(
    teacher: Teacher,
    doubted: Sequence[tuple[LoggedTurn, Request]],
    system: str,
    check: AnswerCheck,
    counts: TeachCounts,
) -> dict[str, frozenset[str]]:
    """Key of the first request → the names of the acts in a second opinion, where there is a usable one."""
    requests: dict[str, tuple[str, LoggedTurn, Request]] = {}
    for turn, first in doubted:
        request = judge_request(turn, system, second_opinion=True)
        requests[request.key] = (first.key, turn, request)
    found = {}
    for answer in teacher.answer([request for _, _, request in requests.values()]) if requests else ():
        key, turn, _ = requests[answer.request.key]
        if answer.failure:
            counts.failures[f"second opinion {answer.failure}"] += 1
        acts = _names(turn, answer, check)
        if acts is not None:
            found[key] = acts
    return found


def _have_written(
    teacher: Teacher, wanted: Sequence[Assignment], system: str, check: AnswerCheck, counts: TeachCounts
) -> Iterator[Candidate | Rejected]:
    """The messages that were asked for, in the order of the plan."""
    requests = {request.key: (request, one) for one in wanted for request in [write_request(one, system)]}
    given = teacher.answer([request for request, _ in requests.values()]) if requests else ()
    answers = {answer.request.key: answer for answer in given}
    for key, (_, assignment) in requests.items():
        yield from take_written(assignment, answers[key], check, counts)


def _names(turn: LoggedTurn, answer: Answer, check: AnswerCheck) -> frozenset[str] | None:
    """The names of the acts that an answer holds right; None where it is no usable answer."""
    try:
        return None if answer.failure else names(right_acts(turn, read_judgement(answer.content), check))
    except AnswerError:
        return None


def _draw(seed: int, request: Request) -> float:
    """A number in [0, 1) that belongs to the question."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{request.key}".encode()).digest()[:8], "big") / 2**64
