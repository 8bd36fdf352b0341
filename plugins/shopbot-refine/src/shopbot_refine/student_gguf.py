"""A student as a GGUF base of its own: tokenizer and shape are those of the base it comes from, with fewer blocks.

Matrices are Q8_0: at that precision what training changed survives, which 4-bit kinds round away. The rows of the
q and k projections are put into llama.cpp's order, as for a LoRA adapter.
"""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFValueType, LlamaFileType

from shopbot_refine.base import read_header
from shopbot_refine.lora_gguf import permute_rows

_FILE_TYPES = {GGMLQuantizationType.Q8_0: LlamaFileType.MOSTLY_Q8_0, GGMLQuantizationType.F32: LlamaFileType.ALL_F32}
#: What is said of the student anew, or does not hold for it.
_OWN = ("general.architecture", "general.file_type", "general.name", "general.size_label", "llama.block_count")
_OWN_PREFIXES = ("GGUF.", "general.quantization", "quantize.", "split.")


def save_student_gguf(
    path: Path,
    weights: dict[str, torch.Tensor],
    *,
    base: Path,
    blocks: int,
    heads: int,
    kv_heads: int,
    kind: GGMLQuantizationType = GGMLQuantizationType.Q8_0,
) -> None:
    """Write ``weights`` (GGUF name → float32, rows in transformers' order) atomically.

    Everything else comes from the header of ``base``. ``kind`` is Q8_0 or F32; vectors, and matrices whose rows are no
    multiple of a block of 32, stay float32. Raises :class:`~shopbot.ModelError` for an unreadable base.
    """
    temporary = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(temporary, "llama")
    _copy_header(base, writer)
    writer.add_name("shopbot student")
    writer.add_block_count(blocks)
    writer.add_file_type(_FILE_TYPES[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    per_head = {"attn_q": heads, "attn_k": kv_heads}
    for name, weight in weights.items():
        rows = permute_rows(weight.float(), per_head.get(name.split(".")[-2], 0)).contiguous().numpy()
        is_small = rows.ndim == 1 or rows.shape[1] % gguf.GGML_QUANT_SIZES[kind][0]
        raw = GGMLQuantizationType.F32 if is_small else kind
        writer.add_tensor(name, np.ascontiguousarray(gguf.quantize(rows, raw)), raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def _copy_header(base: Path, writer: gguf.GGUFWriter) -> None:
    for field in read_header(base).fields.values():
        if field.name in _OWN or field.name.startswith(_OWN_PREFIXES):
            continue
        value, kind = field.contents(), field.types[0]
        if kind == GGUFValueType.ARRAY and not value:
            continue  # an empty array has no type that could be written
        element = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, kind, sub_type=element)
