"""A tiny llama as a real GGUF, with grouped key heads and a byte-level tokenizer that knows every byte."""

from __future__ import annotations

import os
from pathlib import Path

import gguf
import numpy as np
import pytest
from shopbot_refine.dataset import Example

WIDTH, HIDDEN, HEADS, KV_HEADS, BLOCKS = 64, 96, 4, 2, 2
_CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unk>"]


def byte_letters() -> list[str]:
    """The 256 letters that byte-level BPE writes bytes with."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = {byte: chr(byte) for byte in shown} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}
    return [letters[byte] for byte in range(256)]


def write_tiny_base(path: Path, *, architecture: str = "llama", pre: str = "smollm") -> None:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(BLOCKS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    tokens = [*_CONTROL, *byte_letters(), "1", "23", "Ġorder"]
    tokens = [token for n, token in enumerate(tokens) if token not in tokens[:n]]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(_CONTROL) + [1] * (len(tokens) - len(_CONTROL)))
    writer.add_token_merges(["2 3"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    chance = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(tokens), WIDTH), "output_norm": (WIDTH,)}
    narrow = WIDTH // HEADS * KV_HEADS
    for n in range(BLOCKS):
        shapes |= {f"blk.{n}.attn_norm": (WIDTH,), f"blk.{n}.ffn_norm": (WIDTH,)}
        shapes |= {f"blk.{n}.attn_q": (WIDTH, WIDTH), f"blk.{n}.attn_k": (narrow, WIDTH)}
        shapes |= {f"blk.{n}.attn_v": (narrow, WIDTH), f"blk.{n}.attn_output": (WIDTH, WIDTH)}
        shapes |= {f"blk.{n}.ffn_gate": (HIDDEN, WIDTH), f"blk.{n}.ffn_up": (HIDDEN, WIDTH)}
        shapes |= {f"blk.{n}.ffn_down": (WIDTH, HIDDEN)}
    for name, shape in shapes.items():
        values = chance.standard_normal(shape, dtype=np.float32) / 8
        writer.add_tensor(f"{name}.weight", values + 1 if len(shape) == 1 else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    write_tiny_base(path)
    return path


@pytest.fixture(scope="session")
def deep_base(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five blocks, no two alike: the tiny base's over and over, a little shaken."""
    import torch
    from shopbot_refine.student import Student
    from shopbot_refine.student_gguf import save_student_gguf

    weights = Student(tiny_base, None, [0, 1, 0, 1, 0], torch.device("cpu")).copy()
    generator = torch.Generator().manual_seed(5)
    shaken = {name: weight + 0.02 * torch.randn(weight.shape, generator=generator) for name, weight in weights.items()}
    path = tmp_path_factory.mktemp("deep") / "deep.gguf"
    kind = gguf.GGMLQuantizationType.F32
    save_student_gguf(path, shaken, base=tiny_base, blocks=5, heads=HEADS, kv_heads=KV_HEADS, kind=kind)
    return path


@pytest.fixture
def make_base() -> object:
    """The writer behind ``tiny_base``, for variants of it."""
    return write_tiny_base


@pytest.fixture(scope="session")
def real_base() -> Path:
    """The default base model; skips where this box does not have it."""
    from shopbot.models import locate_model

    named = os.environ.get("SHOPBOT_TEST_MODEL")
    try:
        path = Path(named) if named else locate_model()
    except Exception as error:
        pytest.skip(f"the real model is not on this box ({error})")
    if not path.is_file():
        pytest.skip(f"the real model is not at {path}")
    return path


@pytest.fixture
def few_examples() -> list[Example]:
    """Eight messages with short, different answers."""
    names = ["stop", "go", "left", "right", "up", "down", "in", "out"]
    return [Example("-", f"please {name} 7{n}", (f"{name}()",)) for n, name in enumerate(names)]


def render(state: str, text: str, demonstrations: tuple[tuple[str, str], ...] = ()) -> str:
    """A prompt of the right kind; the real one belongs to the core."""
    shown = "".join(f"[-] {message}<|im_end|>{acts}<|im_end|>\n" for message, acts in demonstrations)
    return f"<|im_start|>shop acts\n{shown}[{state}] {text}<|im_end|>"


@pytest.fixture(name="render")
def _render() -> object:
    return render
