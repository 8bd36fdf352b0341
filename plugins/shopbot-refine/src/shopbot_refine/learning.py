"""The last two stages of the loop: ``train`` makes a candidate from the exported set, ``evaluate`` judges it.

Each works on the :class:`~shopbot_refine.pipeline.Pipeline` of its run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shopbot import CheckpointStore, home, locate_model, render_prompt
from shopbot_refine.dataset import fingerprint
from shopbot_refine.evaluate import find_contender, run_evaluate
from shopbot_refine.gate import record
from shopbot_refine.manifest import describe, take_in
from shopbot_refine.pipeline import Pipeline, Progress
from shopbot_refine.scores import read_pairs
from shopbot_refine.settings import ACTIVATION_BITS, TrainSettings
from shopbot_refine.stages import StageReport, rows_path, run_step
from shopbot_refine.suite import build_suite
from shopbot_refine.threads import calm_threads

VERSION = 1
_IDENTITY = ".identity"


def train(pipeline: Pipeline) -> StageReport:
    """The parent's LoRA adapter, trained on; a new one where the parent is a base of its own.

    Raises what training raises; what it had done so far is kept, and gone on from.
    """
    calm_threads()  # before torch, which reads it once
    from shopbot_refine import train as training

    wanted = pipeline.run.settings
    parent = CheckpointStore(home()).load(wanted.parent)
    base = locate_model(parent.base_source(pipeline.config.model.source), sha256=parent.manifest.base.sha256)
    settings = TrainSettings(
        rank=int(parent.manifest.settings.get("rank", 8)),
        epochs=wanted.epochs,
        max_steps=wanted.max_steps,
        lr=wanted.lr,
        token_budget=wanted.token_budget,
        seed=wanted.seed,
        init_lora=parent.lora_path,
        keep=wanted.keep,
        activation_bits=ACTIVATION_BITS,
    )
    output = pipeline.folder / "train"
    parts = [
        str(VERSION),
        pipeline.result("export"),
        json.dumps(settings.identity(), sort_keys=True),
        str(wanted.replay),
        wanted.parent,
        *pipeline.earlier_results(),
    ]
    identity = fingerprint(parts)

    def work() -> tuple[str, int, dict[str, Any]]:
        examples, eval_examples = pipeline.sets()
        report = training.train(
            examples,
            eval_examples=eval_examples,
            base=base,
            output=output,
            settings=settings,
            render=render_prompt,
            progress=lambda now: pipeline.watch(Progress("train", now.step, now.steps, now.left_s)),
            fresh=not is_same_training(output, identity),
        )
        manifest = describe(
            output,
            report,
            base=base,
            examples=examples,
            init_lora=parent.lora_path,
            name=pipeline.checkpoint,
            parent=parent.manifest,
        )
        (output / _IDENTITY).unlink(missing_ok=True)
        assert manifest.lora is not None
        return manifest.lora.sha256, report.examples, report.as_json()

    return run_step(pipeline.folder, "train", identity=identity, work=work)


def is_same_training(output: Path, identity: str) -> bool:
    """Whether an interrupted training in ``output`` is this one; else it is begun anew."""
    path = output / _IDENTITY
    if path.is_file() and path.read_text(encoding="utf-8") == identity:
        return True
    output.mkdir(parents=True, exist_ok=True)
    path.write_text(identity, encoding="utf-8")
    return False


def evaluate(pipeline: Pipeline) -> StageReport:
    """Parent and candidate on the same cases; the verdict goes into the candidate's manifest."""
    wanted, config, plugins = pipeline.run.settings, pipeline.config, pipeline.plugins
    take_in(pipeline.folder / "train", pipeline.checkpoint, pipeline.result("train"))
    report, verdict = run_evaluate(
        pipeline.folder,
        find_contender(wanted.parent, config=config, plugins=plugins),
        find_contender(pipeline.checkpoint, config=config, plugins=plugins),
        build_suite(plugins, [Path(path) for path in wanted.eval_sets], seed=wanted.seed),
        config=config,
        refine=pipeline.refine,
        plugins=plugins,
        progress=lambda now: pipeline.watch(Progress("evaluate", now.done, now.total, now.left_s)),
    )
    folder = CheckpointStore(home()).load(pipeline.checkpoint).folder
    record(folder, verdict, list(read_pairs(rows_path(pipeline.folder, "evaluate"))))
    return report
