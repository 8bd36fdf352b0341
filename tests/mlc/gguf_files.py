"""Small GGUF files of each family that is compiled, with random weights and a real tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

HIDDEN, INNER, LAYERS, HEADS, SHARED = 64, 96, 2, 4, 2
_CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "t h", "Ġ th"]


def head_size(architecture: str) -> int:
    """qwen3's heads need not add up to the width."""
    return 32 if architecture == "qwen3" else HIDDEN // HEADS


def write_model(
    path: Path,
    architecture: str = "llama",
    *,
    pre: str = "smollm",
    is_tied: bool = True,
    metadata: dict[str, Any] | None = None,
    tensors: dict[str, np.ndarray] | None = None,
    adds_bos: bool = False,
    spread: float = 0.25,
) -> Path:
    """Write a model that llama.cpp loads. ``metadata`` and ``tensors`` are added, or stand in for its own; ``spread``:
    of the weights."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(SHARED)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(5000.0)
    size = head_size(architecture)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    _add_tokenizer(writer, pre, adds_bos)
    for key, value in (metadata or {}).items():
        {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32}[type(value)](key, value)
    for name, array in {**_weights(architecture, is_tied, len(tokens()), spread), **(tensors or {})}.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tokens() -> list[str]:
    """The vocabulary: control tokens, all bytes as GPT-2 spells them, and what the merges make."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(code) for code in shown] + [chr(256 + number) for number in range(256 - len(shown))]
    return [*_CONTROL, *letters, *(merge.replace(" ", "") for merge in _MERGES), "<tool>"]


def _add_tokenizer(writer: gguf.GGUFWriter, pre: str, adds_bos: bool) -> None:
    words = tokens()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(words)
    writer.add_token_types([3] * len(_CONTROL) + [1] * (len(words) - len(_CONTROL) - 1) + [4])
    writer.add_token_merges(_MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(adds_bos)


def _weights(architecture: str, is_tied: bool, vocabulary: int, spread: float) -> dict[str, np.ndarray]:
    chance, size = np.random.default_rng(0), head_size(architecture)
    query, key = HEADS * size, SHARED * size
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, HIDDEN), "output_norm.weight": (HIDDEN,)}
    if not is_tied:
        shapes["output.weight"] = (vocabulary, HIDDEN)
    for layer in range(LAYERS):
        at = f"blk.{layer}"
        shapes |= {f"{at}.attn_norm.weight": (HIDDEN,), f"{at}.ffn_norm.weight": (HIDDEN,)}
        rows = {"attn_q": query, "attn_k": key, "attn_v": key}
        shapes |= {f"{at}.{name}.weight": (count, HIDDEN) for name, count in rows.items()}
        if architecture == "qwen2":
            shapes |= {f"{at}.{name}.bias": (count,) for name, count in rows.items()}
        if architecture == "qwen3":
            shapes |= {f"{at}.attn_q_norm.weight": (size,), f"{at}.attn_k_norm.weight": (size,)}
        shapes |= {f"{at}.attn_output.weight": (HIDDEN, query), f"{at}.ffn_down.weight": (HIDDEN, INNER)}
        shapes |= {f"{at}.ffn_gate.weight": (INNER, HIDDEN), f"{at}.ffn_up.weight": (INNER, HIDDEN)}
    weights = {name: chance.standard_normal(shape, dtype=np.float32) * spread for name, shape in shapes.items()}
    return {name: 1 + array if "norm" in name else array for name, array in weights.items()}
