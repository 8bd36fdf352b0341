"""A tokenizer that can be used with grammars: a byte is a token, and a few control tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>")


def _alphabet() -> list[str]:
    """What byte-level tokenizers write for each byte: itself where it is printable, else a letter from 256 on."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


#: Control tokens, bytes, and two merged tokens.
VOCABULARY = [*CONTROL, *_alphabet(), "he", "ll"]


def write_tokenizer(folder: Path) -> None:
    """Write ``tokenizer.json`` for :data:`VOCABULARY`."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    model: dict[str, Any] = {
        "type": "BPE",
        "vocab": {token: number for number, token in enumerate(VOCABULARY)},
        "merges": [["h", "e"], ["l", "l"]],
    }
    added = [
        {
            "id": number,
            "content": token,
            "special": True,
            "normalized": False,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
        }
        for number, token in enumerate(CONTROL)
    ]
    whole = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
