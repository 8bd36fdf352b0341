"""A LoRA adapter: two small trained matrices, A (rank, in) and B (out, rank), for every linear layer of a llama.

A layer computes ``x W^T + (alpha / rank) · (x A^T) B^T`` with W frozen. A starts random and B at zero, so that an
untrained adapter changes nothing. The trained matrices are float32; products with them are in the type of ``x``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import nn

AdapterWeights = dict[str, torch.Tensor]  # "blk.0.attn_q.weight.lora_a" → (rank, in); "….lora_b" → (out, rank); float32


class Member(NamedTuple):
    """A linear layer by its name in transformers and in a GGUF."""

    module: str
    tensor: str


# Layers that read the same input are computed as one.
GROUPS = {
    "qkv": (
        Member("self_attn.q_proj", "attn_q"),
        Member("self_attn.k_proj", "attn_k"),
        Member("self_attn.v_proj", "attn_v"),
    ),
    "output": (Member("self_attn.o_proj", "attn_output"),),
    "gate_up": (Member("mlp.gate_proj", "ffn_gate"), Member("mlp.up_proj", "ffn_up")),
    "down": (Member("mlp.down_proj", "ffn_down"),),
}

Pair = tuple[torch.Tensor, torch.Tensor]


class LoraParameters:
    """The trained matrices of an adapter, by GGUF name. ``shapes``: layer name → (out, in)."""

    def __init__(
        self,
        shapes: dict[str, tuple[int, int]],
        *,
        rank: int,
        alpha: float,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.scale, self.dtype = alpha / rank, dtype
        generator = torch.Generator().manual_seed(seed)
        self.named: dict[str, nn.Parameter] = {}
        for layer, (rows, columns) in shapes.items():
            bound = 1 / math.sqrt(columns)
            start = torch.empty(rank, columns).uniform_(-bound, bound, generator=generator)
            self.named[f"{layer}.lora_a"] = nn.Parameter(start.to(device))
            self.named[f"{layer}.lora_b"] = nn.Parameter(torch.zeros(rows, rank, device=device))

    def block(self, number: int) -> dict[str, Pair]:
        """For each group of a block: A's stacked (ranks, in), and B's on a diagonal (out, ranks), scaled."""
        pairs = {}
        for group, members in GROUPS.items():
            names = [f"blk.{number}.{member.tensor}.weight" for member in members]
            low = torch.cat([self.named[f"{name}.lora_a"] for name in names])
            high = torch.block_diag(*[self.named[f"{name}.lora_b"] for name in names]) * self.scale
            pairs[group] = (low.to(self.dtype), high.to(self.dtype))
        return pairs

    def copy(self) -> AdapterWeights:
        """The weights as they are now, on the CPU, not shared."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self.named.items()}

    def set(self, weights: AdapterWeights) -> None:
        """Overwrite the weights. Raises ValueError when names or shapes differ."""
        shapes = {name: tuple(parameter.shape) for name, parameter in self.named.items()}
        found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
        differing = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
        if differing:
            raise ValueError(
                f"the LoRA adapter does not fit: {len(differing)} tensors differ, the first is {differing[0]}"
            )
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(weights[name])


def adapted_linear(x: torch.Tensor, weight: torch.Tensor, pair: Pair) -> torch.Tensor:
    """(n, in) → (n, out) through a frozen weight (out, in) and an adapter's pair."""
    result: torch.Tensor = _AdaptedLinear.apply(x, weight, *pair)
    return result


class _AdaptedLinear(torch.autograd.Function):  # type: ignore[misc]
    """One function, so that the adapter's part is added in place, and nothing is kept for the frozen weight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        inner = x @ low.T
        ctx.save_for_backward(x, weight, low, high, inner)
        return (x @ weight.T).addmm_(inner, high.T)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor, torch.Tensor]:
        x, weight, low, high, inner = ctx.saved_tensors
        grad = grads[0].contiguous()
        inner_grad = grad @ high
        x_grad = (grad @ weight).addmm_(inner_grad, low)
        return x_grad, None, inner_grad.T @ x, (inner.T @ grad).T
