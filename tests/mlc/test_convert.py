"""A GGUF becomes an artefact that computes the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from shopbot.backends import BackendSettings
from shopbot.backends.gguf import GgufBackend
from shopbot.backends.mlc.artefact import Artefact, write_artefact
from shopbot.backends.mlc.convert import config_of, dequantized, exact_parameters, quantized
from shopbot.backends.mlc.forward import logits
from shopbot.backends.mlc.quantization import OFFERED, QUANTIZATIONS
from shopbot.backends.mlc.tokenizer import load_tokenizer, tokenizer_json
from shopbot.errors import ModelError
from shopbot.header import read_header
from shopbot.weights import open_weights
from tests.mlc.artefacts import random_weights, small_config
from tests.mlc.gguf_files import HIDDEN, LAYERS, write_model
from tests.mlc.gguf_files import tokens as words
from tests.mlc.reference import reference_logits

PROMPT = "hello there, w"


def parameters(model: Path, lora: Path | None = None) -> list[tuple[str, np.ndarray]]:
    header = read_header(model)
    with open_weights(header, read_header(lora) if lora else None) as weights:
        return list(exact_parameters(weights, config_of(header)))


def write_lora(path: Path) -> Path:
    """A LoRA adapter of q, v and the gate that changes what the model says."""
    chance, writer = np.random.default_rng(1), gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for layer in range(LAYERS):
        for name, rows in (("attn_q", HIDDEN), ("attn_k", HIDDEN // 2), ("ffn_gate", 96)):
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_a", chance.standard_normal((4, HIDDEN)).astype("f2") / 4)
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_b", chance.standard_normal((rows, 4)).astype("f2") / 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "qwen3"])
def test_the_forward_pass_is_the_one_of_the_papers(model_type: str) -> None:
    config = small_config(model_type)
    weights = random_weights(config)
    tokens = np.random.default_rng(5).integers(0, config.vocab_size, 24).tolist()
    found = logits(weights.items(), config, tokens)
    assert np.abs(found - reference_logits(weights, config, tokens)).max() < 1e-4


@pytest.mark.parametrize(
    ("architecture", "is_tied", "has_lora"),
    [("llama", True, False), ("llama", False, True), ("qwen2", False, False), ("qwen3", True, False)],
)
def test_the_parameters_say_what_llama_cpp_says_of_the_file(
    architecture: str, is_tied: bool, has_lora: bool, tmp_path: Path, shopbot_home: Path
) -> None:
    model = write_model(tmp_path / "model.gguf", architecture, is_tied=is_tied)
    lora = write_lora(tmp_path / "lora.gguf") if has_lora else None
    backend = GgufBackend(BackendSettings(model, lora, threads=1, context=128))
    said = backend.complete(PROMPT, max_tokens=8, grammar="root ::= [a-z ]{60}")
    backend.close()
    (tmp_path / "tokenizer.json").write_bytes(tokenizer_json(read_header(model)))
    tokenizer, config, weights = load_tokenizer(tmp_path), config_of(read_header(model)), parameters(model, lora)
    tokens, logprobs = list(tokenizer.encode(PROMPT).ids), []
    start = len(tokens)
    assert said.prompt_tokens == start
    letters = [number for number, token in enumerate(words()) if re.fullmatch("[a-zĠ]+", token)]
    for _ in said.tokens:
        last = logits(weights, config, tokens)[-1].astype(np.float64)
        tokens.append(max(letters, key=lambda token: last[token]))
        logprobs.append(float(last[tokens[-1]] - np.log(np.exp(last).sum())))
    assert tokenizer.decode(tokens[start:]) == said.text
    assert len(said.tokens) == 8
    assert [token.logprob for token in said.tokens] == pytest.approx(logprobs, abs=2e-2)
    if lora:
        bare = logits(parameters(model), config, tokens)
        assert np.abs(bare - logits(weights, config, tokens)).max() > 0.5, "an adapter that changes nothing"


@pytest.mark.parametrize("name", OFFERED)
def test_an_artefact_holds_the_parameters(name: str, tmp_path: Path) -> None:
    model, form = write_model(tmp_path / "model.gguf", "qwen2", is_tied=False), QUANTIZATIONS[name]
    config, exact = config_of(read_header(model)), parameters(model)
    write_artefact(tmp_path / "made", config, form, quantized(exact, form), tokenizer=b"{}", special_tokens={})
    stored = list(dequantized(Artefact.open(tmp_path / "made").read(), form))
    assert [name for name, _ in stored] == [name for name, _ in exact]
    limit = {"q8": 1 / 254, "q0f16": 1e-3, "q0f32": 0.0, "q4f32_1": 1 / 14}[name]
    for (_, wanted), (which, found) in zip(exact, stored, strict=True):
        assert np.abs(found - wanted).max() <= 1.01 * limit * np.abs(wanted).max(), which


EXTRA = np.ones(HIDDEN, np.float32)


@pytest.mark.parametrize(
    ("architecture", "metadata", "tensors", "message"),
    [
        ("gemma", {}, {}, "architecture 'gemma', which is not compiled.*Serve it as it is"),
        ("llama", {"llama.rope.scaling.type": "yarn"}, {}, r"sets llama.rope.scaling.type"),
        ("llama", {"llama.attention.sliding_window": 64}, {}, r"sets llama.attention.sliding_window"),
        ("llama", {"llama.expert_count": 8}, {}, r"sets llama.expert_count"),
        ("llama", {}, {"blk.0.attn_q.bias": EXTRA}, r"has blk.0.attn_q.bias \[64\], which makes no llama"),
        ("llama", {}, {"rope_freqs.weight": EXTRA[:8]}, r"has rope_freqs.weight"),
        ("qwen2", {}, {"blk.1.attn_output.bias": EXTRA}, r"has blk.1.attn_output.bias"),
        ("llama", {}, {"blk.1.attn_norm.weight": EXTRA[:32]}, r"has blk.1.attn_norm.weight \[32\]"),
    ],
)
def test_what_would_be_ignored_is_refused(
    architecture: str, metadata: dict[str, object], tensors: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    header = read_header(write_model(tmp_path / "model.gguf", architecture, metadata=metadata, tensors=tensors))
    with pytest.raises(ModelError, match=message):
        config_of(header)


def test_a_model_that_rotates_only_a_part(tmp_path: Path, make_model: Callable[..., None]) -> None:
    make_model(tmp_path / "tiny.gguf")
    assert config_of(read_header(tmp_path / "tiny.gguf")).head_dim == 32
