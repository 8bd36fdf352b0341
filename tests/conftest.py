"""Fixtures that all of the core's tests share: a home of its own, a tiny model, the real one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import gguf
import numpy as np
import pytest

from shopbot.models import DEFAULT_MODEL, models_folder
from shopbot.store import Store

_CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]
_WIDTH, _HIDDEN, _HEADS = 64, 96, 2
# Asked for now, before any fixture gives its test a home of its own.
_REAL_MODEL = Path(os.environ.get("SHOPBOT_TEST_MODEL") or models_folder() / DEFAULT_MODEL.name)


@pytest.fixture
def shopbot_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is shopbot's home in this test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("SHOPBOT_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real GGUF of a llama with one layer and random weights that the engine loads. Damage copies only."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    write_tiny_model(path)
    return path


@pytest.fixture(scope="session")
def tiny_lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter that fits ``tiny_model``."""
    path = tmp_path_factory.mktemp("tiny") / "lora.gguf"
    write_tiny_lora(path)
    return path


@pytest.fixture(scope="session")
def real_model() -> Path:
    """The default base model; skips where this box does not have it."""
    if not _REAL_MODEL.is_file():
        pytest.skip(f"the real model is not at {_REAL_MODEL}: run 'shopbot model pull' or set SHOPBOT_TEST_MODEL")
    return _REAL_MODEL


@contextmanager
def nothing_written(store: Store) -> Iterator[None]:
    """Assert that the block leaves every row of the shop and of the ledger as it is; conversations and tickets
    may come.

    Compares the SQLite file's rows, which is ten times as fast as :func:`shopbot.testing.assert_nothing_changed`.
    """
    before = _rows(store)
    yield
    after = _rows(store)
    changed = [table for table in before if before[table] != after[table]]
    assert not changed, f"changed in the store: {changed}"


def _rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    file = store.url.database  # type: ignore[attr-defined]
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = sorted(set(names) - {"sessions", "messages", "tickets"})
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name in kept}


@pytest.fixture
def unchanged() -> object:
    """The context manager :func:`nothing_written`."""
    return nothing_written


def write_tiny_model(path: Path, *, architecture: str = "llama", has_tokenizer: bool = True) -> None:
    """Write the model of the fixture ``tiny_model``."""
    letters = "".join(chr(code) for code in range(33, 127))
    # Byte-level BPE writes a space as Ġ and a line break as Ċ.
    tokens = [*_CONTROL, *letters, "Ġ", "Ċ", "he", "ll"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_HIDDEN)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    if has_tokenizer:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(tokens)
        writer.add_token_types([3] * len(_CONTROL) + [1] * (len(tokens) - len(_CONTROL)))
        writer.add_token_merges(["h e", "l l"])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(False)
        writer.add_chat_template("{{ messages[0].content }}")
    chance = np.random.default_rng(0)
    square, wide, high = (_WIDTH, _WIDTH), (_HIDDEN, _WIDTH), (_WIDTH, _HIDDEN)
    shapes = {
        "token_embd": (len(tokens), _WIDTH),
        "output_norm": (_WIDTH,),
        "blk.0.attn_norm": (_WIDTH,),
        "blk.0.attn_q": square,
        "blk.0.attn_k": square,
        "blk.0.attn_v": square,
        "blk.0.attn_output": square,
        "blk.0.ffn_norm": (_WIDTH,),
        "blk.0.ffn_gate": wide,
        "blk.0.ffn_up": wide,
        "blk.0.ffn_down": high,
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", chance.standard_normal(shape, dtype=np.float32) / 8)
    _finish(writer)


def write_tiny_lora(
    path: Path, *, width: int = _WIDTH, architecture: str = "llama", alpha: float = 16.0, value: float = 0.0
) -> None:
    """Write the LoRA adapter of the fixture ``tiny_lora``; ``value`` fills its ``lora_b``."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((4, width), dtype=np.float16))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", np.full((width, 4), value, dtype=np.float16))
    _finish(writer)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def make_model() -> object:
    """The writer behind ``tiny_model``, for variants of it."""
    return write_tiny_model


@pytest.fixture
def make_lora() -> object:
    """The writer behind ``tiny_lora``, for variants of it."""
    return write_tiny_lora
