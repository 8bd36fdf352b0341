"""What two checkpoints' scores say: paired differences with their intervals, by tool, confusion, confidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from shopbot import wilson
from shopbot_refine.scores import GOLDEN, Pair, Score

#: Where nothing was expected, or nothing found.
NOTHING = "(nothing)"
BINS = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """Right answers of parent and candidate on the same ``n`` cases.

    ``gained``: cases that only the candidate has right; ``lost``: only the parent.
    """

    n: int
    parent: int
    candidate: int
    gained: int
    lost: int

    @property
    def difference(self) -> float:
        """The candidate's share less the parent's."""
        return (self.candidate - self.parent) / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The difference's 95 % interval."""
        both = self.parent - self.lost
        return paired_interval(both, self.gained, self.lost, self.n - both - self.gained - self.lost)

    @property
    def p_value(self) -> float:
        return mcnemar(self.gained, self.lost)

    @property
    def parent_interval(self) -> tuple[float, float]:
        return wilson(self.parent, self.n)

    @property
    def candidate_interval(self) -> tuple[float, float]:
        return wilson(self.candidate, self.n)


def has_passed(score: Score) -> bool:
    return score.passed


def is_named(score: Score) -> bool:
    return score.named


def compare(pairs: Iterable[Pair], is_right: Callable[[Score], bool] = has_passed) -> Comparison:
    """Count a set of pairs; ``is_right`` says what counts."""
    counts = Counter((is_right(pair.parent), is_right(pair.candidate)) for pair in pairs)
    both, lost, gained = counts[True, True], counts[True, False], counts[False, True]
    return Comparison(counts.total(), both + lost, both + gained, gained, lost)


def compare_tools(pairs: Iterable[Pair]) -> dict[str, Comparison]:
    """Tool or dialogue act → comparison on the cases that ask for it, by name."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        for tool in pair.candidate.tools:
            groups.setdefault(tool, []).append(pair)
    return {tool: compare(group) for tool, group in sorted(groups.items())}


def group_sets(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Set → its pairs, in the order in which the sets come."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.candidate.set, []).append(pair)
    return groups


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p: how likely a split at least this uneven is if both are equally good (McNemar 1947; the exact
    form is the binomial sign test on the pairs that differ)."""
    differing = gained + lost
    tail = sum(math.comb(differing, count) for count in range(min(gained, lost) + 1))
    return min(1.0, float(2 * tail / 2**differing))


def paired_interval(both: int, gained: int, lost: int, neither: int) -> tuple[float, float]:
    """95 % interval of the candidate's share less the parent's, on paired cases.

    R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
    data", Statistics in Medicine 17 (1998) 2635-2650, method 10: the Wilson limits of both shares, joined by the
    correlation of the pairs with its continuity correction.
    """
    n = both + gained + lost + neither
    if n == 0:
        return -1.0, 1.0
    after, before = (both + gained) / n, (both + lost) / n
    after_low, after_high = wilson(both + gained, n)
    before_low, before_high = wilson(both + lost, n)
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    cross = both * neither - gained * lost
    corrected = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    phi = corrected / math.sqrt(margins) if margins else 0.0

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))

    difference = after - before
    low = difference - reach(after - after_low, before_high - before)
    high = difference + reach(after_high - after, before - before_low)
    return max(-1.0, low), min(1.0, high)


def count_confusion(scores: Iterable[Score]) -> Counter[tuple[str, str]]:
    """(expected act, found act) → how often. Of several acts in one message, those found are right and the rest are
    matched in order; golden cases, whose acts are not known one by one, do not count."""
    counts: Counter[tuple[str, str]] = Counter()
    for score in scores:
        if score.set == GOLDEN:
            continue
        expected, found = Counter(score.expected), Counter(score.found)
        counts.update({(name, name): number for name, number in (expected & found).items()})
        missed, extra = (expected - found).elements(), (found - expected).elements()
        counts.update(zip_longest(missed, extra, fillvalue=NOTHING))
    return counts


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers with a confidence in [low, high): how many, their mean confidence, how many were right."""

    low: float
    high: float
    n: int
    confidence: float
    right: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """The bins that are not empty, and the expected calibration error."""

    bins: tuple[Bin, ...]
    error: float


def measure_reliability(scores: Sequence[Score]) -> Reliability:
    """Ten bins of equal width: is what the model is 90 % sure of right nine times in ten? The error is the bins' mean
    gap between confidence and share of right names, weighted by size (Naeini and others, AAAI 2015)."""
    filled: dict[int, list[tuple[float, bool]]] = {}
    for score in scores:
        if score.confidence is not None:
            filled.setdefault(min(BINS - 1, int(score.confidence * BINS)), []).append((score.confidence, score.named))
    bins = tuple(
        Bin(
            number / BINS,
            (number + 1) / BINS,
            len(entries),
            sum(confidence for confidence, _ in entries) / len(entries),
            sum(is_right for _, is_right in entries),
        )
        for number, entries in sorted(filled.items())
    )
    total = sum(one.n for one in bins)
    gaps = sum(abs(one.confidence * one.n - one.right) for one in bins)
    return Reliability(bins, gaps / total if total else 0.0)
