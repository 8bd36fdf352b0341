"""How the last generation steers the next one's teaching: by what it got wrong, and by what it was not sure of.

Of a case or an eval row, the names of its acts alone come in here: their texts never reach a teacher. What is learnt
from the counts is still learnt from them, so the scores of a later generation on the sets that steered it flatter it a
little; a set that is kept out of the run says how much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from shopbot_refine.dataset import Example
from shopbot_refine.engines import Row
from shopbot_refine.engines.sorting import in_order
from shopbot_refine.records import LoggedTurn
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

    def urgency(self, turn: str, suspicion: float) -> float:
        """How early to ask about a turn: how suspect its label is, and whether the model was in doubt."""
        return suspicion + DOUBT if turn in self.doubted else suspicion

    def earlier_by_text(self) -> dict[tuple[str, str], list[Example]]:
        """(state, text) → what the generations before were taught of it."""
        found: dict[tuple[str, str], list[Example]] = {}
        for example in dict.fromkeys(self.earlier):
            found.setdefault((example.state, example.text), []).append(example)
        return found


def find_doubted(turns: Iterable[LoggedTurn], threshold: float, folder: Path | None = None) -> frozenset[str]:
    """The ids of the turns that the bot was not sure of: below the checkpoint's ``threshold``, and the lowest tenth of
    those whose confidence the log has. ``folder``: for what does not fit into memory."""
    counts: Counter[str] = Counter()

    def known() -> Iterator[Row]:
        for turn in turns:
            if turn.confidence is not None:
                counts.update(known=1, below=turn.confidence < threshold)
                yield {"id": turn.id, "confidence": turn.confidence}

    surest_last = in_order(known(), lambda row: [row["confidence"], row["id"]], folder)
    first = list(islice(surest_last, 1))  # now all are counted
    wanted = max(counts["below"], counts["known"] // _DECILE)
    return frozenset(row["id"] for row in islice(chain(first, surest_last), wanted))


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
