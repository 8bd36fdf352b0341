"""From a GGUF to the parameters of an artefact: the same numbers under other names, q, k and v in one matrix.

What a GGUF says that the compiled code would not do is refused: a model that answers a little wrong is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from shopbot.backends.mlc.config import MODEL_TYPES, PREFILL_CHUNK_SIZE, ModelConfig
from shopbot.backends.mlc.quantization import Array, Quantization, qkv_name
from shopbot.errors import ModelError
from shopbot.header import ModelHeader
from shopbot.weights import Weights

#: Name → float32 array, in the order of the compiled code's parameters; matrices [N, K], none of them quantised.
Parameters = Iterable[tuple[str, Array]]

_REMEDY = f"Serve it as it is, or compile a model of the kind {', '.join(MODEL_TYPES)}."
#: Keys of an architecture that the configuration is made of, or that do not change what is computed.
_KNOWN_KEYS = frozenset(
    """block_count context_length embedding_length feed_forward_length vocab_size attention.head_count
    attention.head_count_kv attention.layer_norm_rms_epsilon attention.key_length attention.value_length
    rope.freq_base rope.dimension_count""".split()
)
_MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
_NORMS = ("attn_norm", "ffn_norm")


def config_of(header: ModelHeader) -> ModelConfig:
    """The configuration of a GGUF whose header is checked. Raises :class:`ModelError` for one that is not compiled."""
    kind = header.architecture
    if kind not in MODEL_TYPES:
        raise ModelError(f"{header.path.name} is of the architecture {kind!r}, which is not compiled.", remedy=_REMEDY)
    _refuse_unknown_keys(header)
    head_dim = _number(header, "attention.key_length", header.embedding // header.heads)
    config = ModelConfig(
        model_type=kind,
        hidden_size=header.embedding,
        intermediate_size=_number(header, "feed_forward_length", 0),
        num_hidden_layers=header.layers,
        num_attention_heads=header.heads,
        num_key_value_heads=header.kv_heads,
        head_dim=head_dim,
        vocab_size=header.vocabulary,
        rms_norm_eps=float(header.metadata.get(f"{kind}.attention.layer_norm_rms_epsilon") or 0.0),
        rope_theta=float(header.metadata.get(f"{kind}.rope.freq_base") or 10000.0),
        tie_word_embeddings="output.weight" not in header.tensors,
        attention_bias=kind == "qwen2",
        context_window_size=header.context,
        prefill_chunk_size=min(PREFILL_CHUNK_SIZE, header.context),
    )
    for key in ("rope.dimension_count", "attention.value_length"):
        if _number(header, key, head_dim) != head_dim:
            raise ModelError(f"{header.path.name} has {kind}.{key}, other than its heads.", remedy=_REMEDY)
    _require_tensors(header, config)
    return config


def exact_parameters(weights: Weights, config: ModelConfig) -> Iterator[tuple[str, Array]]:
    """The :data:`Parameters` of a GGUF, one after the other; no more is in memory than the one that is asked for."""
    yield "model.embed_tokens.weight", weights["token_embd.weight"]
    for layer in range(config.num_hidden_layers):
        theirs, ours = f"blk.{layer}", f"model.layers.{layer}"
        yield f"{ours}.self_attn.{qkv_name(config)}.weight", _qkv(weights, theirs, "weight", config)
        if config.attention_bias:
            yield f"{ours}.self_attn.{qkv_name(config)}.bias", _qkv(weights, theirs, "bias", config)
        yield f"{ours}.self_attn.o_proj.weight", weights[f"{theirs}.attn_output.weight"]
        if config.has_qk_norm:
            yield f"{ours}.self_attn.q_norm.weight", weights[f"{theirs}.attn_q_norm.weight"]
            yield f"{ours}.self_attn.k_norm.weight", weights[f"{theirs}.attn_k_norm.weight"]
        gate, up = weights[f"{theirs}.ffn_gate.weight"], weights[f"{theirs}.ffn_up.weight"]
        yield f"{ours}.mlp.gate_up_proj.weight", np.concatenate([gate, up])
        yield f"{ours}.mlp.down_proj.weight", weights[f"{theirs}.ffn_down.weight"]
        yield f"{ours}.input_layernorm.weight", weights[f"{theirs}.attn_norm.weight"]
        yield f"{ours}.post_attention_layernorm.weight", weights[f"{theirs}.ffn_norm.weight"]
    yield "model.norm.weight", weights["output_norm.weight"]
    if not config.tie_word_embeddings:
        yield "lm_head.weight", weights["output.weight"]


def quantized(parameters: Parameters, quantization: Quantization) -> Iterator[tuple[str, Array]]:
    """The arrays of an artefact: matrices in their quantised form, the rest in its floating-point type."""
    for name, array in parameters:
        if array.ndim == 1:
            yield name, array.astype(quantization.dtype)
            continue
        for suffix, part in quantization.quantize(array).items():
            yield f"{name.removesuffix('weight')}{suffix}", part


def dequantized(arrays: Iterable[tuple[str, Array]], quantization: Quantization) -> Iterator[tuple[str, Array]]:
    """The inverse of :func:`quantized`: :data:`Parameters` as an artefact's arrays round them."""
    parts: dict[str, Array] = {}
    for name, array in arrays:
        stem, _, suffix = name.rpartition(".")
        if array.ndim == 1:
            yield name, array.astype(np.float32)
            continue
        parts[suffix] = array
        if suffix != "q_weight":
            yield f"{stem}.weight", quantization.dequantize(parts)
            parts = {}


def _qkv(weights: Weights, layer: str, part: str, config: ModelConfig) -> Array:
    q, k, v = (weights[f"{layer}.attn_{name}.{part}"] for name in "qkv")
    if config.model_type == "llama":
        q, k = _halved(q, config.num_attention_heads), _halved(k, config.num_key_value_heads)
    return np.concatenate([q, k, v])


def _halved(rows: Array, heads: int) -> Array:
    """Rows that a llama GGUF has in pairs for its rotation, as halves of each head again."""
    return np.asarray(rows.reshape(heads, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape))


def _number(header: ModelHeader, key: str, default: int) -> int:
    value = header.metadata.get(f"{header.architecture}.{key}", default)
    if type(value) is not int:
        raise ModelError(f"{header.path.name} has no single {header.architecture}.{key}.", remedy=_REMEDY)
    return value


def _refuse_unknown_keys(header: ModelHeader) -> None:
    for key, value in header.metadata.items():
        prefix, _, rest = key.partition(".")
        is_idle = not value or (rest == "rope.scaling.type" and value == "none")
        if prefix == header.architecture and rest not in _KNOWN_KEYS and not is_idle:
            raise ModelError(f"{header.path.name} sets {key}, which is not compiled.", remedy=_REMEDY)


def _require_tensors(header: ModelHeader, config: ModelConfig) -> None:
    """Exactly the tensors that :func:`exact_parameters` reads, in shapes that fit."""
    expected = dict(_shapes(config))
    found: dict[str, Any] = {name: tensor.shape[::-1] for name, tensor in header.tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            has = f"{name} {list(found[name])}" if name in found else f"no {name}"
            raise ModelError(f"{header.path.name} has {has}, which makes no {config.model_type}.", remedy=_REMEDY)


def _shapes(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, inner = config.hidden_size, config.intermediate_size
    query, key = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    yield "token_embd.weight", (config.vocab_size, hidden)
    yield "output_norm.weight", (hidden,)
    if not config.tie_word_embeddings:
        yield "output.weight", (config.vocab_size, hidden)
    sizes = ((query, hidden), (key, hidden), (key, hidden), (hidden, query), (inner, hidden), (inner, hidden))
    for layer in range(config.num_hidden_layers):
        for name, shape in zip(_MATRICES, (*sizes, (hidden, inner)), strict=True):
            yield f"blk.{layer}.{name}.weight", shape
        for name in _NORMS:
            yield f"blk.{layer}.{name}.weight", (hidden,)
        if config.attention_bias:
            for name, (rows, _) in zip(_MATRICES[:3], sizes[:3], strict=True):
                yield f"blk.{layer}.{name}.bias", (rows,)
        if config.has_qk_norm:
            yield f"blk.{layer}.attn_q_norm.weight", (config.head_dim,)
            yield f"blk.{layer}.attn_k_norm.weight", (config.head_dim,)
