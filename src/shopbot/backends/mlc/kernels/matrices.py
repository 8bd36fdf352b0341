"""Products with weights, several tokens at a time, and the embeddings' rows."""

# TVMScript is parsed, not run: its types and names mean nothing to a type checker.
# mypy: ignore-errors

from __future__ import annotations

from tvm.script import tirx as T

from shopbot.backends.mlc.kernels.rows import ALONE
from shopbot.backends.mlc.kernels.vectors import Processor, lanes, splat
from shopbot.backends.mlc.packing import ROWS, WORDS
from shopbot.backends.mlc.quantization import GROUP

#: How many tokens share one reading of a block of weights: as many as their sums fit into registers, then half as many,
#: then one by one.
MANY, SOME = 8, 4


def bytes_product(processor: Processor, blocks: int, groups: int, adds: bool):
    """The kernel for weights of 8 bits, ``blocks`` of rows by ``groups`` of columns.

    It takes activations of 8 bits as :func:`shopbot.backends.mlc.kernels.rows.quantizer` makes them. ``adds``: to what
    ``out`` holds.
    """
    width = processor.lanes
    parts = ROWS // width

    @T.inline
    def tile(weight, layer, block, values, scales, excess, first, count, out):
        for part in T.unroll(parts):
            sums = T.alloc_buffer((count, width), "float32")
            whole = T.alloc_buffer((count, width), "int32")
            words = T.alloc_buffer((width,), "int32")
            for token in T.unroll(count):
                sums[token, lanes(0, width)] = splat(T.float32(0), width)
            for group in T.serial(groups):
                for token in T.unroll(count):
                    whole[token, lanes(0, width)] = splat(excess[first + token, group], width)
                for word in T.unroll(WORDS):
                    here: T.let = weight[layer, block, group, word, lanes(part * width, width)]
                    words[lanes(0, width)] = processor.prepare(here)
                    for token in T.unroll(count):
                        four: T.let = values[first + token, lanes(group * GROUP + word * 4, 4)]
                        whole[token, lanes(0, width)] = processor.dot(
                            whole[token, lanes(0, width)], words[lanes(0, width)], T.reinterpret("int32", four)
                        )
                scale: T.let = weight[layer, block, group, WORDS, lanes(part * width, width)]
                for token in T.unroll(count):
                    step: T.let = T.reinterpret(f"float32x{width}", scale) * splat(scales[first + token, group], width)
                    sums[token, lanes(0, width)] = (
                        sums[token, lanes(0, width)] + T.cast(whole[token, lanes(0, width)], f"float32x{width}") * step
                    )
            for token in T.unroll(count):
                column: T.let = lanes(block * ROWS + part * width, width)
                if adds:
                    out[first + token, column] = out[first + token, column] + sums[token, lanes(0, width)]
                else:
                    out[first + token, column] = sums[token, lanes(0, width)]

    return _in_tiles(tile, blocks)


def float_product(blocks: int, columns: int, adds: bool):
    """The kernel for weights of 16 or 32 bits: like :func:`bytes_product`, but for float32 activations as they are."""

    @T.inline
    def tile(weight, layer, block, values, first, count, out):
        sums = T.alloc_buffer((count, ROWS), "float32")
        for token in T.unroll(count):
            sums[token, lanes()] = splat(T.float32(0))
        for column in T.serial(columns):
            for token in T.unroll(count):
                number: T.let = T.cast(weight[layer, block, column, lanes()], f"float32x{ROWS}")
                sums[token, lanes()] = sums[token, lanes()] + splat(values[first + token, column]) * number
        for token in T.unroll(count):
            at: T.let = lanes(block * ROWS)
            if adds:
                out[first + token, at] = out[first + token, at] + sums[token, lanes()]
            else:
                out[first + token, at] = sums[token, lanes()]

    return _in_tiles(tile, blocks)


def _in_tiles(tile, blocks: int):
    """The kernel that calls ``tile`` for all ``blocks`` and the first ``count`` tokens, see :data:`ALONE`."""

    @T.inline
    def tiles(weight, layer, block, activations, count, out):
        many: T.let = count // MANY * MANY
        some: T.let = count // SOME * SOME
        for turn in T.serial(many // MANY):
            tile(weight, layer, block, *activations, turn * MANY, MANY, out)
        for turn in T.serial((some - many) // SOME):
            tile(weight, layer, block, *activations, many + turn * SOME, SOME, out)
        for token in T.serial(some, count):
            tile(weight, layer, block, *activations, token, 1, out)

    @T.inline
    def product(weight, layer, activations, count, out):
        if count <= ALONE:
            for block in T.serial(blocks):
                tiles(weight, layer, block, activations, count, out)
        else:
            for block in T.parallel(blocks):
                tiles(weight, layer, block, activations, count, out)

    return product


def embedding(columns: int, is_grouped: bool):
    """The kernel that looks up ``token``'s row of the packed embeddings and writes it to ``out[place]``."""

    @T.inline
    def bytes_row(weight, token, place, out):
        for group in T.serial(columns // GROUP):
            scale: T.let = T.reinterpret("float32", weight[0, token // ROWS, group, WORDS, token % ROWS])
            for word in T.serial(WORDS):
                four: T.let = T.reinterpret("int8x4", weight[0, token // ROWS, group, word, token % ROWS])
                at: T.let = lanes(group * GROUP + word * 4, 4)
                out[place, at] = T.cast(four, "float32x4") * splat(scale, 4)

    @T.inline
    def float_row(weight, token, place, out):
        for column in T.serial(columns):
            out[place, column] = T.cast(weight[0, token // ROWS, column, token % ROWS], "float32")

    return bytes_row if is_grouped else float_row
