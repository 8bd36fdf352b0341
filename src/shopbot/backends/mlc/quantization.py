"""How weights are stored in an artefact: the forms that MLC knows, and one of 8 bits that it lacks.

A matrix is ``[N, K]``: N outputs, K inputs. The quantised forms cut each row into groups of 32 that share a scale:

======== ============================================== ========================================================
``q8``   ``q_weight`` int8 [N, K]                       ``q_scale`` float32 [N, K/32]; w = q · scale
``q4…``  ``q_weight`` uint32 [N, K/8], j in bits 4j     ``q_scale`` float32 or float16 [N, K/32]; w = (q - 7) · scale
``q0…``  ``weight`` float16 or float32 [N, K]
======== ============================================== ========================================================

Everything else (norms, biases) is a ``weight`` or ``bias`` in the floating-point type of the form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from shopbot.backends.mlc.config import ModelConfig
from shopbot.errors import ConfigError, ModelError

Name = Literal["q8", "q0f16", "q0f32", "q4f32_1", "q4f16_1"]
Array = np.ndarray[Any, Any]
GROUP = 32
_NIBBLES = 8
_Q4_MIDDLE = 7
_SHIFTS = (4 * np.arange(_NIBBLES)).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One array of the compiled model's parameters, by the name it has in an artefact."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Quantization:
    """A form of storing weights. ``dtype``: of all that is not quantised, and of the scales; ``bits`` a weight."""

    name: Name
    dtype: Literal["float16", "float32"]
    bits: int

    @property
    def is_grouped(self) -> bool:
        return self.bits < 16

    @property
    def is_lossy(self) -> bool:
        """Whether it makes a model noticeably worse, most of all one that was quantised before."""
        return self.bits < 8

    def matrix_specs(self, name: str, rows: int, columns: int) -> tuple[ParameterSpec, ...]:
        """The arrays of the matrix ``name``, ``rows`` by ``columns``. Raises :class:`ModelError` for rows that are no
        whole number of groups."""
        if not self.is_grouped:
            return (ParameterSpec(f"{name}.weight", (rows, columns), self.dtype),)
        if columns % GROUP:
            raise ModelError(
                f"{name} has rows of {columns}, no multiple of {GROUP}: {self.name} cannot store it.",
                remedy="Use q0f16 or q0f32.",
            )
        packed = ((rows, columns), "int8") if self.bits == 8 else ((rows, columns // _NIBBLES), "uint32")
        return (
            ParameterSpec(f"{name}.q_weight", *packed),
            ParameterSpec(f"{name}.q_scale", (rows, columns // GROUP), self.dtype),
        )

    def quantize(self, weight: Array) -> dict[str, Array]:
        """float32 [N, K] → suffix (``weight``, or ``q_weight`` and ``q_scale``) → array."""
        if not self.is_grouped:
            return {"weight": weight.astype(self.dtype)}
        groups = weight.astype(np.float32, copy=False).reshape(weight.shape[0], -1, GROUP)
        largest = 127 if self.bits == 8 else _Q4_MIDDLE
        scale = (np.abs(groups).max(axis=2) / np.float32(largest)).astype(self.dtype)
        divisor = np.where(scale > 0, scale, 1).astype(np.float32)[:, :, None]
        whole = np.clip(np.rint(groups / divisor), -largest, largest).reshape(weight.shape)
        packed = whole.astype(np.int8) if self.bits == 8 else _pack(whole)
        return {"q_weight": packed, "q_scale": scale}

    def dequantize(self, parts: Mapping[str, Array]) -> Array:
        """The inverse of :meth:`quantize`: float32 [N, K], rounded as it is stored."""
        if not self.is_grouped:
            return parts["weight"].astype(np.float32)
        packed, scale = parts["q_weight"], parts["q_scale"].astype(np.float32)
        whole = packed.astype(np.float32) if self.bits == 8 else unpack(packed)
        weight: Array = (whole.reshape(whole.shape[0], -1, GROUP) * scale[:, :, None]).reshape(whole.shape)
        return weight


QUANTIZATIONS: Mapping[str, Quantization] = {
    form.name: form
    for form in (
        Quantization("q8", "float32", 8),
        Quantization("q0f16", "float16", 16),
        Quantization("q0f32", "float32", 32),
        Quantization("q4f32_1", "float32", 4),
        Quantization("q4f16_1", "float16", 4),
    )
}
#: What a checkpoint can be compiled to; the others are read, from official artefacts.
OFFERED: tuple[Name, ...] = ("q8", "q0f16", "q0f32", "q4f32_1")
assert set(QUANTIZATIONS) == set(get_args(Name))


def parse_quantization(text: str) -> Quantization:
    """A form by the name that an operator gives. Raises :class:`ConfigError`."""
    name = text.strip().lower()
    if name not in OFFERED:
        raise ConfigError(f"There is no quantisation '{text}' to compile to.", remedy=f"Known: {', '.join(OFFERED)}.")
    return QUANTIZATIONS[name]


def parameter_specs(config: ModelConfig, quantization: Quantization) -> list[ParameterSpec]:
    """All parameters of a model, in the order in which the compiled code takes them."""
    return list(_specs(config, quantization.matrix_specs, quantization.dtype))


def _specs(
    config: ModelConfig, matrix: Callable[[str, int, int], tuple[ParameterSpec, ...]], dtype: str
) -> Iterator[ParameterSpec]:
    hidden, inner = config.hidden_size, config.intermediate_size
    yield from matrix("model.embed_tokens", config.vocab_size, hidden)
    for layer in range(config.num_hidden_layers):
        at = f"model.layers.{layer}"
        qkv = f"{at}.self_attn.{qkv_name(config)}"
        yield from matrix(qkv, config.qkv_size, hidden)
        if config.attention_bias:
            yield ParameterSpec(f"{qkv}.bias", (config.qkv_size,), dtype)
        yield from matrix(f"{at}.self_attn.o_proj", hidden, config.num_attention_heads * config.head_dim)
        if config.has_qk_norm:
            yield ParameterSpec(f"{at}.self_attn.q_norm.weight", (config.head_dim,), dtype)
            yield ParameterSpec(f"{at}.self_attn.k_norm.weight", (config.head_dim,), dtype)
        yield from matrix(f"{at}.mlp.gate_up_proj", 2 * inner, hidden)
        yield from matrix(f"{at}.mlp.down_proj", hidden, inner)
        yield ParameterSpec(f"{at}.input_layernorm.weight", (hidden,), dtype)
        yield ParameterSpec(f"{at}.post_attention_layernorm.weight", (hidden,), dtype)
    yield ParameterSpec("model.norm.weight", (hidden,), dtype)
    if not config.tie_word_embeddings:
        yield from matrix("lm_head", config.vocab_size, hidden)


def qkv_name(config: ModelConfig) -> str:
    """What MLC calls the matrix of q, k and v."""
    return "qkv_proj" if config.model_type == "llama" else "c_attn"


def _pack(whole: Array) -> Array:
    nibbles = (whole + _Q4_MIDDLE).astype(np.uint32).reshape(whole.shape[0], -1, _NIBBLES)
    packed: Array = np.bitwise_or.reduce(nibbles << _SHIFTS, axis=2)
    return packed


def unpack(packed: Array) -> Array:
    """uint32 [N, K/8] → the whole numbers -7 to 8, float32 [N, K]."""
    nibbles = (packed[:, :, None] >> _SHIFTS) & np.uint32(15)
    whole: Array = nibbles.astype(np.float32).reshape(packed.shape[0], -1) - np.float32(_Q4_MIDDLE)
    return whole
