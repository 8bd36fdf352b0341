"""The ``evaluate`` stage: parent and candidate are judged on the same cases, and the gate decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shopbot import CheckpointStore, Config, ConfigError, Manifest, PluginManager, home, open_backend
from shopbot_refine.config import RefineConfig
from shopbot_refine.dataset import fingerprint
from shopbot_refine.gate import Verdict, decide
from shopbot_refine.judging import Contender, Judge, Judging
from shopbot_refine.scores import Pair, pair_scores, read_pairs
from shopbot_refine.stages import StageReport, rows_path, run_stage
from shopbot_refine.suite import Suite

VERSION = 1


def find_contender(name: str, *, config: Config, plugins: PluginManager) -> Contender:
    """A checkpoint of this box. Raises :class:`~shopbot.ModelError` if it is not here or damaged."""
    manifest = CheckpointStore(home()).load(name).manifest
    model = config.model.model_copy(update={"checkpoint": name, "backend": "auto"})
    chosen = config.model_copy(update={"model": model})
    return Contender(manifest, lambda: open_backend(chosen, plugins)[1])


def find_parent(candidate: Manifest) -> str:
    """The name of the candidate's parent; of the newest shipped checkpoint where it has none.

    Raises :class:`ConfigError` where nothing is shipped either.
    """
    if candidate.parent is not None:
        return candidate.parent
    store = CheckpointStore(home())
    shipped = [manifest for manifest in store.list() if store.load(manifest.name).is_shipped]
    if not shipped:
        raise ConfigError(
            "There is no parent and no shipped checkpoint to compare with.", remedy="Install shopbot anew."
        )
    return shipped[-1].name


def run_evaluate(
    folder: Path,
    parent: Contender,
    candidate: Contender,
    suite: Suite,
    *,
    config: Config,
    refine: RefineConfig,
    plugins: PluginManager,
    progress: Callable[[Judging], None] = lambda judging: None,
) -> tuple[StageReport, Verdict]:
    """Judge both on the suite, write ``evaluate.jsonl`` (a pair of scores a line) and ``evaluate.json`` to the run's
    ``folder``, and decide. The manifest is for :func:`shopbot_refine.gate.record`.

    Raises :class:`~shopbot.BackendError` where the engine fails (what was judged is kept),
    :class:`~shopbot_refine.scores.ComparisonError` where there is nothing sound to compare.
    """
    judge = Judge(suite, config=config, plugins=plugins, progress=progress)
    limits = json.dumps([refine.gate_loss, refine.gate_tool_loss])
    names = parent.manifest.name, candidate.manifest.name
    identity = [str(VERSION), limits, *names, *judge.keys(parent.manifest), *judge.keys(candidate.manifest)]
    judged: list[Pair] = []

    def verdict() -> Verdict:
        pairs = judged or read_pairs(rows_path(folder, "evaluate"))
        return decide([pair.parent for pair in pairs], [pair.candidate for pair in pairs], refine)

    def work() -> Iterator[Pair]:
        before, after = judge(parent, candidate)
        judged.extend(pair_scores(before, after))
        verdict()  # what is unsound leaves no report
        yield from judged

    def details() -> dict[str, Any]:
        left_out = dict(suite.left_out)
        return {"parent": names[0], "candidate": names[1], "verdict": verdict().as_json(), "left_out": left_out}

    report = run_stage(folder, "evaluate", identity=fingerprint(identity), work=work, details=details)
    return report, verdict()
