"""``shopbot refine report``: one HTML file that says what a refine run did, read from the run's folder.

The file asks nothing of any network and runs no script: its policy forbids both. What it shows of logs and of the
teacher's answers is hostile text; everything goes through the template's escaping, and nothing is marked as safe but
the style sheet and the plots, which hold names of acts and numbers only. The same folder gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pydantic
from markupsafe import Markup

from shopbot_refine.examples import Table, count_origins, example_tables
from shopbot_refine.runs import REPORT_FILE
from shopbot_refine.score_sections import Section, draw, score_sections
from shopbot_refine.scores import read_pairs
from shopbot_refine.settings import TrainReport
from shopbot_refine.stages import STAGES, StageReport, read_report, rows_path

_TRAINING = pydantic.TypeAdapter(TrainReport)


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict in plain words; ``kind`` is passed, blocked or open."""

    kind: str
    headline: str
    reasons: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


def write_report(folder: Path, *, costs: Mapping[str, float] | None = None) -> Path:
    """Write ``report.html`` to the run's folder, whole or not at all; see :func:`render_report`.

    Raises :class:`OSError` as well.
    """
    path = folder / REPORT_FILE
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(render_report(folder, costs=costs).encode("utf-8", "replace"))
    part.replace(path)
    return path


def render_report(folder: Path, *, costs: Mapping[str, float] | None = None) -> str:
    """The report on a run, finished or not. ``costs``: stage → money spent, in the currency of the prices.

    Raises :class:`~shopbot_refine.scores.ComparisonError` or a DatasetError where a finished stage's file is damaged.
    """
    reports = {stage: report for stage in STAGES if (report := read_report(folder, stage))}
    training, plots = _read_training(folder, reports), _load_plots()
    pairs = read_pairs(rows_path(folder, "evaluate")) if "evaluate" in reports else []
    notes = _notes(reports, training, plots)
    sections = [
        *score_sections(pairs, plots),
        _data_section(folder, reports, costs or {}, plots),
        *([_training_section(training, plots)] if training else []),
        Section("Examples", "Up to ten of each kind, drawn by chance.", folded=example_tables(folder, pairs)),
    ]
    css = (files("shopbot_refine") / "report.css").read_text(encoding="utf-8")
    source = (files("shopbot_refine") / "report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(source).render(
        run=folder.resolve().name,
        verdict=_headline(reports.get("evaluate")),
        notes=notes,
        sections=sections,
        css=Markup(css),  # noqa: S704 - our own file
        css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
    )


def _load_plots() -> ModuleType | None:
    """The module that draws, where matplotlib is installed."""
    try:
        from shopbot_refine import plots
    except ImportError:
        return None
    return plots


def _notes(reports: Mapping[str, StageReport], training: TrainReport | None, plots: ModuleType | None) -> list[str]:
    missing = [stage for stage in STAGES if stage not in reports and not (stage == "train" and training)]
    notes = []
    if missing:
        notes.append(f"The run is not finished. There is no result of: {', '.join(missing)}.")
    if plots is None:
        notes.append("There are no plots: matplotlib is not installed. The tables hold all numbers.")
    evaluate = reports.get("evaluate")
    left_out = evaluate.details.get("left_out") if evaluate else None
    for name, count in sorted(left_out.items()) if isinstance(left_out, dict) else ():
        if count:
            notes.append(f"Eval set '{name}': {count} rows were left out; their tools are not installed here.")
    return notes


def _headline(report: StageReport | None) -> Headline:
    if report is None:
        return Headline("open", "Not evaluated yet: the old model stays until the new one has been judged.")
    details = report.details
    verdict = details.get("verdict")
    if not isinstance(verdict, dict):
        return Headline("open", "The verdict cannot be read: the old model stays. Evaluate again.")
    parent, candidate = details.get("parent"), details.get("candidate")
    reasons, findings = tuple(verdict.get("reasons", ())), tuple(verdict.get("findings", ()))
    if verdict.get("passed") is True:
        return Headline("passed", f"Gate passed: '{candidate}' may serve in place of '{parent}'.", reasons, findings)
    return Headline("blocked", f"Gate not met: '{parent}' stays, '{candidate}' does not serve.", reasons, findings)


# ── data and training ───────────────────────────────────────────────────────────────────────────────────────────


def _data_section(
    folder: Path, reports: Mapping[str, StageReport], costs: Mapping[str, float], plots: ModuleType | None
) -> Section:
    stages, reasons = [], []
    for stage in STAGES:
        report = reports.get(stage)
        kept, rejected = (report.kept, sum(report.rejected.values())) if report else ("–", "–")
        seconds = f"{report.seconds:.1f}" if report else "–"
        if report or stage in costs:
            stages.append((stage, kept, rejected, seconds, f"{costs.get(stage, 0):.4f}"))
        if report:
            reasons += [(f"{stage}: {reason}", number) for reason, number in sorted(report.rejected.items())]
    total = f"{sum(costs.values()):.4f}"
    origins = count_origins(folder)
    drawn: list[Markup] = []
    if bars := {**origins, **dict(reasons)}:
        drawn += draw(plots, "draw_bars", bars, "Rows kept, fixed, written and left out", "rows")
    if any(costs.values()):
        drawn += draw(plots, "draw_bars", dict(costs), "Cost by stage", "money")
    tables = [
        Table("Stages", ("stage", "rows kept", "rows left out", "seconds", "cost"), tuple(stages)),
        Table("What became of the rows", ("origin", "rows"), tuple(origins.items())),
        Table("What was left out, and why", ("stage and reason", "rows"), tuple(reasons)),
    ]
    text = f"What each stage made of the logs. Money spent: {total}, in the currency of the prices."
    return Section("Data and cost", text, tuple(drawn), tuple(table for table in tables if table.rows))


def _training_section(training: TrainReport, plots: ModuleType | None) -> Section:
    drawn: tuple[Markup, ...] = ()
    if training.eval_losses:
        label = "Training curve: eval loss by step"
        drawn = draw(plots, "draw_training", training.eval_losses, training.train_loss, label)
    why = "its eval loss no longer fell" if training.stopped == "patience" else "it had done all steps"
    text = (
        f"{training.examples} examples, {training.steps} steps, {training.tokens} tokens in {training.seconds:.0f} s; "
        f"training stopped because {why}, and the weights of step {training.best_step} were taken. Training loss of "
        f"the last steps: {training.train_loss:.4f}."
    )
    rows = tuple((step, f"{loss:.4f}") for step, loss in training.eval_losses)
    return Section("Training", text, drawn, folded=(Table("Eval losses", ("step", "eval loss"), rows),) if rows else ())


def _read_training(folder: Path, reports: Mapping[str, StageReport]) -> TrainReport | None:
    """What the trainer reported: as the details of the stage, or in a ``train.json`` in the folder or one below."""
    documents: list[bytes] = []
    if "train" in reports:
        documents.append(pydantic.TypeAdapter(dict[str, Any]).dump_json(reports["train"].details))
    paths = (folder / "train.json", *sorted(folder.glob("*/train.json")))
    documents += [path.read_bytes() for path in paths if path.is_file()]
    for document in documents:
        try:
            return _TRAINING.validate_json(document)
        except pydantic.ValidationError:
            continue
    return None
