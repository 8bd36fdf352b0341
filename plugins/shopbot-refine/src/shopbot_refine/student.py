"""A smaller student: some blocks of its parent, trained whole.

The student begins as every k-th block of the dense parent (the base with its LoRA adapter merged), as DistilBERT does
(Sanh et al., 2019, section 3), the first block and the last among them, and all its weights learn: what the blocks
between did has to be learnt by those that are left. The weights are float32, products with them bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from shopbot import ConfigError, ModelError
from shopbot_refine.attention import Attention, flatten
from shopbot_refine.base import header_value, load_model, read_header
from shopbot_refine.batches import Render
from shopbot_refine.dataset import Example, file_fingerprint
from shopbot_refine.llama import swi_glu
from shopbot_refine.loop import TrainingRun, Weights
from shopbot_refine.lora import GROUPS
from shopbot_refine.lora_gguf import load_lora_gguf
from shopbot_refine.settings import Progress, TrainReport, TrainSettings
from shopbot_refine.student_gguf import save_student_gguf

STUDENT_FILE = "student.gguf"


def count_blocks(base: Path) -> int:
    """How many blocks a base has. Raises :class:`ModelError`."""
    count = header_value(read_header(base), "llama.block_count")
    if not isinstance(count, int):
        raise ModelError(f"{base} is no llama.", remedy="Use a base of architecture 'llama'.")
    return count


def choose_blocks(count: int, kept: int) -> tuple[int, ...]:
    """Which ``kept`` of ``count`` blocks a student begins with: evenly spread, the first and the last among them.

    Raises :class:`ConfigError` unless there are fewer than before, and two at least.
    """
    if not 2 <= kept < count:
        raise ConfigError(
            f"A student with {kept} blocks cannot be made of a model with {count}.",
            remedy=f"Give a share that leaves 2 to {count - 1} blocks.",
        )
    return tuple(round(n * (count - 1) / (kept - 1)) for n in range(kept))


def train_student(
    examples: Sequence[Example],
    *,
    eval_examples: Sequence[Example],
    base: Path,
    lora: Path | None,
    blocks: Sequence[int],
    output: Path,
    settings: TrainSettings,
    render: Render,
    progress: Callable[[Progress], None] | None = None,
    fresh: bool = False,
) -> TrainReport:
    """Train a student that begins as these ``blocks`` of ``base`` with ``lora`` merged; write :data:`STUDENT_FILE`, a
    base in its own right, and ``train.json`` to ``output``.

    Of the ``settings``, those of an adapter do not count. It is stopped, resumed and refused like
    :func:`shopbot_refine.train.train`.
    """
    identity = {"blocks": list(blocks), "lora": file_fingerprint(lora) if lora else None}
    run = TrainingRun(
        examples,
        eval_examples,
        base,
        output,
        settings,
        render,
        open_learner=lambda device: Student(base, lora, blocks, device),
        file=STUDENT_FILE,
        identity={**settings.identity(), **identity},
    )
    return run(progress, fresh=fresh)


class Student:
    """Some blocks of a dense llama, all weights trained. ``named``: GGUF name → weight, rows in transformers' order."""

    def __init__(
        self,
        base: Path,
        lora: Path | None,
        blocks: Sequence[int],
        device: torch.device,
        *,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        model = load_model(base, torch.float32)
        self._base, self._blocks, self._dtype = base, len(blocks), dtype
        self._attention = Attention.of(model, device)
        self._epsilon = float(model.config.rms_norm_eps)
        if lora is not None:
            _merge(model, lora, self._attention)
        weights = _weights_of(model, blocks)
        is_tied = all(tensor.name != "output.weight" for tensor in read_header(base).tensors)
        if is_tied:
            del weights["output.weight"]
        self._vocabulary = "token_embd.weight" if is_tied else "output.weight"
        self.named = {name: nn.Parameter(weight.to(device)) for name, weight in weights.items()}

    def hidden_states(self, tokens: Tensor, *, shared: int) -> Tensor:
        """(rows, length), the first ``shared`` columns the same in all → (rows, length - shared, hidden)."""
        rows, own = tokens.shape[0], tokens.shape[1] - shared
        rotation = self._attention.rotation(rows, own, shared)
        embedding = self.named["token_embd.weight"]
        x = functional.embedding(flatten(tokens, shared).to(embedding.device), embedding)
        for number in range(self._blocks):
            qkv = self._linear(self._norm(x, f"blk.{number}.attn_norm.weight"), number, "qkv")
            x = x + self._linear(self._attention(qkv, rotation, rows, shared), number, "output").float()
            both = self._linear(self._norm(x, f"blk.{number}.ffn_norm.weight"), number, "gate_up")
            x = x + self._linear(swi_glu(both), number, "down").float()
        return self._norm(x[shared:], "output_norm.weight").view(rows, own, -1)

    def logits(self, hidden: Tensor) -> Tensor:
        """(n, hidden) → (n, vocabulary), float32."""
        return functional.linear(hidden, self.named[self._vocabulary].to(self._dtype)).float()

    def copy(self) -> Weights:
        """The weights as they are now, on the CPU, not shared."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self.named.items()}

    def set(self, weights: Weights) -> None:
        """Overwrite the weights. Raises ValueError when names differ."""
        if weights.keys() != self.named.keys():
            raise ValueError("the weights are another student's")
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(weights[name])

    def save(self, path: Path, weights: Weights) -> None:
        """Write ``weights`` as a base of their own, quantised, atomically."""
        heads, kv_heads = self._attention.heads, self._attention.kv_heads
        save_student_gguf(path, weights, base=self._base, blocks=self._blocks, heads=heads, kv_heads=kv_heads)

    def _linear(self, x: Tensor, number: int, group: str) -> Tensor:
        weights = [self.named[f"blk.{number}.{member.tensor}.weight"].to(self._dtype) for member in GROUPS[group]]
        return functional.linear(x, torch.cat(weights))

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight = self.named[name]
        return functional.rms_norm(x, tuple(weight.shape), weight, self._epsilon).to(self._dtype)


def _merge(model: Any, lora: Path, attention: Attention) -> None:
    """Add an adapter to the dense weights. Raises :class:`ModelError` where it does not fit."""
    file = load_lora_gguf(lora, heads=attention.heads, kv_heads=attention.kv_heads)
    scale = file.alpha / file.rank
    try:
        for number, layer in enumerate(model.model.layers):
            for member in (member for members in GROUPS.values() for member in members):
                name = f"blk.{number}.{member.tensor}.weight"
                low, high = file.weights[f"{name}.lora_a"], file.weights[f"{name}.lora_b"]
                layer.get_submodule(member.module).weight += scale * high @ low
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"{lora} does not fit its base ({error}).", remedy="Give the adapter of this base.") from error


def _weights_of(model: Any, blocks: Sequence[int]) -> Weights:
    """The weights of some blocks, numbered anew, and of what stands before and behind them."""
    found = {
        "token_embd.weight": model.model.embed_tokens.weight,
        "output_norm.weight": model.model.norm.weight,
        "output.weight": model.lm_head.weight,
    }
    for number, block in enumerate(blocks):
        layer = model.model.layers[block]
        found[f"blk.{number}.attn_norm.weight"] = layer.input_layernorm.weight
        found[f"blk.{number}.ffn_norm.weight"] = layer.post_attention_layernorm.weight
        for member in (member for members in GROUPS.values() for member in members):
            found[f"blk.{number}.{member.tensor}.weight"] = layer.get_submodule(member.module).weight
    return {name: weight.detach().clone() for name, weight in found.items()}
