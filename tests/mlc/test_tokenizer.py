"""The tokenizer made from a GGUF cuts texts as llama.cpp does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shopbot.backends.gguf import start_engine
from shopbot.backends.mlc.tokenizer import load_tokenizer, special_tokens, tokenizer_json
from shopbot.errors import ModelCorruptError, ModelError
from shopbot.header import read_header
from tests.mlc.gguf_files import tokens, write_model

TEXTS = [
    "",
    " ",
    "hello",
    "Hello  world\n\n 123 a\tb",
    "   leading and trailing   ",
    "\r\n\r\nx\r",
    "  \n \n\t\n a",
    "don't DON'T I'll we've it's' 'S 'LL",
    "1,234.56€ 10/11/2024 #W5947477",
    "naïve café ½ ² Ⅷ ٣٤ 一二三 𝟘𝟙 𝓐 ẞ İ ǆ",
    "🙂👩‍👩‍👧 zero\u200bwidth soft\u00adhyphen",
    "nbsp\u00a0x\u2003y\u3000z\u0085k\u180e a\u2028b\u2029c\ufeffd",
    "\u0301\u0301 combining e\u0301 \u3164\u115f",
    "हिन्दी ภาษาไทย עברית العربية",
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|>x<tool>y",
    "<|im_start| > <|IM_START|> <|im_<|im_end|>",
    "Ġ Ċ ▁ \x00 \x01 \x7f",
    "a" * 200,
    "def f(x):\n    return x**2\n",
]


@contextmanager
def llama_cpp(model: Path) -> Iterator[Any]:
    server = start_engine(model, lora=None, context=512, slots=1, threads=1)
    yield server
    del server


def is_cut_alike(server: Any, text: str, ids: list[int]) -> bool:
    """llama.cpp tells no tokens, but how many of a prompt it has read before: all, where they are the same."""

    def ask(prompt: object) -> dict[str, Any]:
        request = {"prompt": prompt, "n_predict": 1, "temperature": 0.0, "cache_prompt": True}
        return server.handle_completions(request)  # type: ignore[no-any-return]

    count = ask(text + "!")["usage"]["prompt_tokens"]  # one token more, for the last one is always read anew
    return count == len(ids) and ask([*ids, 3])["timings"]["cache_n"] >= len(ids)


def check(model: Path, texts: list[str], folder: Path) -> None:
    (folder / "tokenizer.json").write_bytes(tokenizer_json(read_header(model)))
    tokenizer = load_tokenizer(folder)
    with llama_cpp(model) as server:
        differing = [text for text in texts if not is_cut_alike(server, text, tokenizer.encode(text + "!").ids)]
    assert not differing, differing
    for text in texts:
        whole = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids, skip_special_tokens=False)
        assert whole == text


def odd_texts(count: int) -> list[str]:
    """Letters, marks, numbers and spaces of all scripts, strewn about; the same ones every time."""
    chance = random.Random(11)
    ranges = [(32, 127), (9, 14), (160, 592), (768, 880), (0x600, 0x700), (0x900, 0xA00), (0x2000, 0x2070)]
    ranges += [(0x3040, 0x3100), (0x4E00, 0x4F00), (0x1D7C0, 0x1D800), (0x1F300, 0x1F400)]
    return [
        "".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(chance.randrange(1, 40)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("adds_bos", [False, True])
@pytest.mark.parametrize("pre", ["smollm", "gpt-2", "qwen2", "llama-bpe"])
def test_texts_are_cut_as_llama_cpp_cuts_them(pre: str, adds_bos: bool, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.gguf", pre=pre, adds_bos=adds_bos)
    check(model, TEXTS + odd_texts(60), tmp_path)


@pytest.mark.model
@pytest.mark.slow
def test_the_real_vocabulary(real_model: Path, tmp_path: Path) -> None:
    check(real_model, TEXTS + odd_texts(40), tmp_path)


def test_special_tokens(tmp_path: Path) -> None:
    header = read_header(write_model(tmp_path / "model.gguf"))
    assert special_tokens(header) == {"bos_token_id": 1, "eos_token_id": 2}
    (tmp_path / "tokenizer.json").write_bytes(tokenizer_json(header))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.get_vocab_size() == len(tokens())
    assert tokenizer.decode(tokenizer.encode("<|im_end|>hello<tool>").ids) == "hello<tool>"


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"kind 'gpt2/deepseek-v3', which is not known.*official MLC artefact"):
        tokenizer_json(read_header(write_model(tmp_path / "model.gguf", pre="deepseek-v3")))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model": {"type": "Nothing"}}', b"\xff\xfe"])
def test_a_damaged_tokenizer(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelCorruptError, match=r"tokenizer.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelCorruptError, match=r"tokenizer.json cannot be used.*again"):
        load_tokenizer(tmp_path)
