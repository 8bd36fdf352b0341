"""What a conversion loses is seen, where a smoke test sees nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shopbot.backends.mlc.convert import config_of, dequantized, exact_parameters, quantized
from shopbot.backends.mlc.quality import Quality, compare, text_tokens
from shopbot.backends.mlc.quantization import QUANTIZATIONS, Quantization
from shopbot.backends.mlc.tokenizer import load_tokenizer, tokenizer_json
from shopbot.errors import ModelCorruptError
from shopbot.header import ModelHeader, read_header
from shopbot.weights import open_weights
from tests.mlc.artefacts import random_weights, small_config
from tests.mlc.reference import reference_logits

TOKENS = np.random.default_rng(7).integers(0, small_config().vocab_size, 40).tolist()


def test_the_numbers_are_those_of_the_definitions() -> None:
    config, chance = small_config(), np.random.default_rng(1)
    exact = random_weights(config)
    spoilt = {name: array + 0.02 * chance.standard_normal(array.shape).astype("f4") for name, array in exact.items()}
    found = compare(exact.items(), spoilt.items(), config, TOKENS)
    wanted, got = (reference_logits(weights, config, TOKENS) for weights in (exact, spoilt))
    losses = [np.log(np.exp(row).sum()) - row[token] for row, token in zip(got[:-1], TOKENS[1:], strict=True)]
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(wanted, got, strict=True)]
    assert found.perplexity == pytest.approx(np.exp(np.mean(losses)), rel=1e-4)
    assert found.cosine == pytest.approx(np.mean(cosines), abs=1e-5)
    assert found.same_top == np.mean(wanted.argmax(axis=1) == got.argmax(axis=1))
    assert found.tokens == 40 and found.exact_perplexity != found.perplexity


def test_nothing_is_lost_where_nothing_changes() -> None:
    config = small_config("qwen3")
    weights = random_weights(config)
    found = compare(weights.items(), weights.items(), config, TOKENS)
    assert (found.cosine, found.same_top) == (pytest.approx(1.0), 1.0)
    assert found.perplexity == found.exact_perplexity and found.is_good


@pytest.mark.parametrize(
    ("cosine", "perplexity", "is_good"),
    [(0.9955, 20.1, True), (0.9945, 20.0, False), (0.9999, 20.7, False), (0.9999, 18.0, True)],
)
def test_what_is_good(cosine: float, perplexity: float, is_good: bool) -> None:
    found = Quality(256, perplexity, 20.0, cosine, 0.97)
    assert found.is_good is is_good
    assert "perplexity" in found.sentence() and "20.00 with the exact weights" in found.sentence()


def test_weights_that_give_no_numbers() -> None:
    config = small_config()
    weights = random_weights(config)
    huge = {name: array * np.float32(1e30) for name, array in weights.items()}
    with pytest.raises(ModelCorruptError, match="no numbers"):
        compare(weights.items(), huge.items(), config, TOKENS)
    with pytest.raises(ModelCorruptError, match="knows nothing"):
        compare(weights.items(), weights.items(), config, TOKENS[:1])


@pytest.mark.model
@pytest.mark.slow
def test_four_bits_from_four_bits_are_seen_to_fail(real_model: Path, tmp_path: Path) -> None:
    header = read_header(real_model)
    (tmp_path / "tokenizer.json").write_bytes(tokenizer_json(header))
    tokens = text_tokens(load_tokenizer(tmp_path))
    assert 200 < len(tokens) <= 256
    eight, four = (measure(header, QUANTIZATIONS[name], tokens) for name in ("q8", "q4f32_1"))
    assert 10 < eight.exact_perplexity < 60, "of a model that knows English"
    assert eight.is_good and eight.cosine > 0.9995 and eight.same_top > 0.9, eight
    assert not four.is_good and four.cosine < 0.98 and four.perplexity > 1.2 * four.exact_perplexity, four


def measure(header: ModelHeader, form: Quantization, tokens: list[int]) -> Quality:
    config = config_of(header)
    with open_weights(header, None) as weights:
        stored = dequantized(quantized(exact_parameters(weights, config), form), form)
        return compare(exact_parameters(weights, config), stored, config, tokens)


def test_the_text_is_cut_to_its_size(tmp_path: Path) -> None:
    from tests.mlc.gguf_files import write_model

    header = read_header(write_model(tmp_path / "model.gguf"))
    (tmp_path / "tokenizer.json").write_bytes(tokenizer_json(header))
    assert len(text_tokens(load_tokenizer(tmp_path))) == 256
