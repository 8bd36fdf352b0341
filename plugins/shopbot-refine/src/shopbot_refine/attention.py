"""Causal attention with rotary positions for training: many short rows behind tokens that all of them begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shopbot import ModelError


@dataclass(frozen=True, slots=True)
class Attention:
    """The shape of a llama's attention, which holds no weights. ``frequencies`` (head_size / 2,) of the positions."""

    heads: int
    kv_heads: int
    head_size: int
    frequencies: Tensor

    @classmethod
    def of(cls, model: Any, device: torch.device) -> Attention:
        """That of a transformers llama. Raises :class:`ModelError` for one that is not plain."""
        config = model.config
        rope = getattr(config, "rope_parameters", None) or {}
        if rope.get("rope_type", "default") != "default" or config.attention_bias or config.mlp_bias:
            raise ModelError("The base has scaled rotary positions or biases.", remedy="Train on a plain llama.")
        heads = int(config.num_attention_heads)
        head_size = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
        frequencies = model.model.rotary_emb.inv_freq.detach().float().to(device)
        return cls(heads, int(config.num_key_value_heads), head_size, frequencies)

    def rotation(self, rows: int, own: int, shared: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines (tokens, 1, head_size / 2) for ``rows`` of ``own`` tokens behind the ``shared`` ones."""
        positions = torch.cat([torch.arange(shared), torch.arange(shared, shared + own).repeat(rows)])
        angles = positions.to(self.frequencies.device)[:, None].float() * self.frequencies
        return angles.cos()[:, None], angles.sin()[:, None]

    def __call__(self, qkv: Tensor, rotation: tuple[Tensor, Tensor], rows: int, shared: int) -> Tensor:
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


def flatten(tokens: Tensor, shared: int) -> Tensor:
    """(rows, length) → the shared tokens once, then each row's own, in one line."""
    return torch.cat([tokens[0, :shared], tokens[:, shared:].reshape(-1)])


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
