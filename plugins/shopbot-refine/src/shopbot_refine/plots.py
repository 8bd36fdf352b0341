"""The report's plots: SVG without styles, scripts, dates or addresses, so that it can stand in a strict page.

matplotlib draws them, without its global state; the same numbers give the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from shopbot_refine.comparison import Comparison, Reliability

BEFORE, AFTER = "#5f6368", "#0b57d0"
MAX_ACTS = 30  # rows of a confusion matrix
_MAX_LABEL = 40  # characters
_SETTINGS: Any = {
    "svg.hashsalt": "shopbot",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name with two $ is no formula
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_XLINK = "{http://www.w3.org/1999/xlink}href"
_FONT = re.compile(r"(?:(?P<weight>bold|\d00) )?(?P<size>[\d.]+)px\b")


def draw_scores(scores: Mapping[str, Comparison], label: str) -> str:
    """Share right before and after, by name, each with its Wilson interval."""
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _start(7.2, 1.2 + 0.42 * len(scores))
        sides = (("before", BEFORE, "s", -0.14), ("after", AFTER, "o", 0.14))
        for side, colour, marker, shift in sides:
            shares, below, above = [], [], []
            for found in scores.values():
                right = found.parent if side == "before" else found.candidate
                low, high = found.parent_interval if side == "before" else found.candidate_interval
                shares.append(right / found.n)
                below.append(max(0.0, right / found.n - low))
                above.append(max(0.0, high - right / found.n))
            places = [place + shift for place in range(len(scores))]
            look: Any = {"color": colour, "fmt": marker, "label": side, "capsize": 2}
            axes.errorbar(shares, places, xerr=[below, above], **look)
        axes.set_yticks(range(len(scores)), [f"{_name(name)} (n={found.n})" for name, found in scores.items()])
        axes.invert_yaxis()
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(axis="x", color="#dddddd")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
        return _finish(figure, label)


def draw_confusion(counts: Mapping[tuple[str, str], int], label: str) -> str:
    """Expected act (rows) against found act (columns), shaded by the share of the row."""
    totals: dict[str, int] = {}
    for pair, number in counts.items():
        for name in set(pair):
            totals[name] = totals.get(name, 0) + number
    names = sorted(sorted(totals, key=lambda name: (-totals[name], name))[:MAX_ACTS])
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _start(2.4 + 0.34 * len(names), 2.2 + 0.34 * len(names))
        rows = [[counts.get((expected, found), 0) for found in names] for expected in names]
        axes.pcolormesh([[n / max(1, sum(row)) for n in row] for row in rows], cmap="Blues", vmin=0, vmax=1)
        for y, row in enumerate(rows):
            for x, number in enumerate(row):
                if number:
                    colour = "white" if number > 0.6 * sum(row) else "black"
                    axes.text(x + 0.5, y + 0.5, str(number), ha="center", va="center", color=colour, size=8)
        ticks = [place + 0.5 for place in range(len(names))]
        axes.set_xticks(ticks, [_name(name) for name in names], rotation=90)
        axes.set_yticks(ticks, [_name(name) for name in names])
        axes.invert_yaxis()
        axes.set(xlabel="found", ylabel="expected")
        return _finish(figure, label)


def draw_reliability(before: Reliability, after: Reliability, label: str) -> str:
    """Share right against confidence; on the diagonal the confidence is what it says."""
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _start(5.0, 4.6)
        axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="ideal")
        for side, found, colour, marker in (("before", before, BEFORE, "s"), ("after", after, AFTER, "o")):
            sure = [one.confidence for one in found.bins]
            axes.plot(sure, [one.right / one.n for one in found.bins], color=colour, marker=marker, label=side)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="mean confidence", ylabel="share right")
        axes.legend(frameon=False)
        return _finish(figure, label)


def draw_training(eval_losses: Sequence[tuple[int, float]], train_loss: float, label: str) -> str:
    """Eval loss by step, and the training loss at the end."""
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _start(6.4, 3.6)
        steps, losses = [step for step, _ in eval_losses], [loss for _, loss in eval_losses]
        axes.plot(steps, losses, color=AFTER, marker="o", label="eval loss")
        axes.axhline(train_loss, color=BEFORE, linestyle="--", label="training loss, last steps")
        axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
        axes.legend(frameon=False)
        return _finish(figure, label)


def draw_bars(values: Mapping[str, float], label: str, unit: str) -> str:
    """One bar for each value."""
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _start(6.4, 1.0 + 0.34 * len(values))
        bars = axes.barh(range(len(values)), list(values.values()), color=AFTER)
        axes.bar_label(bars, [f"{value:g}" for value in values.values()], padding=3)
        axes.set_yticks(range(len(values)), [_name(name) for name in values])
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.margins(x=0.12)
        return _finish(figure, label)


def _name(text: str) -> str:
    """A label that XML can hold and that leaves room for the plot."""
    shown = "".join(char if char.isprintable() else "?" for char in text[: _MAX_LABEL + 1])
    return shown if len(shown) <= _MAX_LABEL else f"{shown[: _MAX_LABEL - 1]}…"


def _start(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure (inches) with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _finish(figure: Figure, label: str) -> str:
    """The figure as an ``<svg>`` for an HTML page: ``label`` is its name for those who cannot see it."""
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's own fonts draw the text
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    root = ElementTree.fromstring(file.getvalue())  # noqa: S314 - written by matplotlib a moment ago
    mark = re.sub(r"\W+", "-", label.lower()).strip("-")
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        plain = {_plain(key): _rename(value, key, mark) for key, value in element.attrib.items() if key != "style"}
        element.attrib = {**plain, **_presentation(element.get("style", ""), mark)}
    size = {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": label}
    root.attrib = {**size, "stroke-linejoin": "round", "stroke-linecap": "butt"}
    return ElementTree.tostring(root, encoding="unicode")


def _plain(key: str) -> str:
    return "href" if key == _XLINK else key.rpartition("}")[2]


def _rename(value: str, key: str, mark: str) -> str:
    """Ids are the figure's own: two figures stand in one page."""
    if key == "id":
        return f"{mark}-{value}"
    return f"#{mark}-{value[1:]}" if key == _XLINK else value.replace("url(#", f"url(#{mark}-")


def _presentation(style: str, mark: str) -> dict[str, str]:
    """A style as attributes of their own; the page forbids styles."""
    attributes = {}
    for declaration in filter(str.strip, style.split(";")):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font" and (font := _FONT.search(value)):
            attributes["font-size"] = font["size"]
        elif key != "font":
            attributes[key] = _rename(value, key, mark)
    return attributes
