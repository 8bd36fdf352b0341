"""Small artefacts as mlc-ai publishes them, written without any of the code under test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shopbot.backends.mlc.config import ModelConfig

#: Enough of a tokenizer: each of these letters is a token.
LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,?!'\"0123"


def small_config(model_type: str = "llama", **changes: Any) -> ModelConfig:
    """A model of two layers; four heads share two."""
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": len(LETTERS)}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32 if model_type == "qwen3" else 16}
    rest = {"rms_norm_eps": 1e-5, "rope_theta": 10000.0, "context_window_size": 256, "prefill_chunk_size": 64}
    kinds = {"tie_word_embeddings": model_type != "qwen2", "attention_bias": model_type == "qwen2"}
    return ModelConfig(model_type=model_type, **{**sizes, **heads, **rest, **kinds, **changes})  # type: ignore[arg-type]


def random_weights(config: ModelConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """float32 weights by MLC's names, none of them quantised."""
    chance = np.random.default_rng(seed)
    hidden, inner, size = config.hidden_size, config.intermediate_size, config.head_dim
    query = config.num_attention_heads * size
    mixed = query + 2 * config.num_key_value_heads * size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, hidden)}
    for layer in range(config.num_hidden_layers):
        at = f"model.layers.{layer}"
        qkv = f"{at}.self_attn.{'qkv_proj' if config.model_type == 'llama' else 'c_attn'}"
        shapes[f"{qkv}.weight"] = (mixed, hidden)
        if config.model_type == "qwen2":
            shapes[f"{qkv}.bias"] = (mixed,)
        shapes[f"{at}.self_attn.o_proj.weight"] = (hidden, query)
        if config.model_type == "qwen3":
            shapes |= {f"{at}.self_attn.{name}_norm.weight": (size,) for name in "qk"}
        shapes[f"{at}.mlp.gate_up_proj.weight"] = (2 * inner, hidden)
        shapes[f"{at}.mlp.down_proj.weight"] = (hidden, inner)
        shapes |= {f"{at}.{name}_layernorm.weight": (hidden,) for name in ("input", "post_attention")}
    shapes["model.norm.weight"] = (hidden,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    weights = {}
    for name, shape in shapes.items():
        numbers = chance.standard_normal(shape, dtype=np.float32) / 8
        weights[name] = 1 + numbers if name.endswith("norm.weight") else numbers
    return weights


def four_bits(weight: np.ndarray, scale_type: str) -> dict[str, np.ndarray]:
    """MLC's group quantisation, one number after the other."""
    rows, columns = weight.shape
    packed, scales = np.zeros((rows, columns // 8), np.uint32), np.zeros((rows, columns // 32), scale_type)
    for row in range(rows):
        for group in range(columns // 32):
            values = weight[row, 32 * group : 32 * group + 32]
            scales[row, group] = np.abs(values).max() / 7
            for index, value in enumerate(values):
                level = min(max(round(float(value) / float(scales[row, group]) + 7), 0), 14)
                packed[row, 4 * group + index // 8] |= np.uint32(level << 4 * (index % 8))
    return {"q_weight": packed, "q_scale": scales}


def as_stored(weights: Mapping[str, np.ndarray], quantization: str) -> dict[str, np.ndarray]:
    """The arrays of a published artefact."""
    kind = "float16" if "f16" in quantization else "float32"
    stored: dict[str, np.ndarray] = {}
    for name, array in weights.items():
        if array.ndim == 2 and quantization.startswith("q4"):
            stored |= {f"{name.removesuffix('weight')}{part}": each for part, each in four_bits(array, kind).items()}
        else:
            stored[name] = array.astype(kind)
    return stored


def publish(
    folder: Path,
    config: ModelConfig,
    stored: Mapping[str, np.ndarray],
    quantization: str,
    *,
    index: str = "ndarray-cache.json",
    shards: int = 3,
    change: Callable[[dict[str, Any], dict[str, Any]], None] = lambda chat, index: None,
) -> Path:
    """Write an artefact as the official converter does: float32 as bfloat16, and every record said to be so.

    ``change`` may spoil the configuration and the index before they are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(stored)
    rows = []
    for number in range(shards):
        content, records = b"", []
        for name in names[number::shards]:
            array = stored[name]
            raw = bfloat16(array).tobytes() if array.dtype == np.float32 else array.tobytes()
            place = {"byteOffset": len(content), "nbytes": len(raw), "format": "f32-to-bf16"}
            records.append({"name": name, "shape": list(array.shape), "dtype": str(array.dtype), **place})
            content += raw
        path = folder / f"params_shard_{number}.bin"
        path.write_bytes(content)
        row = {"dataPath": path.name, "format": "raw-shard", "nbytes": len(content)}
        rows.append({**row, "md5sum": hashlib.md5(content).hexdigest(), "records": records})
    listed = {"metadata": {"ParamSize": len(names)}, "records": rows}
    chat = chat_config(config, quantization)
    change(chat, listed)
    (folder / index).write_text(json.dumps(listed))
    (folder / "mlc-chat-config.json").write_text(json.dumps(chat))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    return folder


def bfloat16(array: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers."""
    return (array.view(np.uint32) >> 16).astype(np.uint16)


def chat_config(config: ModelConfig, quantization: str) -> dict[str, Any]:
    """An ``mlc-chat-config.json`` in the official form."""
    theta = "position_embedding_base" if config.model_type == "llama" else "rope_theta"
    table = {key: value for key, value in config.to_json().items() if key not in ("model_type", "rope_theta")}
    table |= {theta: config.rope_theta, "tensor_parallel_shards": 1, "max_batch_size": 128}
    if config.model_type != "llama":
        table["hidden_act"] = "silu"
    return {
        "version": "0.1.0",
        "model_type": config.model_type,
        "quantization": quantization,
        "model_config": table,
        "vocab_size": config.vocab_size,
        "context_window_size": config.context_window_size,
        "prefill_chunk_size": config.prefill_chunk_size,
        "tokenizer_files": ["tokenizer.json", "tokenizer_config.json"],
        "conv_template": {"name": "chatml"},
        "eos_token_id": [1, 2],
    }


def tokenizer() -> dict[str, Any]:
    """A ``tokenizer.json`` that cuts a text into letters."""
    model = {"type": "BPE", "vocab": {letter: number for number, letter in enumerate(LETTERS)}, "merges": []}
    return {"version": "1.0", "added_tokens": [], "model": {**model, "unk_token": None}}
