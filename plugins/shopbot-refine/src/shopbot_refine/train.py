"""The ``train`` stage: fit a LoRA adapter to examples and write ``lora.gguf`` and ``train.json``.

How it is stopped, resumed and stopped early: see :mod:`shopbot_refine.loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from shopbot import ModelError
from shopbot_refine.base import load_model
from shopbot_refine.batches import Render
from shopbot_refine.dataset import Example
from shopbot_refine.llama import TrainingLlama
from shopbot_refine.loop import TrainingRun
from shopbot_refine.lora import AdapterWeights, LoraParameters
from shopbot_refine.lora_gguf import load_lora_gguf, save_lora_gguf
from shopbot_refine.settings import Progress, TrainReport, TrainSettings

LORA_FILE = "lora.gguf"


def train(
    examples: Sequence[Example],
    *,
    eval_examples: Sequence[Example],
    base: Path,
    output: Path,
    settings: TrainSettings,
    render: Render,
    progress: Callable[[Progress], None] | None = None,
    fresh: bool = False,
) -> TrainReport:
    """Train on ``examples``; keep the weights that are best on ``eval_examples``; write the files to ``output``.

    An interrupted run in ``output`` is gone on from, a complete one returned as it is, unless ``fresh``. Raises
    :class:`DatasetError` for no usable example, :class:`ConfigError` where ``output`` holds a run of other data or
    settings, :class:`ModelError` for an unusable base or ``init_lora``.
    """
    run = TrainingRun(
        examples,
        eval_examples,
        base,
        output,
        settings,
        render,
        open_learner=lambda device: _LoraLearner(base, settings, device),
        file=LORA_FILE,
        identity=settings.identity(),
    )
    return run(progress, fresh=fresh)


class _LoraLearner:
    """A frozen base with an adapter that is trained."""

    def __init__(self, base: Path, settings: TrainSettings, device: torch.device) -> None:
        self._model = TrainingLlama(load_model(base), device, activation_bits=settings.activation_bits)
        self._settings = settings
        self._adapter = LoraParameters(
            self._model.shapes(),
            rank=settings.rank,
            alpha=settings.alpha,
            seed=settings.seed,
            device=device,
            dtype=self._model.embedding.dtype,
        )
        if settings.init_lora:
            self._start_from(settings.init_lora)
        self._parent = self._adapter.copy() if settings.init_lora and settings.keep else {}
        self.copy, self.set, self.logits = self._adapter.copy, self._adapter.set, self._model.logits

    @property
    def named(self) -> dict[str, nn.Parameter]:
        return self._adapter.named

    def hidden_states(self, tokens: torch.Tensor, *, shared: int) -> torch.Tensor:
        return self._model.hidden_states(tokens, self._adapter, shared=shared)

    def save(self, path: Path, weights: AdapterWeights) -> None:
        keep = self._settings.keep
        mixed = {name: torch.lerp(weights[name], parent, keep) for name, parent in self._parent.items()}
        save_lora_gguf(
            path,
            mixed or weights,
            alpha=self._settings.alpha,
            heads=self._model.heads,
            kv_heads=self._model.kv_heads,
            name="shopbot acts",
        )

    def _start_from(self, path: Path) -> None:
        parent = load_lora_gguf(path, heads=self._model.heads, kv_heads=self._model.kv_heads)
        ratio = (parent.alpha / parent.rank) / (self._settings.alpha / self._settings.rank)
        weights = {name: w * ratio if name.endswith("lora_b") else w for name, w in parent.weights.items()}
        try:
            self._adapter.set(weights)
        except ValueError as error:
            raise ModelError(
                f"{path}: {error}.", remedy=f"Train with --rank {parent.rank}, on its own base."
            ) from error
