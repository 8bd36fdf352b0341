"""``teach``: the teacher judges the logged turns and writes what the set is thin in.

Every turn is asked about, those that customers were not content with first, then the most suspect, so that a budget
that ends early was spent where it matters. A turn that the teacher could not be paid for, or that nobody recorded an
answer to, stays as it was logged if nothing speaks against it; a write, only if something other than the logs speaks
for it, and with counterexamples of the words in it that only the logs know. Whatever the answers' order, the rows come
in the order of the turns.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from shopbot import DIALOGUE_ACTS, Tool
from shopbot_refine.answer_shelf import AnswerShelf
from shopbot_refine.answers import AnswerCheck, AnswerError, read_judgement
from shopbot_refine.counterexamples import Counterexamples
from shopbot_refine.coverage import Inventory, Row, plan
from shopbot_refine.dataset import Example
from shopbot_refine.engines import Engine
from shopbot_refine.prompts import Assignment, judge_request, system_prompt, write_request
from shopbot_refine.questions import Asking, Doubter, Questions
from shopbot_refine.records import Candidate, LoggedTurn, Rejected
from shopbot_refine.steering import Steering
from shopbot_refine.teachers import Answer, Request, Teacher
from shopbot_refine.verdicts import Phrase, TeachCounts, judge, names, right_acts, take_written

VERSION = 6
#: Questions that a teacher has at once.
ASKED = 10_000


def teach(
    turns: Iterable[LoggedTurn],
    teacher: Teacher,
    tools: Mapping[str, Tool],
    engine: Engine,
    *,
    doubter: Doubter,
    templates: Sequence[Row],
    trusted: Sequence[Example] = (),
    counts: TeachCounts,
    write: int,
    agreement: float,
    seed: int = 0,
    steering: Steering | None = None,
) -> Iterator[Candidate | Rejected]:
    """Judge the turns, then have messages written where the result and the seed set's ``templates`` are thin.

    ``doubter``: what speaks against turns. ``trusted``: what counterexamples are made of. ``write``: how many messages
    to ask for at most. ``agreement``: the share of turns that mean a write on which a second answer is asked for; where
    the two differ, the turn is left out. ``counts`` is filled while rows come. ``steering``: which turns are asked
    about first, and what to have written because the last generation lacks it.

    ``engine`` finds out what to ask. It is this process that asks and reads the answers, whatever the engine: so there
    is one ledger with one cap, and nothing is paid twice.
    """
    steering = steering or Steering()
    system = system_prompt(tools)
    check = AnswerCheck((*tools, *DIALOGUE_ACTS), system)
    writers = frozenset(name for name, tool in tools.items() if tool.effect == "write")
    questions, against = Questions(turns, doubter, steering, engine), Counterexamples(trusted, tools)
    there, earlier = Inventory(templates), steering.earlier_by_text()
    with AnswerShelf(engine.folder) as shelf:
        _ask(teacher, questions, system, shelf)
        doubted = (
            (asking.turn, request)
            for asking, request, answer in _answered(questions, system, shelf)
            if asking.is_first
            and _draw(seed, request) < agreement
            and not writers.isdisjoint(_names(asking.turn, answer, check) or ())
        )
        seconds = _ask_again(teacher, doubted, system, check, counts)
        counts.second_opinions = len(seconds)
        vouched = _vouched(_answered(questions, system, shelf), seconds, check)
        for asking, request, answer in _answered(questions, system, shelf):
            for row in judge(asking.turn, answer, seconds.get(request.key), asking.doubt, check, counts, vouched):
                yield row
                if isinstance(row, Candidate):
                    there.add(row)
                    earlier.pop((row.state, row.text), None)
                if not asking.is_first:
                    break  # what else comes of this answer came with an earlier turn that says the same
                if isinstance(row, Candidate) and not row.teacher:
                    new = asking.doubt.new_phrases(asking.turn.id, row.acts) - vouched
                    for counter in against.of(asking.turn, {phrase.words for phrase in new}):
                        counts.counterexamples += 1
                        yield counter
    if not counts.is_complete:
        return  # what is to be written follows from all the answers
    for example in chain.from_iterable(earlier.values()):
        there.add(example)
    wanted = plan(
        there,
        tools,
        count=write,
        seed=seed,
        confusions=counts.confusions + Counter(steering.confusions),
        missed=steering.missed,
        first=steering.first_request,
    )
    yield from _have_written(teacher, wanted, system, check, counts)


def _ask(teacher: Teacher, questions: Questions, system: str, shelf: AnswerShelf) -> None:
    """Have every question answered, the most urgent first."""
    requests = (judge_request(turn, system) for turn in questions.by_urgency())
    is_down = False

    def watched(answers: Iterable[Answer]) -> Iterator[Answer]:
        nonlocal is_down
        for answer in answers:
            is_down = answer.failure == "offline"
            yield answer

    while some := list(islice(requests, ASKED)):
        if is_down:  # the last of many could not be asked, nor will these
            shelf.put(Answer(request, teacher.name, failure="offline") for request in some)
        else:
            shelf.put(watched(teacher.answer(some)))


def _answered(questions: Questions, system: str, shelf: AnswerShelf) -> Iterator[tuple[Asking, Request, Answer]]:
    """All turns in their order, with what was asked and answered."""
    for asking in questions.by_turn():
        request = judge_request(asking.turn, system)
        answer = shelf.find(request)
        assert answer is not None, "a teacher answers every question"
        yield asking, request, answer


def _ask_again(
    teacher: Teacher,
    doubted: Iterable[tuple[LoggedTurn, Request]],
    system: str,
    check: AnswerCheck,
    counts: TeachCounts,
) -> dict[str, frozenset[str]]:
    """Key of the first request → the names of the acts in a second opinion, where there is a usable one."""
    found = {}
    while some := list(islice(doubted, ASKED)):
        requests = {
            request.key: (first.key, turn, request)
            for turn, first in some
            for request in [judge_request(turn, system, second_opinion=True)]
        }
        for answer in teacher.answer([request for _, _, request in requests.values()]):
            key, turn, _ = requests[answer.request.key]
            if answer.failure:
                counts.failures[f"second opinion {answer.failure}"] += 1
            acts = _names(turn, answer, check)
            if acts is not None:
                found[key] = acts
    return found


def _vouched(
    answered: Iterable[tuple[Asking, Request, Answer]], seconds: Mapping[str, frozenset[str]], check: AnswerCheck
) -> frozenset[Phrase]:
    """The new phrases that stand in a turn of which the teacher says that it means their write."""
    found: set[Phrase] = set()
    for asking, request, answer in answered:
        if asking.turn.id not in asking.doubt.phrases:
            continue
        held = _names(asking.turn, answer, check) or frozenset()
        if seconds.get(request.key, held) == held:
            found |= asking.doubt.new_phrases(asking.turn.id, held)
    return frozenset(found)


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
