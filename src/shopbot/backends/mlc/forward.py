"""A model's forward pass in numpy: plain and exact, for judging weights. It takes them one layer after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.convert import Parameters
from shopbot.backends.mlc.quantization import Array, qkv_name


def logits(parameters: Parameters, config: ModelConfig, tokens: Sequence[int]) -> Array:
    """The logits after each of the ``tokens``: float32 [n, vocabulary].

    ``parameters`` in their order; one layer and the embeddings are in memory at a time.
    """
    stream = _Stream(parameters)
    embeddings = stream.take("model.embed_tokens.weight")
    states: Array = embeddings[np.asarray(tokens)]
    cosines = _cosines(len(tokens), config)
    for layer in range(config.num_hidden_layers):
        states = _layer(states, stream, f"model.layers.{layer}", cosines, config)
    states = _normed(states, stream.take("model.norm.weight"), config)
    head = embeddings if config.tie_word_embeddings else stream.take("lm_head.weight")
    return np.asarray(states @ head.T)


class _Stream:
    """Parameters in their order, each taken by its name."""

    def __init__(self, parameters: Parameters) -> None:
        self._rest: Iterator[tuple[str, Array]] = iter(parameters)

    def take(self, expected: str) -> Array:
        name, array = next(self._rest)
        if name != expected:
            raise ValueError(f"{name} comes where {expected} is expected")
        return array


def _layer(states: Array, stream: _Stream, at: str, cosines: tuple[Array, Array], config: ModelConfig) -> Array:
    # The norms are stored after the matrices that they come before.
    qkv = stream.take(f"{at}.self_attn.{qkv_name(config)}.weight")
    bias = stream.take(f"{at}.self_attn.{qkv_name(config)}.bias") if config.attention_bias else np.float32(0)
    output = stream.take(f"{at}.self_attn.o_proj.weight")
    norms = [stream.take(f"{at}.self_attn.{name}_norm.weight") for name in "qk"] if config.has_qk_norm else None
    gate_up, down = (stream.take(f"{at}.mlp.{name}_proj.weight") for name in ("gate_up", "down"))
    before, between = (stream.take(f"{at}.{name}_layernorm.weight") for name in ("input", "post_attention"))

    mixed = _normed(states, before, config) @ qkv.T + bias
    states = states + _attention(mixed, norms, cosines, config) @ output.T
    gate, up = np.split(_normed(states, between, config) @ gate_up.T, 2, axis=1)
    with np.errstate(over="ignore"):  # a gate far below zero is closed
        opened = gate / (1 + np.exp(-gate))
    return np.asarray(states + (opened * up) @ down.T)


def _attention(mixed: Array, norms: list[Array] | None, cosines: tuple[Array, Array], config: ModelConfig) -> Array:
    """Causal attention over all tokens, from the rows of q, k and v: [n, heads · head_dim]."""
    heads, shared, count = config.num_attention_heads, config.num_key_value_heads, len(mixed)
    parts = mixed.reshape(count, heads + 2 * shared, config.head_dim).swapaxes(0, 1)
    query, key, value = np.split(parts, [heads, heads + shared])
    if norms is not None:
        query, key = _normed(query, norms[0], config), _normed(key, norms[1], config)
    query, key = _rotated(query, cosines), _rotated(key, cosines)
    key, value = (np.repeat(part, heads // shared, axis=0) for part in (key, value))
    scores = query @ key.swapaxes(1, 2) / np.float32(np.sqrt(config.head_dim))
    scores = np.where(np.tri(count, dtype=bool), scores, np.float32(-np.inf))
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    return np.asarray((weights @ value).swapaxes(0, 1).reshape(count, -1))


def _normed(states: Array, weight: Array, config: ModelConfig) -> Array:
    square = np.square(states, dtype=np.float64).mean(axis=-1, keepdims=True)
    return np.asarray(states / np.sqrt(square + config.rms_norm_eps).astype(np.float32) * weight)


def _cosines(count: int, config: ModelConfig) -> tuple[Array, Array]:
    """Cosine and sine of each position's angles: [n, head_dim / 2] each."""
    frequencies = config.rope_theta ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    angles = np.arange(count)[:, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _rotated(rows: Array, cosines: tuple[Array, Array]) -> Array:
    first, second = np.split(rows, 2, axis=-1)
    cosine, sine = cosines
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
