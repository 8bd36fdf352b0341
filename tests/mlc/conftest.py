"""Fixtures for what needs compiled code: a folder of libraries that all tests share, small artefacts, a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from shopbot.backends import BackendSettings
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.quantization import QUANTIZATIONS
from tests.mlc.artefacts import as_stored, publish, random_weights, small_config
from tests.mlc.tokens import VOCABULARY, write_tokenizer

Weights = dict[str, np.ndarray]
MakeArtefact = Callable[..., tuple[Artefact, Weights]]


@pytest.fixture(scope="session")
def code_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose compiled libraries the tests share: compiling takes seconds."""
    pytest.importorskip("tvm_ffi", reason="the extra 'mlc' is not installed")
    return tmp_path_factory.mktemp("mlc-home")


@pytest.fixture(scope="session")
def make_artefact(tmp_path_factory: pytest.TempPathFactory) -> MakeArtefact:
    """Publishes a small artefact: (the artefact, its weights in float32 as they are stored)."""

    def make(model_type: str = "llama", quantization: str = "q0f32", **changes: int) -> tuple[Artefact, Weights]:
        config = small_config(model_type, vocab_size=len(VOCABULARY), **changes)
        weights, folder = random_weights(config), tmp_path_factory.mktemp("artefact")
        stored = as_stored(weights, quantization) if quantization != "q8" else _eight_bits(weights)
        publish(folder, config, stored, quantization)
        write_tokenizer(folder)
        artefact = Artefact.open(folder)
        return artefact, _exact(artefact)

    return make


@pytest.fixture(scope="module")
def backend(make_artefact: MakeArtefact, code_home: Path) -> Iterator[object]:
    """A small llama on two slots and one thread."""
    from shopbot.backends.mlc.backend import MLCBackend

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPBOT_HOME", str(code_home))
        artefact, _ = make_artefact()
        opened = MLCBackend(BackendSettings(artefact.folder, context=256, slots=2, threads=1))
        yield opened
        opened.close()


def _eight_bits(weights: Weights) -> Weights:
    stored: Weights = {}
    for name, array in weights.items():
        parts = QUANTIZATIONS["q8"].quantize(array) if array.ndim == 2 else {"weight": array}
        base = name.removesuffix("weight") if array.ndim == 2 else ""
        stored |= {f"{base}{part}": value for part, value in parts.items()} if base else {name: array}
    return stored


def _exact(artefact: Artefact) -> Weights:
    """The numbers that an artefact stands for, by MLC's names of unquantised weights."""
    form, found = artefact.quantization, dict(artefact.read())
    exact: Weights = {}
    for name, array in found.items():
        matrix, _, part = name.rpartition(".")
        if part == "q_weight":
            exact[f"{matrix}.weight"] = form.dequantize({part: array, "q_scale": found[f"{matrix}.q_scale"]})
        elif part != "q_scale":
            exact[name] = array.astype(np.float32)
    return exact
