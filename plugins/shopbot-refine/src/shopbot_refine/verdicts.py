"""What the teacher's answers come to: rows for the set, rows that are set aside, and the counts for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shopbot_refine.acts import parse_act
from shopbot_refine.answers import (
    AnswerCheck,
    AnswerError,
    Judgement,
    Utterance,
    one_line,
    read_judgement,
    read_utterances,
    shown,
)
from shopbot_refine.prompts import Assignment
from shopbot_refine.records import Candidate, LoggedTurn, Origin, Rejected
from shopbot_refine.teachers import Answer

#: A turn that nobody judged is kept below this suspicion (0: nothing speaks against it, 1: surely wrong).
SUSPECT = 0.5
#: Nobody answers these in this run; the other failures are trouble with this very turn, or are answered later.
_UNJUDGED = ("over_budget", "not_recorded")
_LATER = ("offline", "pending")


class Phrase(NamedTuple):
    """One or two words that only the logs tie to a write, in many messages or in few: see
    :mod:`shopbot_refine.new_phrases`."""

    write: str
    words: str
    is_common: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """What speaks against turns, by id. ``suspicion``: how likely the label is wrong, in [0, 1]; who is not in it is
    not suspect. ``unsupported``: writes that only the logs vouch for. ``phrases``: what stands in a turn that only the
    logs tie to a write, be it the turn's own or not."""

    suspicion: Mapping[str, float] = field(default_factory=dict)
    unsupported: frozenset[str] = frozenset()
    phrases: Mapping[str, frozenset[Phrase]] = field(default_factory=dict)

    def new_phrases(self, turn: str, acts: Iterable[str]) -> frozenset[Phrase]:
        """Those of the turn that are tied to one of these acts."""
        meant = names(acts)
        return frozenset(one for one in self.phrases.get(turn, ()) if one.write in meant)

    def total(self, turn: LoggedTurn) -> float:
        """How much speaks against a turn, in [0, 1]: from :data:`SUSPECT` on it may be lost if nobody judges it."""
        suspicion = self.suspicion.get(turn.id, 0.0)
        waits = any(phrase.is_common for phrase in self.new_phrases(turn.id, turn.acts))
        is_open = waits or turn.id in self.unsupported
        return max(suspicion, SUSPECT) if is_open else suspicion


@dataclass(slots=True)
class TeachCounts:
    """What came of a run's requests. ``confusions``: (logged act, right act) → how often; ``failures``: kind of request
    and failure → how many."""

    kept: int = 0
    fixed: int = 0
    dropped: int = 0
    written: int = 0
    unjudged: int = 0
    counterexamples: int = 0
    second_opinions: int = 0
    disagreements: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    confusions: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def is_complete(self) -> bool:
        """Whether no answer is still to come; else the stage is to be done again when there is a network."""
        return not any(name.endswith(_LATER) for name in self.failures)

    def as_json(self) -> dict[str, Any]:
        return {
            "kept": self.kept,
            "fixed": self.fixed,
            "dropped": self.dropped,
            "written": self.written,
            "unjudged": self.unjudged,
            "counterexamples": self.counterexamples,
            "second_opinions": self.second_opinions,
            "disagreements": self.disagreements,
            "is_complete": self.is_complete,
            "failures": dict(sorted(self.failures.items())),
            "confusions": [
                [wrong, right, times]
                for (wrong, right), times in sorted(self.confusions.items(), key=lambda entry: (-entry[1], entry[0]))
            ],
        }


def right_acts(turn: LoggedTurn, judgement: Judgement, check: AnswerCheck) -> tuple[str, ...]:
    """The acts that a judgement holds right, none if it drops the turn. Raises :class:`AnswerError`."""
    if judgement.verdict == "drop":
        return ()
    return check.acts(judgement.acts or (turn.acts if judgement.verdict == "keep" else ()))


def judge(
    turn: LoggedTurn,
    answer: Answer,
    second: frozenset[str] | None,
    doubt: Doubt,
    check: AnswerCheck,
    counts: TeachCounts,
    vouched: frozenset[Phrase] = frozenset(),
) -> Iterator[Candidate | Rejected]:
    """What becomes of one turn, then the paraphrases of it. ``second``: the names of the acts in a second opinion.
    ``vouched``: the new phrases that a teacher has seen to mean their write."""
    if answer.failure:
        counts.failures[f"judge {answer.failure}"] += 1
        yield _unjudged(turn, answer, doubt, counts, vouched)
        return
    try:
        judgement = read_judgement(answer.content)
        acts = right_acts(turn, judgement, check)
    except AnswerError as error:
        counts.failures[f"judge {error.reason}"] += 1
        yield Rejected(turn.id, error.reason, f"{error}; {shown(answer.content)}", turn.as_json())
        return
    why = one_line(judgement.why)
    if not acts:
        counts.dropped += 1
        yield Rejected(turn.id, "dropped", why, turn.as_json())
        return
    if second is not None and second != names(acts):
        counts.disagreements += 1
        detail = f"{', '.join(sorted(names(acts)))}; or {', '.join(sorted(second)) or 'drop'}"
        yield Rejected(turn.id, "disagreement", detail, turn.as_json())
        return
    yield _candidate(turn, acts, answer, why, counts, check.names)
    for number, paraphrase in enumerate(judgement.utterances if judgement.verdict == "fix" else (), 1):
        said = Utterance(state=turn.state, text=paraphrase.text, acts=paraphrase.acts)
        yield _written(f"{turn.id}+{number}", said, answer, check, counts, state=turn.state)


def take_written(
    assignment: Assignment, answer: Answer, check: AnswerCheck, counts: TeachCounts
) -> Iterator[Candidate | Rejected]:
    """The messages of one answer to a ``write`` request, as many as were asked for."""
    name = answer.request.key[:16]
    row = {"request": answer.request.user}
    if answer.failure:
        counts.failures[f"write {answer.failure}"] += 1
        yield Rejected(name, answer.failure, one_line(answer.detail), row)
        return
    try:
        utterances = read_utterances(answer.content)[: assignment.count]
    except AnswerError as error:
        counts.failures[f"write {error.reason}"] += 1
        yield Rejected(name, error.reason, f"{error}; {shown(answer.content)}", row)
        return
    asked = (assignment.act, *assignment.also)
    for number, utterance in enumerate(utterances, 1):
        yield _written(f"{name}.{number}", utterance, answer, check, counts, state=assignment.state, asked=asked)


def names(acts: Iterable[str]) -> frozenset[str]:
    """The names of acts; logged ones may be no acts at all."""
    return frozenset(act.partition("(")[0] for act in acts)


def _unjudged(
    turn: LoggedTurn, answer: Answer, doubt: Doubt, counts: TeachCounts, vouched: frozenset[Phrase]
) -> Candidate | Rejected:
    if answer.failure not in _UNJUDGED:
        return Rejected(turn.id, answer.failure, one_line(answer.detail), turn.as_json())
    if turn.rating == "down":
        return Rejected(turn.id, "rated_down", f"the customer was not content; {answer.failure}", turn.as_json())
    suspicion = doubt.suspicion.get(turn.id, 0.0)
    if suspicion >= SUSPECT:
        return Rejected(turn.id, "suspect_label", f"suspicion {suspicion:.2f}; {answer.failure}", turn.as_json())
    if turn.id in doubt.unsupported:
        return Rejected(turn.id, "unsupported_write", f"only the logs say so; {answer.failure}", turn.as_json())
    if new := sorted(one for one in doubt.new_phrases(turn.id, turn.acts) - vouched if one.is_common):
        detail = f"only the logs tie '{new[0].words}' to {new[0].write}; {answer.failure}"
        return Rejected(turn.id, "new_phrase", detail, turn.as_json())
    counts.unjudged += 1
    return Candidate(turn.id, turn.state, turn.text, turn.acts, "kept")


def _candidate(
    turn: LoggedTurn,
    acts: tuple[str, ...],
    answer: Answer,
    why: str,
    counts: TeachCounts,
    known: frozenset[str],
) -> Candidate:
    """The turn with its right acts. Kept is what the teacher left as it was, whatever it calls that."""
    is_kept = acts == tuple(map(_normal, turn.acts))
    if is_kept:
        counts.kept += 1
    else:
        counts.fixed += 1
        wrong, right = names(turn.acts) - names(acts), names(acts) - names(turn.acts)
        if len(wrong) == len(right) == 1 and wrong <= known:
            counts.confusions[next(iter(wrong)), next(iter(right))] += 1
    origin: Origin = "kept" if is_kept else "fixed"
    return Candidate(turn.id, turn.state, turn.text, acts, origin, answer.teacher, answer.request.key, why)


def _written(
    name: str,
    utterance: Utterance | AnswerError,
    answer: Answer,
    check: AnswerCheck,
    counts: TeachCounts,
    *,
    state: str,
    asked: Sequence[str] = (),
) -> Candidate | Rejected:
    """One message that the teacher wrote; it has the state and the acts that were asked for."""
    said = ""
    try:
        if isinstance(utterance, AnswerError):
            raise utterance
        said = shown(utterance.model_dump_json())
        text, acts = check.text(utterance.text), check.acts(utterance.acts)
        if utterance.state != state or not names(acts).issuperset(asked):
            raise AnswerError("malformed", "not what was asked for")
    except AnswerError as error:
        return Rejected(name, error.reason, str(error), {"request": answer.request.user, "answer": said})
    counts.written += 1
    return Candidate(name, utterance.state, text, acts, "written", answer.teacher, answer.request.key)


def _normal(act: str) -> str:
    try:
        return str(parse_act(act))
    except ValueError:
        return act
