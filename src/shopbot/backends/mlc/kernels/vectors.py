"""Vectors of numbers, and what LLVM is to make of them on a processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from typing import Any

from tvm.script import tirx as T

from shopbot.backends.mlc.packing import ROWS

#: The largest negative number that ``exp`` below is given; e to that power is the smallest normal float.
_LOWEST = -87.0
_LOG2_E = 1.44269504088896341
_LN_2_HIGH, _LN_2_LOW = 0.693359375, -2.12194440e-4
#: e to the power of r for \|r| <= ln(2) / 2, highest power first (Cephes' expf; 1 and r are added below).
_EXP_TERMS = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)


@dataclass(frozen=True, slots=True)
class Processor:
    """How integers are multiplied: ``dot`` adds to each of ``lanes`` sums the products of four signed bytes.

    ``dot(sums, weights, activations)``: int32 vectors of ``lanes``, and one int32, each number of the last two being
    four bytes. ``weights`` have gone through ``prepare``. ``zero``: what prepared weights have too much in each byte.
    """

    lanes: int
    prepare: Callable[[Any], Any]
    dot: Callable[[Any, Any, Any], Any]
    zero: int = 0


def width_of(size: int) -> int:
    """The widest vector that ``size`` numbers can be cut into."""
    return gcd(size, ROWS)


def lanes(start: Any = 0, width: int = ROWS) -> Any:
    """The index of ``width`` numbers in a row."""
    return T.Ramp(start, 1, width)


def splat(value: Any, width: int = ROWS) -> Any:
    """A vector that holds ``value`` ``width`` times."""
    return T.broadcast(value, width)


def constant(value: float, width: int) -> Any:
    """A vector of one float."""
    return T.broadcast(T.float32(value), width)


def largest(vector: Any) -> Any:
    return T.call_llvm_pure_intrin("float32", "llvm.vector.reduce.fmax", vector)


def total(vector: Any) -> Any:
    return T.call_llvm_pure_intrin("float32", "llvm.vector.reduce.fadd", T.float32(0), vector)


def exp(power: Any, width: int) -> Any:
    """e to ``power``, a float32 vector of ``width``, to within two units in the last place; LLVM would call the C
    library once for each number."""
    clipped = T.max(power, constant(_LOWEST, width))
    whole = T.nearbyint(clipped * constant(_LOG2_E, width))
    rest = clipped - whole * constant(_LN_2_HIGH, width) - whole * constant(_LN_2_LOW, width)
    term = constant(_EXP_TERMS[0], width)
    for coefficient in _EXP_TERMS[1:]:
        term = term * rest + constant(coefficient, width)
    mantissa = term * rest * rest + rest + constant(1.0, width)
    exponent = T.shift_left(T.cast(whole, f"int32x{width}") + splat(T.int32(127), width), splat(T.int32(23), width))
    return mantissa * T.reinterpret(f"float32x{width}", exponent)


def _vnni() -> Processor:
    """AVX-512 with VNNI multiplies unsigned with signed bytes: 128 is added to the weights."""
    flip = T.int32(-0x7F7F7F80)  # 0x80 in each byte

    def prepare(weights: Any) -> Any:
        return weights ^ splat(flip)

    def dot(sums: Any, weights: Any, activations: Any) -> Any:
        unsigned = T.reinterpret("uint8x64", weights)
        signed = T.reinterpret("int8x64", splat(activations))
        return T.call_llvm_pure_intrin("int32x16", "llvm.x86.avx512.vpdpbusd.512", sums, unsigned, signed)

    return Processor(16, prepare, dot, zero=128)


def _avx2() -> Processor:
    """AVX2 has the same, but sums pairs to 16 bits: |w| times a with the sign of w keeps within them."""

    def dot(sums: Any, weights: Any, activations: Any) -> Any:
        signs = T.reinterpret("int8x32", weights)
        sign = "llvm.x86.avx2.psign.b"
        size = T.call_llvm_pure_intrin("int8x32", sign, signs, signs)
        signed = T.call_llvm_pure_intrin("int8x32", sign, T.reinterpret("int8x32", splat(activations, 8)), signs)
        pairs = T.call_llvm_pure_intrin(
            "int16x16", "llvm.x86.avx2.pmadd.ub.sw", T.reinterpret("uint8x32", size), signed
        )
        ones = T.broadcast(T.int16(1), 16)
        return sums + T.call_llvm_pure_intrin("int32x8", "llvm.x86.avx2.pmadd.wd", pairs, ones)

    return Processor(8, lambda weights: weights, dot)


def _neon_dot() -> Processor:
    """ARMv8.2 with the dot-product instructions."""

    def dot(sums: Any, weights: Any, activations: Any) -> Any:
        left, right = T.reinterpret("int8x16", weights), T.reinterpret("int8x16", splat(activations, 4))
        return T.call_llvm_pure_intrin("int32x4", "llvm.aarch64.neon.sdot.v4i32.v16i8", sums, left, right)

    return Processor(4, lambda weights: weights, dot)


def _any() -> Processor:
    """Whatever LLVM compiles for: each byte is moved to its place and multiplied."""

    def byte(vector: Any, place: int) -> Any:
        up, down = splat(T.int32(24 - 8 * place), 4), splat(T.int32(24), 4)
        return T.shift_right(T.shift_left(vector, up), down)

    def dot(sums: Any, weights: Any, activations: Any) -> Any:
        spread = splat(activations, 4)
        for place in range(4):
            sums = sums + byte(weights, place) * byte(spread, place)
        return sums

    return Processor(4, lambda weights: weights, dot)


PROCESSORS: dict[str, Callable[[], Processor]] = {"vnni": _vnni, "avx2": _avx2, "neon-dot": _neon_dot, "any": _any}
