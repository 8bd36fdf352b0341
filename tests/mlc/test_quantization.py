"""Forms of storing weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shopbot.backends.mlc.quantization import OFFERED, QUANTIZATIONS, parameter_specs, parse_quantization
from shopbot.errors import ConfigError, ModelError
from tests.mlc.artefacts import as_stored, four_bits, random_weights, small_config

WEIGHTS = arrays(np.float32, (3, 64), elements=st.floats(-1e3, 1e3, width=32))


@given(weight=WEIGHTS)
@pytest.mark.parametrize(("name", "levels"), [("q8", 127), ("q4f32_1", 7)])
def test_no_number_moves_further_than_half_a_step(name: str, levels: int, weight: np.ndarray) -> None:
    form = QUANTIZATIONS[name]
    parts = form.quantize(weight)
    found = form.dequantize(parts)
    steps = np.abs(weight.reshape(3, 2, 32)).max(axis=2) / levels
    assert np.allclose(parts["q_scale"], steps)
    assert (np.abs(found - weight).reshape(3, 2, 32) <= 0.501 * steps[:, :, None] + 1e-30).all()
    assert all(np.array_equal(part, form.quantize(found)[suffix]) for suffix, part in parts.items()), "it is stable"


@given(weight=WEIGHTS)
def test_no_quantisation(weight: np.ndarray) -> None:
    assert np.array_equal(QUANTIZATIONS["q0f32"].dequantize(QUANTIZATIONS["q0f32"].quantize(weight)), weight)
    half = QUANTIZATIONS["q0f16"].quantize(weight)["weight"]
    assert half.dtype == np.float16 and np.array_equal(half, weight.astype(np.float16))


def test_eight_bits_lie_as_they_are_said_to() -> None:
    weight = np.zeros((1, 64), np.float32)
    weight[0, 0], weight[0, 1], weight[0, 33] = 127.0, -63.6, 0.5
    parts = QUANTIZATIONS["q8"].quantize(weight)
    assert (parts["q_weight"].dtype, parts["q_scale"].dtype) == (np.int8, np.float32)
    assert parts["q_weight"][0, [0, 1, 2, 33]].tolist() == [127, -64, 0, 127]
    assert parts["q_scale"].tolist() == [[1.0, np.float32(0.5 / 127)]]


@pytest.mark.parametrize(("name", "kind"), [("q4f32_1", "float32"), ("q4f16_1", "float16")])
def test_four_bits_are_those_of_mlc(name: str, kind: str) -> None:
    weight = np.random.default_rng(3).standard_normal((5, 96)).astype(np.float32)
    published, ours = four_bits(weight, kind), QUANTIZATIONS[name].quantize(weight)
    assert {suffix: (part.dtype, part.shape) for suffix, part in ours.items()} == {
        suffix: (part.dtype, part.shape) for suffix, part in published.items()
    }
    differing = np.abs(QUANTIZATIONS[name].dequantize(published) - QUANTIZATIONS[name].dequantize(ours)) > 1e-6
    assert differing.mean() < 0.02, "only what lies between two levels may be rounded the other way"
    assert np.abs(QUANTIZATIONS[name].dequantize(published) - weight).max() < 0.3


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("name", ["q0f32", "q4f16_1"])
def test_the_parameters_are_those_of_a_published_model(model_type: str, name: str) -> None:
    config = small_config(model_type)
    published = as_stored(random_weights(config), name)
    specs = parameter_specs(config, QUANTIZATIONS[name])
    assert {spec.name: (spec.shape, spec.dtype, spec.nbytes) for spec in specs} == {
        name: (array.shape, array.dtype.name, array.nbytes) for name, array in published.items()
    }


def test_rows_that_are_no_whole_number_of_groups() -> None:
    with pytest.raises(ModelError, match=r"rows of 40, no multiple of 32.*q0f16"):
        parameter_specs(small_config(hidden_size=40), QUANTIZATIONS["q8"])
    assert parameter_specs(small_config(hidden_size=40), QUANTIZATIONS["q0f16"])


def test_names() -> None:
    assert [parse_quantization(name).name for name in OFFERED] == list(OFFERED)
    assert parse_quantization(" Q8 ").name == "q8"
    for name in ("", "q4f16_1", "q3", "../q8", "q8\n1"):
        with pytest.raises(ConfigError, match=r"Known: q8, q0f16, q0f32, q4f32_1"):
            parse_quantization(name)
