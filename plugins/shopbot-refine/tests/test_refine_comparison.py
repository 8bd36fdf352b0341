"""The statistics: against published examples, against exact enumeration, and by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shopbot_refine.comparison import (
    NOTHING,
    compare,
    compare_tools,
    count_confusion,
    is_named,
    mcnemar,
    measure_reliability,
    paired_interval,
)
from shopbot_refine.scores import GOLDEN, ComparisonError, Pair, Score, pair_scores


def score(case: str = "1", *, is_right: bool = True, **fields: object) -> Score:
    given_fields: dict[str, object] = {"expected": ("find_orders",), "set": "seed", "named": is_right, **fields}
    return Score(id=case, passed=is_right, **given_fields)  # type: ignore[arg-type]


def pairs(both: int, gained: int, lost: int, neither: int) -> list[Pair]:
    kinds = [(True, True)] * both + [(False, True)] * gained + [(True, False)] * lost + [(False, False)] * neither
    return [
        Pair(score(str(n), is_right=before), score(str(n), is_right=after)) for n, (before, after) in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("cells", "interval"),
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),  # Newcombe 1998
        ((1, 1, 7, 12), (-0.507, -0.026)),  # Bentur and others 2009, as in Fagerland and others 2014
    ],
)
def test_the_interval_is_the_published_one(cells: tuple[int, int, int, int], interval: tuple[float, float]) -> None:
    assert paired_interval(*cells) == pytest.approx(interval, abs=6e-4)


@pytest.mark.parametrize(("gained_p", "lost_p", "both_p"), [(0.05, 0.05, 0.85), (0.1, 0.02, 0.8), (0.2, 0.1, 0.4)])
def test_the_interval_covers_the_truth_in_about_95_of_100_cases(gained_p: float, lost_p: float, both_p: float) -> None:
    n, truth, covered = 24, gained_p - lost_p, 0.0
    for both in range(n + 1):
        for gained in range(n + 1 - both):
            for lost in range(n + 1 - both - gained):
                neither = n - both - gained - lost
                ways = math.factorial(n) / math.prod(math.factorial(k) for k in (both, gained, lost, neither))
                rest = 1 - gained_p - lost_p - both_p
                low, high = paired_interval(both, gained, lost, neither)
                if low <= truth <= high:
                    covered += ways * both_p**both * gained_p**gained * lost_p**lost * rest**neither
    assert 0.93 <= covered <= 0.998


@given(st.tuples(*[st.integers(0, 40)] * 4))
def test_the_interval_holds_the_difference_and_turns_with_the_sides(cells: tuple[int, int, int, int]) -> None:
    both, gained, lost, neither = cells
    low, high = paired_interval(both, gained, lost, neither)
    assert -1 <= low <= high <= 1
    if n := sum(cells):
        assert low - 1e-12 <= (gained - lost) / n <= high + 1e-12
        assert paired_interval(both, lost, gained, neither) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("gained", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 22 / 1024), (2000, 2000, 1.0)]
)
def test_mcnemar_is_the_exact_sign_test(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_a_comparison_counts_both_sides() -> None:
    found = compare(pairs(10, 3, 1, 6))
    assert (found.n, found.parent, found.candidate, found.gained, found.lost) == (20, 11, 13, 3, 1)
    assert found.difference == pytest.approx(0.1)
    assert found.interval == paired_interval(10, 3, 1, 6)
    assert found.p_value == mcnemar(3, 1)
    assert found.candidate_interval[0] < 13 / 20 < found.candidate_interval[1]


def test_a_message_with_two_acts_counts_for_both_tools() -> None:
    two = ("find_orders", "invoice")
    table = compare_tools(
        [
            Pair(score("1", expected=two), score("1", expected=two, is_right=False)),
            Pair(score("2"), score("2")),
        ]
    )
    assert {tool: (found.n, found.parent, found.candidate) for tool, found in table.items()} == {
        "find_orders": (2, 2, 1),
        "invoice": (1, 1, 0),
    }


def test_names_can_be_right_where_the_acts_are_not() -> None:
    pair = Pair(score(), score(is_right=False, named=True))
    assert compare([pair]).candidate == 0
    assert compare([pair], is_named).candidate == 1


def test_confusion_matches_what_is_left_over_in_order() -> None:
    counts = count_confusion(
        [
            score(expected=("a", "b", "c"), found=("c", "x")),
            score(expected=("a", "a"), found=("a",)),
            score(expected=("a",), found=("a", "y")),
            score(expected=("b",), found=()),
            score(set=GOLDEN, expected=("a",), found=()),
        ]
    )
    assert counts == {
        ("a", "a"): 2,
        ("c", "c"): 1,
        ("a", "x"): 1,
        ("b", NOTHING): 2,
        ("a", NOTHING): 1,
        (NOTHING, "y"): 1,
    }


def test_reliability_by_hand() -> None:
    sure = [score(confidence=c, is_right=right) for c, right in [(1.0, True), (0.9, False), (0.14, False), (0.1, True)]]
    found = measure_reliability([*sure, score(confidence=None)])
    assert [(one.low, one.n, one.right) for one in found.bins] == [(0.1, 2, 1), (0.9, 2, 1)]
    assert found.error == pytest.approx((abs(0.24 - 1) + abs(1.9 - 1)) / 4)
    assert measure_reliability([]).error == 0.0


@pytest.mark.parametrize(
    ("parent", "candidate", "part"),
    [
        ([], [], "no cases"),
        ([score("1")], [score("2")], "other cases"),
        ([score("1")], [score("1"), score("2")], "other cases"),
        ([score("1"), score("1")], [score("1")], "twice"),
        ([score("1")], [score("1", expected=("invoice",))], "seed/1 changed"),
        ([score("1", tags=("safety",))], [score("1")], "seed/1 changed"),
    ],
)
def test_other_cases_are_no_ground_for_a_comparison(parent: list[Score], candidate: list[Score], part: str) -> None:
    with pytest.raises(ComparisonError, match=part):
        pair_scores(parent, candidate)
