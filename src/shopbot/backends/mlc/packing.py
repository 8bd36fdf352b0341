"""How weights lie in memory while they serve: in blocks of sixteen rows, a number of each in a vector register.

======= =========================================================================================================
8 bits  int32 [blocks, groups, 9, 16]: eight vectors of four bytes of each row, then the rows' scales (float32)
floats  float [blocks, columns, 16]
======= =========================================================================================================

Rows are filled up with zeros to whole blocks. Weights of 4 bits are unpacked to 8, with the same scales: exactly the
same numbers, and one kernel for both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shopbot.backends.mlc.quantization import GROUP, Array, Quantization, unpack

#: Rows of a block, and numbers of a vector.
ROWS = 16
#: Vectors of four-byte words of a group, without the scales.
WORDS = GROUP // 4


def padded(rows: int) -> int:
    """``rows``, up to whole blocks."""
    return -(-rows // ROWS) * ROWS


def packed_shape(quantization: Quantization, rows: int, columns: int) -> tuple[int, ...]:
    """The shape of a packed matrix."""
    if quantization.is_grouped:
        return (padded(rows) // ROWS, columns // GROUP, WORDS + 1, ROWS)
    return (padded(rows) // ROWS, columns, ROWS)


def packed_dtype(quantization: Quantization) -> str:
    return "int32" if quantization.is_grouped else quantization.dtype


def pack(quantization: Quantization, parts: Mapping[str, Array], out: Array) -> None:
    """Write a matrix as an artefact has it (suffix → array) into ``out``, of :func:`packed_shape`."""
    if not quantization.is_grouped:
        out[...] = _blocks(parts["weight"], ROWS).transpose(0, 2, 1)
        return
    weight = parts["q_weight"] if quantization.bits == 8 else unpack(parts["q_weight"]).astype(np.int8)
    words = _blocks(np.ascontiguousarray(weight).view(np.int32), ROWS)
    blocks, _, count = words.shape
    out[:, :, :WORDS] = words.reshape(blocks, ROWS, count // WORDS, WORDS).transpose(0, 2, 3, 1)
    scale = _blocks(parts["q_scale"].astype(np.float32), ROWS)
    out[:, :, WORDS] = scale.transpose(0, 2, 1).view(np.int32)


def _blocks(matrix: Array, rows: int) -> Array:
    """[N, K] → [blocks, rows, K], filled up with zeros."""
    missing = -len(matrix) % rows
    if missing:
        matrix = np.concatenate([matrix, np.zeros((missing, matrix.shape[1]), matrix.dtype)])
    return matrix.reshape(-1, rows, matrix.shape[1])
