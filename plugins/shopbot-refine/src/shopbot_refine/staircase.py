"""The staircase: generation after generation, each from the one before, each taught what that one still lacks.

A generation is a run. Its parent is the last one's checkpoint, if that passed its gate; its logs are the same; its
teacher is asked to write where the last one erred (see :mod:`shopbot_refine.steering`), and it learns what all
generations before it were taught. Everything that ties them is in the runs' own settings, so a staircase that was
stopped goes on with the newest run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shopbot import CheckpointStore, Config, PluginManager, home, locate_model
from shopbot_refine.comparison import Comparison, compare
from shopbot_refine.dataset import fingerprint
from shopbot_refine.evaluate import find_contender
from shopbot_refine.pipeline import Pipeline
from shopbot_refine.runs import Run, RunSettings, create_run, earlier_runs, list_runs, start_run
from shopbot_refine.scores import GOLDEN, Pair, read_pairs
from shopbot_refine.shrink import Shrunk, promote, shrink
from shopbot_refine.speed import measure_ms
from shopbot_refine.stages import StageReport, rows_path, run_step
from shopbot_refine.steering import read_errors
from shopbot_refine.student import count_blocks
from shopbot_refine.suite import build_suite

Watching = Callable[[Pipeline], AbstractContextManager[None]]
Tell = Callable[[StageReport], None]


@dataclass(frozen=True, slots=True)
class Share:
    """``passed`` of ``n`` cases, with the 95 % interval of the share."""

    passed: int
    n: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.passed}/{self.n} ({100 * self.low:.1f} to {100 * self.high:.1f} %)"


@dataclass(frozen=True, slots=True)
class Step:
    """A checkpoint on the staircase; ``generation`` 0 is the one it began with. Sizes in bytes, of the LoRA adapter and
    of the base it runs on; ``ms`` is the median time of a call on this box."""

    generation: int
    checkpoint: str
    blocks: int
    lora_bytes: int
    model_bytes: int
    ms: float
    golden: Share
    rows: Share
    passed: bool


@dataclass(frozen=True, slots=True)
class Staircase:
    """What came of it. ``stopped``: why it went no further than it did, in a sentence; empty: it went all the way."""

    steps: tuple[Step, ...]
    stopped: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_table(self) -> str:
        """The steps in columns."""
        head = ("generation", "checkpoint", "blocks", "LoRA MB", "model MB", "ms a call", "golden", "eval rows", "gate")
        rows = [head, *map(_cells, self.steps)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in lines)


def run_generations(
    config: Config,
    wanted: RunSettings,
    count: int,
    *,
    plugins: PluginManager,
    watch: Watching = lambda pipeline: nullcontext(),
    tell: Tell = lambda report: None,
) -> Staircase:
    """Start a run and let ``count`` generations come of it; see :func:`climb`. Raises what starting a run raises."""
    first = start_run(config, replace(wanted, generations=count))
    return climb(first, config, plugins=plugins, watch=watch, tell=tell)


def climb(
    run: Run,
    config: Config,
    *,
    plugins: PluginManager,
    watch: Watching = lambda pipeline: nullcontext(),
    tell: Tell = lambda report: None,
) -> Staircase:
    """Do what is left of a run and of the generations after it, and, if one is wanted, the smaller student at the end.

    A checkpoint that passed its gate is put in force at once. ``watch`` is open while a run's stages work, ``tell``
    hears of each. Raises what the stages raise, so :class:`~shopbot_refine.pipeline.WaitingError` without a network:
    calling it again with the newest run goes on.
    """
    steps = [step for earlier in earlier_runs(run) for step in _steps(earlier, config, plugins)]
    stopped = ""
    while True:
        pipeline = Pipeline(run, config, plugins=plugins)
        with watch(pipeline):
            for _, work in pipeline.stages():
                tell(work())
        steps += _steps(run, config, plugins)
        if not steps[-1].passed:
            stopped = _why(run)
            break
        pipeline.promote()
        if run.settings.generation >= run.settings.generations:
            break
        run = _following(run) or _begin_next(run)
    if run.settings.shrink:
        with watch(pipeline):
            small = shrink(pipeline)
        steps.append(_step_of(small, run, config, plugins))
        if small.verdict.passed:
            promote(pipeline, small)
        else:
            why = f"The student '{small.checkpoint}' is not accepted: {small.verdict.summary}"
            stopped = f"{stopped} {why}".strip()
    return Staircase(tuple(steps), stopped)


def _begin_next(run: Run) -> Run:
    """The run after one whose checkpoint passed its gate: the same logs, another parent, and its errors to learn of."""
    checkpoint = f"refine-{run.name}"
    manifest = CheckpointStore(home()).load(checkpoint).manifest
    confusions, missed = read_errors(read_pairs(rows_path(run.folder, "evaluate")), manifest.threshold)
    return create_run(
        replace(
            run.settings,
            parent=checkpoint,
            generation=run.settings.generation + 1,
            previous=run.name,
            confusions=tuple((wrong, right, times) for (wrong, right), times in sorted(confusions.items())),
            missed=tuple(sorted(missed.items())),
        )
    )


def _following(run: Run) -> Run | None:
    """The generation after this one, where it was begun before."""
    return next((other for other in list_runs() if other.settings.previous == run.name), None)


def _why(run: Run) -> str:
    wanted = run.settings
    report = CheckpointStore(home()).load(f"refine-{run.name}").manifest.gate.report
    return (
        f"Generation {wanted.generation} of {wanted.generations} did not pass its gate, and '{wanted.parent}' stays in "
        f"force: {report}."
    )


# ── the table ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _steps(run: Run, config: Config, plugins: PluginManager) -> list[Step]:
    """What a finished run adds: its checkpoint, and before the first generation's the one it began with."""
    pairs = read_pairs(rows_path(run.folder, "evaluate"))
    number, checkpoint = run.settings.generation, f"refine-{run.name}"
    passed = CheckpointStore(home()).load(checkpoint).manifest.gate.passed
    golden, rows = _comparisons(pairs)
    steps = []
    if number == 1:
        before = _parent_share(golden), _parent_share(rows)
        steps.append(_step(0, run.settings.parent, *before, True, run=run, config=config, plugins=plugins))
    after = _candidate_share(golden), _candidate_share(rows)
    return [*steps, _step(number, checkpoint, *after, passed, run=run, config=config, plugins=plugins)]


def _step_of(small: Shrunk, run: Run, config: Config, plugins: PluginManager) -> Step:
    golden, rows = map(_candidate_share, _comparisons(small.pairs))
    number, passed = run.settings.generation, small.verdict.passed
    return _step(number, small.checkpoint, golden, rows, passed, run=run, config=config, plugins=plugins)


def _step(
    generation: int,
    name: str,
    golden: Share,
    rows: Share,
    passed: bool,
    *,
    run: Run,
    config: Config,
    plugins: PluginManager,
) -> Step:
    checkpoint = CheckpointStore(home()).load(name)
    model = locate_model(checkpoint.base_source(config.model.source), sha256=checkpoint.manifest.base.sha256)
    lora = checkpoint.lora_path
    contender = find_contender(name, config=config, plugins=plugins)

    def measure() -> tuple[str, int, dict[str, Any]]:
        suite = build_suite(plugins, [Path(path) for path in run.settings.eval_sets], seed=run.settings.seed)
        messages = [row for name in suite.names if name != GOLDEN for row in suite.sets[name]]
        return "", len(messages), {"ms": measure_ms(contender, messages, plugins=plugins)}

    # measured once: another time the box may be busy, and a table that changes when it is looked at is no record
    weights = [checkpoint.manifest.base.sha256, checkpoint.manifest.lora.sha256 if checkpoint.manifest.lora else ""]
    ms = run_step(run.folder / "speed", name, identity=fingerprint(weights), work=measure).details["ms"]
    return Step(
        generation,
        name,
        count_blocks(model),
        lora.stat().st_size if lora else 0,
        model.stat().st_size,
        ms,
        golden,
        rows,
        passed,
    )


def _comparisons(pairs: Sequence[Pair]) -> tuple[Comparison, Comparison]:
    """(golden cases, rows of all eval sets)."""
    golden = [pair for pair in pairs if pair.candidate.set == GOLDEN]
    return compare(golden), compare(pair for pair in pairs if pair.candidate.set != GOLDEN)


def _candidate_share(found: Comparison) -> Share:
    return Share(found.candidate, found.n, *found.candidate_interval)


def _parent_share(found: Comparison) -> Share:
    return Share(found.parent, found.n, *found.parent_interval)


def _cells(step: Step) -> tuple[str, ...]:
    return (
        str(step.generation),
        step.checkpoint,
        str(step.blocks),
        f"{step.lora_bytes / 1e6:.1f}",
        f"{step.model_bytes / 1e6:.1f}",
        f"{step.ms:.0f}",
        str(step.golden),
        str(step.rows),
        "passed" if step.passed else "not met",
    )
