"""The arrays that the compiled function takes beside tokens and cache: their names, and how they are filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import numpy as np

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.packing import pack, packed_dtype, packed_shape
from shopbot.backends.mlc.quantization import Array, ParameterSpec, Quantization, qkv_name
from shopbot.errors import ModelError

#: Tokens that the compiled function takes at once, at most.
MAX_CHUNK = 512
_GROUPED_PARTS = ("q_weight", "q_scale")


def chunk_size(config: ModelConfig) -> int:
    """How many tokens the compiled function takes at once."""
    return min(config.prefill_chunk_size, MAX_CHUNK)


def matrix_sizes(config: ModelConfig) -> dict[str, tuple[int, int, int]]:
    """Matrix → how many of it there are, rows, columns. A head that is the embeddings again is not among them."""
    layers, hidden, inner = config.num_hidden_layers, config.hidden_size, config.intermediate_size
    sizes = {
        "embeddings": (1, config.vocab_size, hidden),
        "qkv": (layers, config.qkv_size, hidden),
        "joined": (layers, hidden, config.num_attention_heads * config.head_dim),
        "gate_up": (layers, 2 * inner, hidden),
        "down": (layers, hidden, inner),
    }
    return sizes if config.tie_word_embeddings else {**sizes, "head": (1, config.vocab_size, hidden)}


def vector_sizes(config: ModelConfig) -> dict[str, tuple[int, int]]:
    """Norms and biases → how many of them there are, numbers in each. What a model lacks is there and does nothing."""
    layers, hidden, head = config.num_hidden_layers, config.hidden_size, config.head_dim
    return {
        "qkv_bias": (layers, config.qkv_size),
        "attention_norm": (layers, hidden),
        "mlp_norm": (layers, hidden),
        "last_norm": (1, hidden),
        "query_norm": (layers, head),
        "key_norm": (layers, head),
    }


def weight_specs(config: ModelConfig, quantization: Quantization) -> list[ParameterSpec]:
    """All arrays, in the order in which the compiled function takes them."""
    dtype = packed_dtype(quantization)
    matrices = [
        ParameterSpec(name, (count, *packed_shape(quantization, rows, columns)), dtype)
        for name, (count, rows, columns) in matrix_sizes(config).items()
    ]
    return matrices + [ParameterSpec(name, shape, "float32") for name, shape in vector_sizes(config).items()]


def require_indexable(config: ModelConfig, quantization: Quantization) -> None:
    """Raise :class:`ModelError` for an array with more numbers than the compiled code can count."""
    for spec in weight_specs(config, quantization):
        if prod(spec.shape) >= 1 << 31:
            raise ModelError(
                f"The model is too large: {prod(spec.shape)} numbers in one array.", remedy="Use a smaller model."
            )


def places(config: ModelConfig) -> dict[str, tuple[str, int]]:
    """An artefact's name of a matrix, norm or bias → the array that holds it, and which one there it is."""
    qkv = qkv_name(config)
    inside = {
        f"self_attn.{qkv}": "qkv",
        f"self_attn.{qkv}.bias": "qkv_bias",
        "self_attn.o_proj": "joined",
        "self_attn.q_norm.weight": "query_norm",
        "self_attn.k_norm.weight": "key_norm",
        "mlp.gate_up_proj": "gate_up",
        "mlp.down_proj": "down",
        "input_layernorm.weight": "attention_norm",
        "post_attention_layernorm.weight": "mlp_norm",
    }
    layers = range(config.num_hidden_layers)
    found = {f"model.layers.{layer}.{name}": (array, layer) for layer in layers for name, array in inside.items()}
    return {
        **found,
        "model.embed_tokens": ("embeddings", 0),
        "model.norm.weight": ("last_norm", 0),
        "lm_head": ("head", 0),
    }


def fill(
    arrays: Mapping[str, Array],
    config: ModelConfig,
    quantization: Quantization,
    parameters: Iterable[tuple[str, Array]],
) -> None:
    """Write an artefact's parameters into ``arrays``, which are as :func:`weight_specs` says and filled with zeros."""
    where = places(config)
    halves: dict[str, dict[str, Array]] = {}
    for name in ("query_norm", "key_norm"):
        arrays[name][...] = 1
    for name, value in parameters:
        matrix, _, suffix = name.rpartition(".")
        if suffix in _GROUPED_PARTS:
            parts = halves.setdefault(matrix, {})
            parts[suffix] = value
            if len(parts) == len(_GROUPED_PARTS):
                array, place = where[matrix]
                pack(quantization, halves.pop(matrix), arrays[array][place])
        elif name in where:
            array, place = where[name]
            arrays[array][place] = value
        elif not quantization.is_grouped:
            array, place = where[matrix]
            pack(quantization, {suffix: value}, arrays[array][place])


def rope_table(config: ModelConfig, positions: int) -> Array:
    """float32 [positions, head_dim]: the cosines of each position's angles, then their sines."""
    half = config.head_dim // 2
    frequencies = config.rope_theta ** (-np.arange(half, dtype=np.float64) / half)
    angles = np.arange(positions, dtype=np.float64)[:, None] * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
