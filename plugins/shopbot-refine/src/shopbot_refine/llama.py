"""A llama made for one job: training a LoRA adapter on many short rows, quickly, on a CPU.

What makes it several times faster than the general model: projections that share an input are one matrix; the adapter's
part is added in place; attention over short rows is two batched matrix products instead of a flash kernel; backward
computes no gradient of a frozen weight; and the tokens that all rows begin with (the static part of the prompt) go
through the network once, not once a row. Weights and matrix products are bfloat16, the residual stream and the
softmax float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from shopbot import ModelError
from shopbot_refine.lora import GROUPS, LoraParameters, adapted_linear


@dataclass(frozen=True, slots=True)
class _Block:
    """The frozen weights of one block: by group ``(out, in)``, and the two norms ``(hidden,)``."""

    groups: dict[str, Tensor]
    attention_norm: Tensor
    mlp_norm: Tensor


class TrainingLlama:
    """The frozen weights of a dense transformers llama; the forward pass has an adapter on every linear layer."""

    def __init__(self, model: Any, device: torch.device) -> None:
        config = model.config
        rope = getattr(config, "rope_parameters", None) or {}
        if rope.get("rope_type", "default") != "default" or config.attention_bias or config.mlp_bias:
            raise ModelError("The base has scaled rotary positions or biases.", remedy="Train on a plain llama.")
        self.heads, self.kv_heads = int(config.num_attention_heads), int(config.num_key_value_heads)
        self.head_size = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.epsilon = float(config.rms_norm_eps)
        self.device = device
        self.embedding: Tensor = model.model.embed_tokens.weight.detach().to(device)
        self.vocabulary: Tensor = model.lm_head.weight.detach().to(device)
        self.norm: Tensor = model.model.norm.weight.detach().float().to(device)
        self.frequencies: Tensor = model.model.rotary_emb.inv_freq.detach().float().to(device)
        self.blocks = [self._block(layer) for layer in model.model.layers]

    def _block(self, layer: Any) -> _Block:
        groups = {}
        for group, members in GROUPS.items():
            weights = [layer.get_submodule(member.module).weight.detach() for member in members]
            groups[group] = torch.cat(weights).to(self.device).contiguous()
        norms = [
            n.weight.detach().float().to(self.device) for n in (layer.input_layernorm, layer.post_attention_layernorm)
        ]
        return _Block(groups, *norms)

    def shapes(self) -> dict[str, tuple[int, int]]:
        """GGUF name of every linear layer → (out, in)."""
        out = {"attn_q": self.heads * self.head_size}
        out["attn_k"] = out["attn_v"] = self.kv_heads * self.head_size
        found = {}
        for number, block in enumerate(self.blocks):
            for group, members in GROUPS.items():
                rows, columns = block.groups[group].shape
                for member in members:
                    found[f"blk.{number}.{member.tensor}.weight"] = (
                        out.get(member.tensor, rows // len(members)),
                        columns,
                    )
        return found

    def hidden_states(self, tokens: Tensor, adapter: LoraParameters, *, shared: int) -> Tensor:
        """``tokens`` (rows, length), right-padded, the first ``shared`` columns the same in all rows → the last hidden
        states (rows, length - shared, hidden) of the columns that are not shared. ``shared`` is less than length."""
        rows, own = tokens.shape[0], tokens.shape[1] - shared
        flat = torch.cat([tokens[0, :shared], tokens[:, shared:].reshape(-1)])
        positions = torch.cat([torch.arange(shared), torch.arange(shared, shared + own).repeat(rows)]).to(self.device)
        angles = positions[:, None].float() * self.frequencies
        rotation = angles.cos()[:, None], angles.sin()[:, None]
        x = self.embedding[flat.to(self.device)].float()
        for number, block in enumerate(self.blocks):
            weights = adapter.block(number)
            y = _RmsNorm.apply(x, block.attention_norm, self.epsilon)
            qkv = adapted_linear(y, block.groups["qkv"], weights["qkv"])
            mixed = self._attend(qkv, rotation, rows, shared)
            x = x + adapted_linear(mixed, block.groups["output"], weights["output"]).float()
            y = _RmsNorm.apply(x, block.mlp_norm, self.epsilon)
            gated = _SwiGlu.apply(adapted_linear(y, block.groups["gate_up"], weights["gate_up"]))
            x = x + adapted_linear(gated, block.groups["down"], weights["down"]).float()
        last: Tensor = _RmsNorm.apply(x[shared:], self.norm, self.epsilon)
        return last.view(rows, own, -1)

    def logits(self, hidden: Tensor) -> Tensor:
        """(n, hidden) → (n, vocabulary), float32."""
        return functional.linear(hidden, self.vocabulary).float()

    def _attend(self, qkv: Tensor, rotation: tuple[Tensor, Tensor], rows: int, shared: int) -> Tensor:
        """Causal attention, each row seeing the shared tokens and itself. (tokens, q + k + v) → (tokens, q)."""
        heads, kv_heads, size = self.heads, self.kv_heads, self.head_size
        qkv = qkv.view(len(qkv), heads + 2 * kv_heads, size)
        rotated = _Rotate.apply(qkv[:, : heads + kv_heads], *rotation)
        query, key, value = rotated[:, :heads], rotated[:, heads:], qkv[:, heads + kv_heads :]

        def own(part: Tensor) -> Tensor:  # (tokens, heads, size) → (rows, heads, own, size)
            return part[shared:].view(rows, -1, part.shape[1], size).transpose(1, 2)

        def prefix(part: Tensor) -> Tensor:  # → (1, heads, shared, size)
            return part[:shared].transpose(0, 1)[None]

        keys = torch.cat([prefix(key).expand(rows, -1, -1, -1), own(key)], 2)
        values = torch.cat([prefix(value).expand(rows, -1, -1, -1), own(value)], 2)
        mixed = self._mix(own(query), keys, values).transpose(1, 2).reshape(-1, heads * size)
        if not shared:
            return mixed
        first = self._mix(prefix(query), prefix(key), prefix(value)).transpose(1, 2).reshape(shared, heads * size)
        return torch.cat([first, mixed])

    def _mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(rows, heads, n, size) on (rows, kv_heads, m, size); the last n of the m positions are the queries' own."""
        rows, heads, n, size = query.shape
        m, kv_heads = key.shape[2], key.shape[1]
        # Heads that share a key head become more queries of that one: larger products, no repeated keys.
        query = query.reshape(rows * kv_heads, heads // kv_heads * n, size)
        key, value = key.reshape(rows * kv_heads, m, size), value.reshape(rows * kv_heads, m, size)
        future = torch.full((n, m), float("-inf"), device=query.device).triu(m - n + 1).repeat(heads // kv_heads, 1)
        scores = torch.bmm(query, key.transpose(1, 2)).float() * size**-0.5 + future
        return torch.bmm(scores.softmax(-1).to(value.dtype), value).view(rows, heads, n, size)


class _RmsNorm(torch.autograd.Function):  # type: ignore[misc]
    """float32 (n, hidden) → bfloat16; the weight is frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        scale = (x.square().mean(-1, keepdim=True) + epsilon).rsqrt_()
        normal = x * scale
        ctx.save_for_backward(normal, scale, weight)
        return (normal * weight).to(torch.bfloat16)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        normal, scale, weight = ctx.saved_tensors
        grad = grads[0].float() * weight
        along = (grad * normal).mean(-1, keepdim=True)
        return grad.addcmul_(normal, along, value=-1).mul_(scale), None, None


class _Rotate(torch.autograd.Function):  # type: ignore[misc]
    """Rotary positions on (tokens, heads, size): pairs half a head apart; ``cos`` and ``sin`` (tokens, 1, size / 2)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(grads[0], cos, -sin), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.float().chunk(2, -1)
    result = torch.empty_like(x, memory_format=torch.contiguous_format)
    half = x.shape[-1] // 2
    result[..., :half] = left * cos - right * sin
    result[..., half:] = right * cos + left * sin
    return result


class _SwiGlu(torch.autograd.Function):  # type: ignore[misc]
    """(n, gate + up) → ``silu(gate) * up`` (n, up)."""

    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        gate, up = both.chunk(2, -1)
        open_ = functional.silu(gate)
        ctx.save_for_backward(both, open_)
        return open_ * up

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        both, open_ = ctx.saved_tensors
        gate, up = both.chunk(2, -1)
        result = torch.empty_like(both)
        half = result.shape[-1] // 2
        result[:, :half] = torch.ops.aten.silu_backward(grads[0] * up, gate)
        torch.mul(grads[0], open_, out=result[:, half:])
        return result
