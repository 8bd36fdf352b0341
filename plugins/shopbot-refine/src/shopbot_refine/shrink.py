"""A smaller student of a run's checkpoint: trained on the run's set, and judged against its parent like any candidate.

It may lose a stated share of the cases against its parent, over all golden cases and over all eval rows; the gate's
other rules hold as they are: safety cases all pass, no tool loses more than ``gate_tool_loss``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot import CheckpointStore, home, locate_model, render_prompt
from shopbot_refine.dataset import fingerprint
from shopbot_refine.evaluate import find_contender, run_evaluate
from shopbot_refine.gate import Verdict, record
from shopbot_refine.learning import is_same_training
from shopbot_refine.manifest import describe_student, take_in
from shopbot_refine.pipeline import Pipeline, Progress
from shopbot_refine.scores import Pair, read_pairs
from shopbot_refine.settings import TrainSettings
from shopbot_refine.stages import rows_path, run_step
from shopbot_refine.student import choose_blocks, count_blocks, train_student
from shopbot_refine.suite import build_suite

VERSION = 1
#: All weights learn, from a model with a hole in it: longer than a LoRA adapter, and with smaller steps.
EPOCHS, LR = 3.0, 3e-4
#: The state of a full training is large: six times the student's weights in float32.
_SAVE_EVERY = 250
_PROMOTED = ".promoted"


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A student: its ``checkpoint``, of ``blocks`` blocks where its ``parent`` has ``parent_blocks``; ``verdict`` says
    whether it may serve in its parent's place."""

    checkpoint: str
    parent: str
    blocks: int
    parent_blocks: int
    verdict: Verdict
    pairs: tuple[Pair, ...]


def shrink(pipeline: Pipeline, *, epochs: float = EPOCHS, lr: float = LR) -> Shrunk:
    """Make a student of the run's checkpoint, or, where that did not pass its gate, of the one it started from.

    How small, and how near it must stay, is in the run's settings. Its files are in the run's folder ``shrink``; like a
    stage it is resumed, and not done twice. Raises what the stages ``train`` and ``evaluate`` raise.
    """
    store, wanted = CheckpointStore(home()), pipeline.run.settings
    candidate = store.load(pipeline.checkpoint)
    parent = candidate if candidate.manifest.gate.passed else store.load(wanted.parent)
    base = locate_model(parent.base_source(pipeline.config.model.source), sha256=parent.manifest.base.sha256)
    count = count_blocks(base)
    blocks = choose_blocks(count, round(count * wanted.shrink))
    settings = TrainSettings(
        lr=lr,
        epochs=epochs,
        max_steps=wanted.max_steps,
        token_budget=wanted.token_budget,
        save_every=_SAVE_EVERY,
        seed=wanted.seed,
    )
    folder, name = pipeline.folder / "shrink", f"{pipeline.checkpoint}-small"
    output = folder / "train"
    identity = fingerprint(
        [
            str(VERSION),
            pipeline.result("train"),
            json.dumps([settings.identity(), wanted.replay, blocks, parent.manifest.name], sort_keys=True),
        ]
    )

    def work() -> tuple[str, int, dict[str, Any]]:
        examples, eval_examples = pipeline.sets()
        report = train_student(
            examples,
            eval_examples=eval_examples,
            base=base,
            lora=parent.lora_path,
            blocks=blocks,
            output=output,
            settings=settings,
            render=render_prompt,
            progress=lambda now: pipeline.watch(Progress("shrink", now.step, now.steps, now.left_s)),
            fresh=not is_same_training(output, identity),
        )
        manifest = describe_student(output, report, examples=examples, parent=parent.manifest, name=name)
        return manifest.base.sha256, report.examples, report.as_json()

    trained = run_step(folder, "train", identity=identity, work=work)
    take_in(output, name, trained.fingerprint)
    verdict, pairs = _judge(pipeline, folder, parent.manifest.name, name)
    return Shrunk(name, parent.manifest.name, len(blocks), count, verdict, tuple(pairs))


def promote(pipeline: Pipeline, small: Shrunk) -> None:
    """Put the student in force, once: what was put in force since then stays.

    Raises :class:`~shopbot.GateError` where it was not accepted.
    """
    mark = pipeline.folder / "shrink" / _PROMOTED
    if not mark.is_file():
        CheckpointStore(home()).promote(small.checkpoint)
        mark.touch()


def _judge(pipeline: Pipeline, folder: Path, parent: str, student: str) -> tuple[Verdict, list[Pair]]:
    """Both on the same suite; the verdict goes into the student's manifest."""
    wanted, config, plugins = pipeline.run.settings, pipeline.config, pipeline.plugins
    _, verdict = run_evaluate(
        folder,
        find_contender(parent, config=config, plugins=plugins),
        find_contender(student, config=config, plugins=plugins),
        build_suite(plugins, [Path(path) for path in wanted.eval_sets], seed=wanted.seed),
        config=config,
        refine=pipeline.refine.model_copy(update={"gate_loss": wanted.shrink_loss}),
        plugins=plugins,
        progress=lambda now: pipeline.watch(Progress("judge the student", now.done, now.total, now.left_s)),
    )
    pairs = read_pairs(rows_path(folder, "evaluate"))
    record(CheckpointStore(home()).load(student).folder, verdict, pairs)
    return verdict, pairs
