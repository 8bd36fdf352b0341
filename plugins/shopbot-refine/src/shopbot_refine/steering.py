"""How the last generation steers the next one's teaching: by what it got wrong, and by what it was not sure of.

Of a case or an eval row, the names of its acts alone come in here: their texts never reach a teacher. What is learnt
from the counts is still learnt from them, so the scores of a later generation on the sets that steered it flatter it a
little; a set that is kept out of the run says how much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shopbot_refine.dataset import Example
from shopbot_refine.records import Candidate, LoggedTurn
from shopbot_refine.scores import GOLDEN, Pair, Score

#: What doubt adds to the suspicion of a turn, in [0, 1], when the teacher's questions are put in order.
DOUBT = 0.5
#: One in so many is always among the least sure, also for a checkpoint that has no threshold.
_DECILE = 10
#: Requests for one gap in a generation, at most.
_REQUESTS = 100


@dataclass(frozen=True, slots=True)
class Steering:
    """What the ``generation`` (from 1) is taught beside what its logs ask for.

    ``confusions``: (wrong act, right act) → times, ``missed``: act → times, of the generation before. ``doubted``: ids
    of turns to ask about first. ``earlier``: what the generations before were taught.
    """

    generation: int = 1
    confusions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    missed: Mapping[str, int] = field(default_factory=dict)
    doubted: frozenset[str] = frozenset()
    earlier: Sequence[Example] = ()

    @property
    def first_request(self) -> int:
        """The number of the first request for a gap, so that no generation asks what one before it asked."""
        return (self.generation - 1) * _REQUESTS

    def urgency(self, suspicion: Mapping[str, float]) -> dict[str, float]:
        """Turn id → how early to ask about it: how suspect its label is, and whether the model was in doubt."""
        doubts = {turn: suspicion.get(turn, 0.0) + DOUBT for turn in self.doubted}
        return {**suspicion, **doubts}

    def earlier_than(self, rows: Iterable[Candidate]) -> list[Example]:
        """What the generations before were taught that is not among ``rows``."""
        known = {(row.state, row.text) for row in rows}
        return [example for example in dict.fromkeys(self.earlier) if (example.state, example.text) not in known]


def find_doubted(turns: Iterable[LoggedTurn], threshold: float) -> frozenset[str]:
    """The ids of the turns that the bot was not sure of: below the checkpoint's ``threshold``, and the lowest tenth of
    those whose confidence the log has."""
    return _least_sure({turn.id: turn.confidence for turn in turns}, threshold)


def read_errors(pairs: Iterable[Pair], threshold: float) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """(confusions, missed) of the candidate: (wrong act, right act) → times; act → times that it was missed.

    A failed golden case counts for all of its tools (it does not say what was understood instead), a row for the acts
    that were not found; for all of its acts where the candidate was not sure (see :func:`find_doubted`).
    """
    scores = [pair.candidate for pair in pairs]
    doubted = _least_sure({f"{score.set}/{score.id}": score.confidence for score in scores}, threshold)
    confusions: Counter[tuple[str, str]] = Counter()
    missed: Counter[str] = Counter()
    for score in scores:
        wrong, right = _differences(score)
        confusions.update((one, other) for one in wrong for other in right)
        missed.update(score.tools if f"{score.set}/{score.id}" in doubted else right)
    return confusions, missed


def _least_sure(confidences: Mapping[str, float | None], threshold: float) -> frozenset[str]:
    known = sorted((confidence, name) for name, confidence in confidences.items() if confidence is not None)
    below = sum(confidence < threshold for confidence, _ in known)
    return frozenset(name for _, name in known[: max(below, len(known) // _DECILE)])


def _differences(score: Score) -> tuple[list[str], list[str]]:
    """(acts that are wrongly there, acts that are missing), each name once."""
    if score.set == GOLDEN:
        return [], [] if score.passed else list(score.tools)
    expected, found = Counter(score.expected), Counter(score.found)
    return sorted(found - expected), sorted(expected - found)
