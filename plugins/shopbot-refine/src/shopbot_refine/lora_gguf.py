"""A LoRA adapter as a GGUF file that llama.cpp loads beside its base, and back.

llama.cpp keeps the rows of a llama's q and k projections in another order than transformers (rotary pairs side by
side instead of half a head apart), so the ``lora_b`` of those two is permuted on the way out and back on the way in.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch

from shopbot import ModelCorruptError, ModelError
from shopbot_refine.base import header_value, read_header
from shopbot_refine.lora import AdapterWeights


@dataclass(frozen=True, slots=True)
class LoraFile:
    """A LoRA adapter read from a file: its weights by GGUF name (float32), ``alpha`` and rank."""

    weights: AdapterWeights
    alpha: float
    rank: int


def save_lora_gguf(path: Path, weights: AdapterWeights, *, alpha: float, heads: int, kv_heads: int, name: str) -> None:
    """Write an adapter (F16) for a llama with ``heads`` attention heads and ``kv_heads`` key heads, atomically."""
    temporary = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(temporary, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for tensor, weight in weights.items():
        rows = permute_rows(weight, _heads_of(tensor, heads, kv_heads))
        writer.add_tensor(tensor, np.ascontiguousarray(rows.to(torch.float16).numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def load_lora_gguf(path: Path, *, heads: int, kv_heads: int) -> LoraFile:
    """Read an adapter. Raises :class:`ModelCorruptError` or :class:`ModelError`, naming the file."""
    header = read_header(path)
    if header_value(header, gguf.Keys.Adapter.TYPE) != "lora":
        raise ModelError(f"{path} is not a LoRA adapter.", remedy="Give a lora.gguf written by 'shopbot refine train'.")
    weights: AdapterWeights = {}
    for tensor in header.tensors:
        if tensor.tensor_type not in (gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.F32):
            raise ModelError(f"{path}: {tensor.name} is quantised.", remedy="Give an adapter in F16 or F32.")
        rows = torch.from_numpy(np.array(tensor.data, dtype=np.float32))
        weights[tensor.name] = _unpermute(rows, _heads_of(tensor.name, heads, kv_heads))
    ranks = {weight.shape[0] for name, weight in weights.items() if name.endswith("lora_a")}
    if len(ranks) != 1:
        raise ModelCorruptError(f"{path} holds ranks {sorted(ranks)}, one is expected.", remedy="Train it again.")
    return LoraFile(weights, float(header_value(header, gguf.Keys.Adapter.LORA_ALPHA)), ranks.pop())


def _heads_of(tensor: str, heads: int, kv_heads: int) -> int:
    """In how many heads the rows of this tensor are permuted; 0: not at all."""
    if not tensor.endswith("lora_b"):
        return 0
    return {"attn_q": heads, "attn_k": kv_heads}.get(tensor.split(".")[2], 0)


def permute_rows(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """The rows of a projection to ``heads`` heads, from transformers' order to llama.cpp's; 0 heads: as they are."""
    if not heads:
        return weight
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def _unpermute(weight: torch.Tensor, heads: int) -> torch.Tensor:
    if not heads:
        return weight
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)
