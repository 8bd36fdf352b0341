"""What is done to one token's row of numbers: norms, the gate, and rounding to 8 bits."""

# TVMScript is parsed, not run: its types and names mean nothing to a type checker.
# mypy: ignore-errors

from __future__ import annotations

from tvm.script import tirx as T

from shopbot.backends.mlc.kernels.vectors import constant, exp, lanes, largest, splat, total, width_of
from shopbot.backends.mlc.quantization import GROUP

#: From how many tokens on it pays to share rows among threads.
_WORTH_SHARING = 4


def shared():
    """The kernel that calls ``body(place)`` for ``count`` places, in several threads where that pays."""

    @T.inline
    def each(count, body):
        if count >= _WORTH_SHARING:
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
    """The kernel that rounds a row to 8 bits, each group of 32 with a scale.

    ``excess``: what a sum of products with weights that are ``zero`` too large has too much, negative.
    """
    half = GROUP // 2

    @T.inline
    def quantize(source, place, values, scales, excess):
        for group in T.serial(size // GROUP):
            low: T.let = lanes(group * GROUP, half)
            high: T.let = lanes(group * GROUP + half, half)
            peak = T.alloc_buffer((1,), "float32")
            peak[0] = largest(T.max(T.abs(source[place, low]), T.abs(source[place, high])))
            scales[place, group] = peak[0] / T.float32(127)
            inverse: T.let = T.if_then_else(peak[0] > T.float32(0), T.float32(127) / peak[0], T.float32(0))
            left = T.alloc_buffer((half,), "int32")
            right = T.alloc_buffer((half,), "int32")
            left[lanes(0, half)] = T.cast(T.nearbyint(source[place, low] * splat(inverse, half)), f"int32x{half}")
            right[lanes(0, half)] = T.cast(T.nearbyint(source[place, high] * splat(inverse, half)), f"int32x{half}")
            values[place, low] = T.cast(left[lanes(0, half)], f"int8x{half}")
            values[place, high] = T.cast(right[lanes(0, half)], f"int8x{half}")
            count: T.let = T.call_llvm_pure_intrin(
                "int32", "llvm.vector.reduce.add", left[lanes(0, half)] + right[lanes(0, half)]
            )
            excess[place, group] = count * T.int32(-zero)

    return quantize
