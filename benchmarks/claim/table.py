"""The claim as a table of text and as a plot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shopbot.evals import wilson

_TITLES = {"routing": "routing", "calls": "calls with swapped arguments", "golden": "golden cases, end state"}
_NAMES = {"135M": "135M", "half": "half its blocks", "linear": "linear"}
_ORDER = ("untuned", "raw", "refined", "true")


def text(found: dict[str, Any]) -> str:
    """A Markdown table: mean over the seeds, and the 95 % interval of the pooled answers."""
    parts = [part for part in _TITLES if any(score["part"] == part for score in found["scores"])]
    lines = [
        f"| model | learnt from | {' | '.join(_TITLES[part] for part in parts)} |",
        "|---" * (2 + len(parts)) + "|",
    ]
    for kind, data in _pairs(found):
        cells = [_cell(found, kind, data, part) for part in parts]
        lines.append(f"| {_NAMES[kind]} | {data} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(found: dict[str, Any], path: Path) -> None:
    """One panel a question: models side by side, a bar for what each learnt from."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parts = [part for part in _TITLES if any(score["part"] == part for score in found["scores"])]
    kinds = [kind for kind in _NAMES if any(score["kind"] == kind for score in found["scores"])]
    colours = dict(zip(_ORDER, ("#bbbbbb", "#d98c5f", "#3f7cac", "#2f4858"), strict=True))
    figure, panels = plt.subplots(1, len(parts), figsize=(4.2 * len(parts), 3.6), sharey=True, squeeze=False)
    for panel, part in zip(panels[0], parts, strict=True):
        for place, kind in enumerate(kinds):
            for number, data in enumerate(_ORDER):
                right, total = _pooled(found, kind, data, part)
                if not total:
                    continue
                share, (low, high) = right / total, wilson(right, total)
                at = place + (number - 1.5) * 0.2
                panel.bar(at, share, 0.19, color=colours[data], label=data if not place else None)
                panel.errorbar(at, share, [[share - low], [high - share]], color="black", linewidth=0.8, capsize=2)
        panel.set_title(_TITLES[part], fontsize=10)
        panel.set_xticks(range(len(kinds)), [_NAMES[kind] for kind in kinds])
        panel.set_ylim(0, 1)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("share right (95 % interval)")
    panels[0][-1].legend(*panels[0][0].get_legend_handles_labels(), frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _pairs(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in _NAMES:
        for data in _ORDER:
            if any(score["kind"] == kind and score["data"] == data for score in found["scores"]):
                yield kind, data


def _pooled(found: dict[str, Any], kind: str, data: str, part: str) -> tuple[int, int]:
    rows = [score for score in found["scores"] if (score["kind"], score["data"], score["part"]) == (kind, data, part)]
    return sum(row["right"] for row in rows), sum(row["of"] for row in rows)


def _cell(found: dict[str, Any], kind: str, data: str, part: str) -> str:
    right, total = _pooled(found, kind, data, part)
    if not total:
        return ""
    low, high = wilson(right, total)
    return f"{right / total:.1%} [{low:.1%}, {high:.1%}] n={total}".replace("%", " %")
