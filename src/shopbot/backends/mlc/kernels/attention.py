"""Attention over one slot's cache, and the rotation of positions.

Keys lie in blocks of sixteen positions, one number of each in a register, so that scores need no sum across a register;
values lie position by position, and are summed along the head.
"""

# TVMScript is parsed, not run: its types and names mean nothing to a type checker.
# mypy: ignore-errors

from __future__ import annotations

from math import sqrt

from tvm.script import tirx as T

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.kernels.rows import ALONE
from shopbot.backends.mlc.kernels.vectors import constant, exp, lanes, largest, splat, total, width_of
from shopbot.backends.mlc.packing import ROWS as BLOCK

_NOTHING = -1e30


def _is_past(block, position):
    """Which places of a block are up to ``position``."""
    return lanes(block * BLOCK) <= splat(position)


def rotation(config: ModelConfig):
    """The kernel that turns a token's q and k by its position. It writes q, divided by √head_dim, to ``queries``, and k
    and v to the cache. ``rope``: cosines, then sines, of each position."""
    heads, shared, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    half = size // 2
    width = width_of(half)
    root = 1 / sqrt(size)

    @T.inline
    def turn(source, place, start, rope, position, factor, out):
        for part in T.serial(half // width):
            near: T.let = lanes(part * width, width)
            far: T.let = lanes(half + part * width, width)
            left: T.let = source[place, lanes(start + part * width, width)]
            right: T.let = source[place, lanes(start + half + part * width, width)]
            cosine: T.let = rope[position, near]
            sine: T.let = rope[position, far]
            out[near] = (left * cosine - right * sine) * constant(factor, width)
            out[far] = (right * cosine + left * sine) * constant(factor, width)

    @T.inline
    def rotate(source, place, rope, first, layer, queries, keys, values):
        position: T.let = first + place
        turned = T.alloc_buffer((size,), "float32")
        for head in T.serial(heads):
            turn(source, place, head * size, rope, position, root, turned)
            for number in T.serial(size):
                queries[place, head, number] = turned[number]
        for head in T.serial(shared):
            turn(source, place, (heads + head) * size, rope, position, 1.0, turned)
            for number in T.serial(size):
                keys[layer, position // BLOCK, head, number, position % BLOCK] = turned[number]
            for number in T.serial(size):
                values[layer, position, head, number] = source[place, (heads + shared + head) * size + number]

    return rotate


def attention(config: ModelConfig):
    """The kernel that writes what ``count`` tokens from position ``first`` on attend to, all positions up to their own,
    to ``out``. The softmax is taken block by block, with the largest score so far."""
    heads, shared, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    group = heads // shared
    width = width_of(size)
    parts = size // width

    @T.inline
    def attend(queries, place, head, first, layer, keys, values, out):
        position: T.let = first + place
        top = T.alloc_buffer((group,), "float32")
        fade = T.alloc_buffer((group,), "float32")
        weight = T.alloc_buffer((group, BLOCK), "float32")
        score = T.alloc_buffer((group, BLOCK), "float32")
        share = T.alloc_buffer((group, BLOCK), "float32")
        sums = T.alloc_buffer((group, size), "float32")
        for query in T.unroll(group):
            top[query] = T.float32(_NOTHING)
            weight[query, lanes()] = constant(0.0, BLOCK)
            for part in T.unroll(parts):
                sums[query, lanes(part * width, width)] = constant(0.0, width)
        for block in T.serial(position // BLOCK + 1):
            for query in T.unroll(group):
                score[query, lanes()] = constant(0.0, BLOCK)
            for number in T.serial(size):
                for query in T.unroll(group):
                    key: T.let = keys[layer, block, head, number, lanes()]
                    score[query, lanes()] = (
                        score[query, lanes()] + splat(queries[place, head * group + query, number]) * key
                    )
            for query in T.unroll(group):
                score[query, lanes()] = T.Select(
                    _is_past(block, position), score[query, lanes()], constant(_NOTHING, BLOCK)
                )
                fade[query] = top[query]
                top[query] = T.max(top[query], largest(score[query, lanes()]))
                score[query, lanes()] = exp(score[query, lanes()] - splat(top[query]), BLOCK)
                score[query, lanes()] = T.Select(_is_past(block, position), score[query, lanes()], constant(0.0, BLOCK))
                share[query, lanes()] = score[query, lanes()]
                faded: T.let = exp(splat(fade[query] - top[query], width), width)
                for part in T.unroll(parts):
                    sums[query, lanes(part * width, width)] = sums[query, lanes(part * width, width)] * faded
                weight[query, lanes()] = (
                    weight[query, lanes()] * exp(splat(fade[query] - top[query]), BLOCK) + score[query, lanes()]
                )
            for column in T.serial(BLOCK):
                for part in T.unroll(parts):
                    for query in T.unroll(group):
                        value: T.let = values[layer, block * BLOCK + column, head, lanes(part * width, width)]
                        sums[query, lanes(part * width, width)] = (
                            sums[query, lanes(part * width, width)] + splat(share[query, column], width) * value
                        )
        for query in T.unroll(group):
            for part in T.unroll(parts):
                at: T.let = lanes((head * group + query) * size + part * width, width)
                out[place, at] = sums[query, lanes(part * width, width)] / splat(total(weight[query, lanes()]), width)

    @T.inline
    def attend_all(queries, count, first, layer, keys, values, out):
        if count <= ALONE:
            for task in T.serial(count * shared):
                attend(queries, task // shared, task % shared, first, layer, keys, values, out)
        else:
            for task in T.parallel(count * shared):
                # threads take neighbouring tasks: from both ends in turn, for later tokens have more to look at
                near: T.let = task // shared // 2
                place: T.let = T.if_then_else((task // shared) % 2 == 0, near, count - 1 - near)
                attend(queries, place, task % shared, first, layer, keys, values, out)

    return attend_all
