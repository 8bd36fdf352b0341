"""The GGUF header: what it says, and that no damage gets past it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot.errors import ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.header import read_header, require_base, require_lora_fits

Write = Callable[..., None]


def test_says_what_the_gguf_package_says(tiny_model: Path) -> None:
    header = read_header(tiny_model)
    reader = gguf.GGUFReader(tiny_model)
    assert header.architecture == reader.get_field("general.architecture").contents()
    assert header.chat_template == reader.get_field("tokenizer.chat_template").contents()
    assert (header.context, header.embedding, header.layers, header.heads) == (512, 64, 1, 2)
    assert (header.licence, header.quantization, header.tokenizer) == ("apache-2.0", "ALL_F32", "gpt2")
    theirs = {tensor.name: (tensor.data_offset, tensor.n_bytes) for tensor in reader.tensors}
    assert {tensor.name: (tensor.offset, tensor.size) for tensor in header.tensors.values()} == theirs
    assert header.parameters == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert header.control_tokens == ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>")
    require_base(header)


@pytest.mark.model
def test_real_model(real_model: Path) -> None:
    header = read_header(real_model)
    assert (header.architecture, header.quantization, header.context) == ("llama", "Q4_1", 8192)
    assert (header.parameters, header.heads, header.kv_heads) == (134_515_008, 9, 3)
    require_base(header)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="model pull"):
        read_header(tmp_path / "absent.gguf")


def test_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_header(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_truncation_is_seen(data: st.DataObject, tiny_model: Path, tmp_path: Path) -> None:
    content = tiny_model.read_bytes()
    last = max(tensor.offset + tensor.size for tensor in read_header(tiny_model).tensors.values())
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(content[: data.draw(st.integers(0, last - 1))])
    with pytest.raises(ModelCorruptError, match=r"cut\.gguf"):
        read_header(cut)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_raises_nothing_else(data: st.DataObject, tiny_model: Path, tmp_path: Path) -> None:
    content = bytearray(tiny_model.read_bytes())
    header_bytes = min(tensor.offset for tensor in read_header(tiny_model).tensors.values())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, header_bytes - 8))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        content[at : at + len(piece)] = piece
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(content)
    refusal = _refusal(damaged)
    assert refusal is None or "damaged.gguf" in refusal, f"the message does not name the file: {refusal}"


def _refusal(path: Path) -> str | None:
    try:
        require_base(read_header(path))
    except ModelError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"PK\x03\x04" + b"\0" * 100, "not a GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "version"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 62, 0), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 62), "claims"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 63), "claims a text"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 4, 1 << 60), "claims an array"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 4, 1 << 20), "truncated"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 9, 5), "unknown type"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 0, 0), "shape"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQIQ", 1, 0, 0, 0), "shape"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQIQ", 1, 4, 999, 0), "unknown type 999"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQIQ", 1, 4, 0, 64), "places tensor"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_header(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelCorruptError, match=message):
        read_header(path)


def test_base_needs_tokenizer_and_known_architecture(make_model: Write, tiny_lora: Path, tmp_path: Path) -> None:
    make_model(tmp_path / "mute.gguf", has_tokenizer=False)
    with pytest.raises(ModelError, match="no tokenizer"):
        require_base(read_header(tmp_path / "mute.gguf"))
    make_model(tmp_path / "alien.gguf", architecture="alien")
    with pytest.raises(ModelError, match="'alien' is not known"):
        require_base(read_header(tmp_path / "alien.gguf"))
    with pytest.raises(ModelError, match="no base model"):
        require_base(read_header(tiny_lora))


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"width": 128}, "does not fit"),
        ({"architecture": "qwen2"}, "architecture"),
        ({"alpha": float("nan")}, "scale"),
        ({"value": float("inf")}, "damaged"),
    ],
)
def test_foreign_lora(
    variant: dict[str, object], message: str, make_lora: Write, tiny_model: Path, tmp_path: Path
) -> None:
    make_lora(tmp_path / "lora.gguf", **variant)
    with pytest.raises(ModelError, match=message):
        require_lora_fits(read_header(tmp_path / "lora.gguf"), read_header(tiny_model))


def test_base_is_no_lora(tiny_model: Path, tiny_lora: Path) -> None:
    base = read_header(tiny_model)
    require_lora_fits(read_header(tiny_lora), base)
    with pytest.raises(ModelError, match="no LoRA adapter"):
        require_lora_fits(base, base)
