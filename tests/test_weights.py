"""A LoRA adapter merged into its base: the same model, in one file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from shopbot.backends import BackendSettings, Completion
from shopbot.backends.gguf import GgufBackend
from shopbot.checkpoint import SHIPPED
from shopbot.errors import ConfigError, ModelCorruptError, ModelError
from shopbot.header import read_header
from shopbot.weights import QUANTIZATIONS, Quantization, merge_lora, parse_quantization

PROMPT = "hello there, hello"


RANK, ALPHA = 4, 8.0
#: Shapes (rows, columns) of the tiny model's matrices that the adapter changes.
TARGETS = {"blk.0.attn_q.weight": (64, 64), "blk.0.ffn_down.weight": (64, 96)}


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """An adapter that changes what the tiny model says."""
    path, chance = tmp_path / "strong.gguf", np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", ALPHA)
    for name, (rows, columns) in TARGETS.items():
        writer.add_tensor(f"{name}.lora_a", chance.standard_normal((RANK, columns)).astype(np.float16) / 4)
        writer.add_tensor(f"{name}.lora_b", chance.standard_normal((rows, RANK)).astype(np.float16) / 4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def complete(model: Path, lora: Path | None = None, prompt: str = PROMPT) -> Completion:
    backend = GgufBackend(BackendSettings(model, lora, threads=1, context=256))
    try:
        return backend.complete(prompt, max_tokens=12)
    finally:
        backend.close()


def matrices(model: Path) -> dict[str, np.ndarray]:
    return {
        tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type).reshape(tensor.shape[::-1])
        for tensor in gguf.GGUFReader(model).tensors
    }


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_the_engine_says_the_same_as_with_the_adapter(
    quantization: Quantization, shopbot_home: Path, tmp_path: Path, tiny_model: Path, lora: Path
) -> None:
    merge_lora(tiny_model, lora, tmp_path / "merged.gguf", quantization)
    merged, beside, bare = complete(tmp_path / "merged.gguf"), complete(tiny_model, lora), complete(tiny_model)
    assert merged.text == beside.text
    assert bare.text != beside.text, "an adapter that changes nothing proves nothing"
    difference = [abs(one.logprob - other.logprob) for one, other in zip(merged.tokens, beside.tokens, strict=True)]
    assert max(difference) < 0.05


def test_only_what_the_adapter_changes_is_written_anew(tmp_path: Path, tiny_model: Path, lora: Path) -> None:
    merge_lora(tiny_model, lora, tmp_path / "merged.gguf")
    before, after, adapter = matrices(tiny_model), matrices(tmp_path / "merged.gguf"), matrices(lora)
    for name in TARGETS:
        expected = before.pop(name) + ALPHA / RANK * adapter[f"{name}.lora_b"] @ adapter[f"{name}.lora_a"]
        half_a_step = np.abs(expected).max() / 127 / 2
        assert np.abs(after.pop(name) - expected).max() <= 1.01 * half_a_step
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    base, merged = read_header(tiny_model), read_header(tmp_path / "merged.gguf")
    assert {merged.tensors[name].type for name in TARGETS} == {merged.quantization} == {"Q8_0"}
    for said in ("name", "vocabulary", "control_tokens", "chat_template", "licence", "context", "heads", "kv_heads"):
        assert getattr(merged, said) == getattr(base, said), said


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, tiny_model: Path, lora: Path) -> None:
    for name in ("one", "two"):
        merge_lora(tiny_model, lora, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("wanted", ["q4_1", "Q5_1", "iq2_xs", "", "../q8_0"])
def test_fewer_bits_are_refused_with_the_reason(wanted: str) -> None:
    with pytest.raises(ConfigError, match=r"less than 8 bits .* Use q8_0 or f16"):
        parse_quantization(wanted)
    assert parse_quantization(" Q8_0 ") == "q8_0"


def test_an_adapter_of_another_base(tmp_path: Path, tiny_model: Path, make_lora: Callable[..., None]) -> None:
    make_lora(tmp_path / "other.gguf", width=32)
    with pytest.raises(ModelError, match="does not fit"):
        merge_lora(tiny_model, tmp_path / "other.gguf", tmp_path / "merged.gguf")
    assert not (tmp_path / "merged.gguf").exists()


def test_a_base_with_weights_that_are_no_numbers(tmp_path: Path, tiny_model: Path, lora: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    shutil.copy(tiny_model, damaged)
    tensor = read_header(damaged).tensors["blk.0.attn_q.weight"]
    with damaged.open("rb+") as file:
        file.seek(tensor.offset)
        file.write(np.full(8, np.nan, np.float32).tobytes())
    with pytest.raises(ModelCorruptError, match="attn_q"):
        merge_lora(damaged, lora, tmp_path / "merged.gguf")


def test_too_small_a_disk_is_told_before_anything_is_written(
    tmp_path: Path, tiny_model: Path, lora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a disk cannot be filled in a test
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 30, 1 << 29, 1 << 20))
    with pytest.raises(ModelError, match=r"too full: 256 MiB are needed, 1 MiB are free"):
        merge_lora(tiny_model, lora, tmp_path / "merged.gguf")
    assert not (tmp_path / "merged.gguf").exists()


@pytest.mark.model
@pytest.mark.slow
def test_the_shipped_adapter_understands_the_same_when_it_is_merged(
    shopbot_home: Path, tmp_path: Path, real_model: Path
) -> None:
    from shopbot.plugins import PluginManager
    from shopbot.understand import Understanding

    [lora] = SHIPPED.glob("*/lora.gguf")
    merge_lora(real_model, lora, tmp_path / "merged.gguf")
    assert 140e6 < (tmp_path / "merged.gguf").stat().st_size < 150e6
    tools = PluginManager.installed(only=["orders", "returns", "faq"]).tools()
    messages = [tool.examples[0] for tool in tools.values()]
    found = []
    for model, adapter in ((real_model, lora), (tmp_path / "merged.gguf", None)):
        backend = GgufBackend(BackendSettings(model, adapter, context=512))
        understand = Understanding(backend, tools.values(), trained=tools)
        found.append([understand(message, "-").acts for message in messages])
        backend.close()
    names = [[[act.name for act in acts] for acts in one] for one in found]
    differing = [message for message, one, other in zip(messages, *names, strict=True) if one != other]
    assert len(messages) > 10
    assert not differing
