"""The manifest beside a trained LoRA adapter: with it the output folder is a checkpoint that the box can take in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

from shopbot import DEFAULT_MODEL, DIALOGUE_ACTS, PROMPT_FORMAT, Manifest, ModelError, read_manifest, write_manifest
from shopbot_refine.dataset import Example, file_fingerprint
from shopbot_refine.settings import TrainReport


def describe(
    output: Path,
    report: TrainReport,
    *,
    base: Path,
    examples: Iterable[Example],
    init_lora: Path | None,
    name: str = "",
) -> Manifest:
    """Write ``manifest.json`` to the folder of a finished run.

    The checkpoint is called ``name``, or like the folder. Where training went on from another checkpoint's adapter,
    that one is its parent, and what it knew is known still: its tools, and how its confidence is used. It is not
    through its gate: it has not been evaluated yet.
    """
    sha256 = file_fingerprint(base)
    acts = {act.partition("(")[0] for example in examples if not example.demonstrations for act in example.acts}
    parent = _manifest_of(init_lora)
    manifest = Manifest.model_validate(
        {
            "name": name or re.sub(r"[^A-Za-z0-9._-]+", "-", output.resolve().name).strip("-._")[:100] or "trained",
            "base": {"source": DEFAULT_MODEL.source if sha256 == DEFAULT_MODEL.sha256 else str(base), "sha256": sha256},
            "lora": {"file": report.lora, "sha256": file_fingerprint(output / report.lora)},
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
