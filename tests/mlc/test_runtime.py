"""The compiled model against a forward pass that was written from the papers alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shopbot import memory
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.interface import use_threads
from shopbot.backends.mlc.library import compiled_library
from shopbot.backends.mlc.runtime import Runtime
from shopbot.backends.mlc.targets import TARGETS, can_run
from shopbot.errors import ModelError
from tests.mlc.reference import reference_logits

pytestmark = pytest.mark.usefixtures("code_home")
Make = Callable[..., tuple[Artefact, dict[str, np.ndarray]]]
TOKENS = [int(token) for token in np.random.default_rng(5).integers(4, 250, 75)]


def _runtime(artefact: Artefact, home: Path, target: str = "native") -> Runtime:
    use_threads(2)
    library = compiled_library(artefact.config, artefact.quantization, target, cache=home / "code")
    return Runtime(artefact, library, context=96)


def _read(runtime: Runtime, parts: list[int]) -> np.ndarray:
    """The logits after each of :data:`TOKENS`, read in parts of these lengths."""
    cache, rows, place = runtime.new_cache(), [], 0
    for length in parts:
        tokens = TOKENS[place : place + length]
        rows.append(runtime.forward(cache, tokens, place, answers=length).copy())
        place += length
    return np.concatenate(rows)


@pytest.mark.parametrize(
    "model_type",
    ["llama", pytest.param("qwen2", marks=pytest.mark.slow), pytest.param("qwen3", marks=pytest.mark.slow)],
)
def test_exact_weights(make_artefact: Make, code_home: Path, model_type: str) -> None:
    artefact, weights = make_artefact(model_type, "q0f32")
    runtime = _runtime(artefact, code_home)
    expected = reference_logits(weights, artefact.config, TOKENS)
    chunked = _read(runtime, [64, 11])
    split = _read(runtime, [1, 30, 2, 7, 5, 3, 20, 7])
    one_by_one = _read(runtime, [1] * len(TOKENS))
    for logits in (chunked, split, one_by_one):
        assert np.abs(logits - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("quantization", ["q8", "q0f16", "q4f32_1", "q4f16_1"])
def test_other_weights(make_artefact: Make, code_home: Path, quantization: str) -> None:
    artefact, weights = make_artefact("llama", quantization)
    runtime = _runtime(artefact, code_home)
    expected = reference_logits(weights, artefact.config, TOKENS)
    logits = _read(runtime, [64, 11])
    assert (logits == _read(runtime, [1] * len(TOKENS))).all(), "how a text is cut must change nothing"
    # activations are rounded to 8 bits beside quantised weights
    allowed = 1e-5 if quantization == "q0f16" else 0.05
    assert np.abs(logits - expected).max() <= allowed * np.abs(expected).max()
    similarity = (logits * expected).sum(1) / np.linalg.norm(logits, axis=1) / np.linalg.norm(expected, axis=1)
    assert similarity.min() > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("target", [name for name, target in TARGETS.items() if can_run(target)])
@pytest.mark.parametrize("quantization", ["q8", "q0f32"])
def test_all_kernels_agree(make_artefact: Make, code_home: Path, target: str, quantization: str) -> None:
    artefact, _ = make_artefact("llama", quantization)
    native, other = (_read(_runtime(artefact, code_home, name), [64, 11]) for name in ("native", target))
    # q8 rounds activations to 8 bits, where sums that differ in the last bit may part; one step is 8e-3 of the largest
    bound = 8e-3 if quantization == "q8" else 1e-5
    assert np.abs(native - other).max() <= bound * np.abs(native).max()


@pytest.mark.slow
def test_shapes_that_fill_no_vector(make_artefact: Make, code_home: Path) -> None:
    odd = {
        "hidden_size": 40,
        "intermediate_size": 50,
        "num_attention_heads": 3,
        "num_key_value_heads": 1,
        "head_dim": 12,
    }
    artefact, weights = make_artefact("llama", "q0f32", **odd)
    expected = reference_logits(weights, artefact.config, TOKENS)
    logits = _read(_runtime(artefact, code_home), [64, 11])
    assert np.abs(logits - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def test_going_back_leaves_no_trace(make_artefact: Make, code_home: Path) -> None:
    artefact, _ = make_artefact()
    runtime = _runtime(artefact, code_home)
    cache = runtime.new_cache()
    fresh = runtime.forward(runtime.new_cache(), TOKENS[:20], 0).copy()
    runtime.forward(cache, TOKENS[:12], 0)
    runtime.forward(cache, list(reversed(TOKENS[:40])), 12)
    assert (runtime.forward(cache, TOKENS[12:20], 12) == fresh).all()


def test_two_caches_are_apart(make_artefact: Make, code_home: Path) -> None:
    artefact, _ = make_artefact()
    runtime = _runtime(artefact, code_home)
    one, two = runtime.new_cache(), runtime.new_cache()
    alone = _read(runtime, [10] * 3)
    together = []
    for place in range(0, 30, 10):
        together.append(runtime.forward(one, TOKENS[place : place + 10], place, answers=10).copy())
        runtime.forward(two, TOKENS[30:40], place)
    assert (np.concatenate(together) == alone).all()


@pytest.mark.parametrize(("count", "place", "answers"), [(0, 0, 0), (65, 0, 1), (10, 90, 1), (5, -1, 1), (5, 0, 6)])
def test_no_call_reads_or_writes_elsewhere(
    make_artefact: Make, code_home: Path, count: int, place: int, answers: int
) -> None:
    artefact, _ = make_artefact()
    runtime = _runtime(artefact, code_home)
    with pytest.raises(ValueError, match="tokens at"):
        runtime.forward(runtime.new_cache(), [5] * count, place, answers=answers)


def test_too_little_memory(make_artefact: Make, code_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact, _ = make_artefact()
    library = compiled_library(artefact.config, artefact.quantization, cache=code_home / "code")
    # The amount of memory cannot be arranged for a test without root, so what the system says is replaced.
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
    with pytest.raises(ModelError, match="MiB of memory"):
        Runtime(artefact, library, context=96)
