"""The report's sections on what parent and candidate got right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from markupsafe import Markup

from shopbot_refine.comparison import (
    Comparison,
    Reliability,
    compare,
    compare_tools,
    count_confusion,
    group_sets,
    is_named,
    measure_reliability,
)
from shopbot_refine.examples import Table
from shopbot_refine.scores import GOLDEN, Pair

_MISTAKES = 20  # rows of the table of mistakes


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report. ``plots`` are SVG, ``folded`` tables are shown on demand."""

    title: str
    text: str
    plots: tuple[Markup, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()


def draw(plots: ModuleType | None, kind: str, *arguments: Any) -> tuple[Markup, ...]:
    """One plot, or none where nothing can draw it."""
    return (Markup(getattr(plots, kind)(*arguments)),) if plots else ()  # noqa: S704 - our own SVG


def score_sections(pairs: list[Pair], plots: ModuleType | None) -> list[Section]:
    """Scores by set and by tool, confusion and confidence; none where nothing was judged."""
    if not pairs:
        return []
    golden = [pair for pair in pairs if pair.candidate.set == GOLDEN]
    rows = [pair for pair in pairs if pair.candidate.set != GOLDEN]
    overall: dict[str, Comparison] = {}
    for name, group in group_sets(pairs).items():
        if name == GOLDEN:
            overall["golden cases"] = compare(group)
        else:
            overall |= {f"{name}: names": compare(group, is_named), f"{name}: whole acts": compare(group)}
    sections = [
        Section(
            "Scores",
            "Before is the parent, after the candidate, on the same cases. Bars and brackets are 95 % intervals; p is "
            "the exact McNemar test's.",
            draw(plots, "draw_scores", overall, "Scores by set, before and after"),
            (_comparison_table("By set", "set", overall),),
        )
    ]
    for title, group in (("Eval rows by tool", rows), ("Golden cases by tool", golden)):
        if tools := compare_tools(group):
            text = "Every tool and dialogue act that is asked for; a message with two counts for both."
            drawn = draw(plots, "draw_scores", tools, f"{title}, before and after")
            sections.append(Section(title, text, drawn, (_comparison_table(title, "tool", tools),)))
    return [*sections, *_understanding_sections(rows, plots)]


def _comparison_table(caption: str, what: str, found: Mapping[str, Comparison]) -> Table:
    columns = (what, "cases", "before", "after", "gained", "lost", "difference (points)", "95 % interval", "p")
    rows = []
    for name, one in found.items():
        low, high = one.interval
        interval = f"{100 * low:+.1f} to {100 * high:+.1f}"
        shares = (f"{one.parent} {_share(one.parent, one.n)}", f"{one.candidate} {_share(one.candidate, one.n)}")
        difference = f"{100 * one.difference:+.1f}"
        rows.append((name, one.n, *shares, one.gained, one.lost, difference, interval, f"{one.p_value:.3g}"))
    return Table(caption, columns, tuple(rows))


def _understanding_sections(rows: list[Pair], plots: ModuleType | None) -> list[Section]:
    candidates = [pair.candidate for pair in rows]
    counts = count_confusion(candidates)
    wrong = [(pair, number) for pair, number in counts.items() if pair[0] != pair[1]]
    wrong.sort(key=lambda entry: (-entry[1], entry[0]))
    mistakes = tuple((expected, found, number) for (expected, found), number in wrong[:_MISTAKES])
    before, after = measure_reliability([pair.parent for pair in rows]), measure_reliability(candidates)
    if not counts:
        return []
    sections = [
        Section(
            "Confusion",
            f"What the candidate found where an act was expected: {sum(n for _, n in wrong)} mistakes.",
            draw(plots, "draw_confusion", counts, "Confusion matrix of the candidate"),
            (Table("The most frequent mistakes", ("expected", "found", "times"), mistakes),) if mistakes else (),
        )
    ]
    if before.bins or after.bins:
        text = (
            "Is what it is 90 % sure of right nine times in ten? The expected calibration error is the mean gap: "
            f"{before.error:.3f} before, {after.error:.3f} after."
        )
        drawn = draw(plots, "draw_reliability", before, after, "Confidence against share right, before and after")
        tables = (_reliability_table("Before", before), _reliability_table("After", after))
        sections.append(Section("Confidence", text, drawn, folded=tables))
    return sections


def _reliability_table(caption: str, found: Reliability) -> Table:
    rows = tuple(
        (f"{one.low:.1f} to {one.high:.1f}", one.n, f"{one.confidence:.3f}", one.right, _share(one.right, one.n))
        for one in found.bins
    )
    return Table(caption, ("confidence", "rows", "mean confidence", "right", "share right"), rows)


def _share(part: int, whole: int) -> str:
    return f"({100 * part / whole:.1f} %)" if whole else "–"
