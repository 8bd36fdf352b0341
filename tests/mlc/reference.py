"""A forward pass to compare with: float64, one token and one head at a time, written from the papers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from shopbot.backends.mlc.config import ModelConfig


def reference_logits(weights: Mapping[str, np.ndarray], config: ModelConfig, tokens: Sequence[int]) -> np.ndarray:
    """The logits after each token, float64 [n, vocabulary]. ``weights``: by MLC's names, none of them quantised."""
    weights = {name: array.astype(np.float64) for name, array in weights.items()}
    caches: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(config.num_hidden_layers)]
    embeddings = weights["model.embed_tokens.weight"]
    head = embeddings if config.tie_word_embeddings else weights["lm_head.weight"]
    rows = []
    for position, token in enumerate(tokens):
        state = embeddings[token].copy()
        for layer, cache in enumerate(caches):
            of_layer = {
                name.removeprefix(f"model.layers.{layer}."): array
                for name, array in weights.items()
                if name.startswith(f"model.layers.{layer}.")
            }
            _add_layer(state, of_layer, cache, position, config)
        rows.append(head @ _norm(state, weights["model.norm.weight"], config))
    return np.array(rows)


def _add_layer(
    state: np.ndarray,
    weights: Mapping[str, np.ndarray],
    cache: list[tuple[np.ndarray, np.ndarray]],
    position: int,
    config: ModelConfig,
) -> None:
    size, heads, shared = config.head_dim, config.num_attention_heads, config.num_key_value_heads
    name = "self_attn.qkv_proj" if config.model_type == "llama" else "self_attn.c_attn"
    mixed = weights[f"{name}.weight"] @ _norm(state, weights["input_layernorm.weight"], config)
    if f"{name}.bias" in weights:
        mixed = mixed + weights[f"{name}.bias"]
    parts = mixed.reshape(-1, size)
    queries, keys, values = parts[:heads], parts[heads : heads + shared], parts[heads + shared :]
    if "self_attn.q_norm.weight" in weights:
        queries = np.array([_norm(row, weights["self_attn.q_norm.weight"], config) for row in queries])
        keys = np.array([_norm(row, weights["self_attn.k_norm.weight"], config) for row in keys])
    cache.append((np.array([_turn(row, position, config) for row in keys]), values))
    seen = []
    for head, row in enumerate(queries):
        query, at = _turn(row, position, config), head * shared // heads
        scores = [query @ keys[at] / math.sqrt(size) for keys, _ in cache]
        shares = np.exp(np.array(scores) - max(scores))
        seen.append(sum(share * values[at] for share, (_, values) in zip(shares / shares.sum(), cache, strict=True)))
    state += weights["self_attn.o_proj.weight"] @ np.concatenate(seen)
    fed = weights["mlp.gate_up_proj.weight"] @ _norm(state, weights["post_attention_layernorm.weight"], config)
    gate, up = fed[: config.intermediate_size], fed[config.intermediate_size :]
    state += weights["mlp.down_proj.weight"] @ (gate / (1 + np.exp(-gate)) * up)


def _norm(row: np.ndarray, weight: np.ndarray, config: ModelConfig) -> np.ndarray:
    return row / math.sqrt(float(row @ row) / len(row) + config.rms_norm_eps) * weight


def _turn(row: np.ndarray, position: int, config: ModelConfig) -> np.ndarray:
    """Number i and number i + size / 2 of a head turn together, by an angle that shrinks with i."""
    half = config.head_dim // 2
    turned = np.empty_like(row)
    for index in range(half):
        angle = position / config.rope_theta ** (index / half)
        first, second = row[index], row[index + half]
        turned[index] = first * math.cos(angle) - second * math.sin(angle)
        turned[index + half] = second * math.cos(angle) + first * math.sin(angle)
    return turned
