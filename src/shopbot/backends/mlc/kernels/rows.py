"""What is done to one token's row of numbers: norms, the gate, and rounding to 8 bits."""

# TVMScript is parsed, not run: its types and names mean nothing to a type checker.
# mypy: ignore-errors

from __future__ import annotations

from tvm.script import tirx as T

from shopbot.backends.mlc.kernels.vectors import constant, exp, lanes, largest, splat, total, width_of
from shopbot.backends.mlc.quantization import GROUP

#: Up to so many tokens, one thread does all the work. It reads the weights nearly as fast as two, and threads that wait
#: for each other, some hundred times a step, lose far more where another process has a core: seconds for 31 tokens.
ALONE = 32
#: What the largest number of a group becomes.
_LARGEST = 127


def shared():
    """The kernel that calls ``body(place)`` for ``count`` places, in several threads where that pays."""

    @T.inline
    def each(count, body):
        if count > ALONE:
            for place in T.parallel(count):
                body(place)
        else:
            for place in T.serial(count):
                body(place)

    return each


def norm(size: int, epsilon: float):
    """The kernel that writes the RMS norm of ``source[place, start:start + size]`` to ``out`` at the same place."""
    width = width_of(size)

    @T.inline
    def normalise(source, place, start, weight, layer, out):
        squares = T.alloc_buffer((width,), "float32")
        squares[lanes(0, width)] = constant(0.0, width)
        for part in T.serial(size // width):
            at: T.let = lanes(start + part * width, width)
            squares[lanes(0, width)] = squares[lanes(0, width)] + source[place, at] * source[place, at]
        factor = T.alloc_buffer((1,), "float32")
        factor[0] = T.float32(1) / T.sqrt(total(squares[lanes(0, width)]) / T.float32(size) + T.float32(epsilon))
        for part in T.serial(size // width):
            at: T.let = lanes(start + part * width, width)
            out[place, at] = source[place, at] * splat(factor[0], width) * weight[layer, lanes(part * width, width)]

    return normalise


def gate(size: int):
    """The kernel that writes silu(gate) · up to ``out``; a row of ``source`` is gate and up."""
    width = width_of(size)

    @T.inline
    def weigh(source, place, out):
        for part in T.serial(size // width):
            opened: T.let = source[place, lanes(part * width, width)]
            above: T.let = source[place, lanes(size + part * width, width)]
            silu: T.let = opened / (constant(1.0, width) + exp(constant(0.0, width) - opened, width))
            out[place, lanes(part * width, width)] = silu * above

    return weigh


def quantizer(size: int, zero: int):
    """The kernel that rounds a row to 8 bits, each group of 32 with a scale, as llama.cpp does.

    ``excess``: what a sum of products with weights that are ``zero`` too large has too much, negative.
    """
    half = GROUP // 2

    @T.inline
    def quantize(source, place, values, scales, excess):
        for group in T.serial(size // GROUP):
            peak = T.alloc_buffer((1,), "float32")
            sums = T.alloc_buffer((half,), "int32")
            first: T.let = T.abs(source[place, lanes(group * GROUP, half)])
            peak[0] = largest(T.max(first, T.abs(source[place, lanes(group * GROUP + half, half)])))
            scales[place, group] = peak[0] / T.float32(_LARGEST)
            inverse: T.let = T.if_then_else(peak[0] > T.float32(0), T.float32(_LARGEST) / peak[0], T.float32(0))
            sums[lanes(0, half)] = splat(T.int32(0), half)
            for part in T.unroll(2):
                at: T.let = lanes(group * GROUP + part * half, half)
                rounded: T.let = T.nearbyint(source[place, at] * splat(inverse, half))
                whole: T.let = T.cast(rounded, f"int32x{half}")
                values[place, at] = T.cast(whole, f"int8x{half}")
                sums[lanes(0, half)] = sums[lanes(0, half)] + whole
            count: T.let = T.call_llvm_pure_intrin("int32", "llvm.vector.reduce.add", sums[lanes(0, half)])
            excess[place, group] = count * T.int32(-zero)

    return quantize
