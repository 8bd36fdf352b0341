"""The manifest beside trained weights: with it the output folder is a checkpoint that the box can take in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from shopbot import (
    DEFAULT_MODEL,
    DIALOGUE_ACTS,
    PROMPT_FORMAT,
    CheckpointStore,
    Manifest,
    ModelError,
    home,
    read_manifest,
    write_manifest,
)
from shopbot_refine.dataset import Example, file_fingerprint
from shopbot_refine.settings import TrainReport
from shopbot_refine.stages import StageError


def describe(
    output: Path,
    report: TrainReport,
    *,
    base: Path,
    examples: Iterable[Example],
    init_lora: Path | None,
    name: str = "",
    parent: Manifest | None = None,
) -> Manifest:
    """Write ``manifest.json`` to the folder of a finished run that trained a LoRA adapter.

    The checkpoint is called ``name``, or like the folder. Where training went on from another checkpoint (``parent``,
    or the one that ``init_lora`` lies in), what that one knew is known still: its tools, and how its confidence is
    used. It is not through its gate: it has not been evaluated yet.
    """
    sha256 = file_fingerprint(base)
    source = DEFAULT_MODEL.source if sha256 == DEFAULT_MODEL.sha256 else str(base)
    weights = {
        "base": {"source": source, "sha256": sha256},
        "lora": {"file": report.lora, "sha256": file_fingerprint(output / report.lora)},
    }
    return _describe(output, report, weights, examples=examples, parent=parent or _manifest_of(init_lora), name=name)


def describe_student(
    output: Path, report: TrainReport, *, examples: Iterable[Example], parent: Manifest, name: str
) -> Manifest:
    """Write ``manifest.json`` to the folder of a finished run that trained a smaller student of ``parent``: a base of
    its own, which travels with the checkpoint."""
    sha256 = file_fingerprint(output / report.lora)
    weights = {"base": {"source": parent.base.source, "sha256": sha256, "file": report.lora}}
    return _describe(output, report, weights, examples=examples, parent=parent, name=name)


def take_in(folder: Path, name: str, sha256: str) -> None:
    """Put the checkpoint in ``folder`` among those of this box, unless the very weights (``sha256``) are there.

    Raises :class:`StageError` where the ``name`` is another checkpoint's, :class:`~shopbot.ModelError` for one that is
    not in order.
    """
    store = CheckpointStore(home())
    try:
        manifest = store.load(name).manifest
    except ModelError:
        store.add(folder)
        return
    if (manifest.lora or manifest.base).sha256 != sha256:
        raise StageError(f"There is another checkpoint '{name}' already.", remedy="Start a new run.")


def _describe(
    output: Path,
    report: TrainReport,
    weights: dict[str, Any],
    *,
    examples: Iterable[Example],
    parent: Manifest | None,
    name: str,
) -> Manifest:
    acts = {act.partition("(")[0] for example in examples if not example.demonstrations for act in example.acts}
    manifest = Manifest.model_validate(
        {
            "name": name or re.sub(r"[^A-Za-z0-9._-]+", "-", output.resolve().name).strip("-._")[:100] or "trained",
            **weights,
            "prompt_format": PROMPT_FORMAT,
            "tools": sorted((acts - set(DIALOGUE_ACTS)) | set(parent.tools if parent else ())),
            "parent": parent.name if parent else None,
            "bias": parent.bias if parent else {},
            "calibration": parent.calibration if parent else {},
            "threshold": parent.threshold if parent else 0.0,
            "training_set": report.fingerprint,
            "settings": report.settings,
            "scores": {"eval_loss": report.eval_losses[-1][1]} if report.eval_losses else {},
            "created": datetime.now(timezone.utc),
        }
    )
    write_manifest(output, manifest)
    return manifest


def _manifest_of(lora: Path | None) -> Manifest | None:
    """The manifest of the checkpoint that a LoRA adapter lies in, if it lies in one."""
    if lora is None:
        return None
    try:
        return read_manifest(lora.parent)
    except ModelError:
        return None
