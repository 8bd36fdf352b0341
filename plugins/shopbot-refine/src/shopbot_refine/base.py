"""Open a base model in GGUF for training: dense weights as a PyTorch model, and a tokenizer that agrees with llama.cpp.

The tokenizer is rebuilt from the vocabulary in the file, because transformers' own reading of a GGUF drops the
pre-tokenizer: SmolLM2's splits every digit, and an adapter that learnt ``2319`` as one token reads order ids wrongly
when llama.cpp serves it digit by digit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, GgufConfig
from transformers.utils.logging import disable_progress_bar

from shopbot import ModelCorruptError, ModelError, ModelNotFoundError

# ``tokenizer.ggml.pre`` → whether digits stand alone before the byte-level split. Names as llama.cpp knows them.
_SPLITS_DIGITS = {"smollm": True, "gpt-2": False, "default": False}
_CONTROL, _USER_DEFINED = 3, 4  # values of ``tokenizer.ggml.token_type`` for tokens that are matched whole


def read_header(base: Path) -> gguf.GGUFReader:
    """Open a GGUF. Raises :class:`ModelNotFoundError` or :class:`ModelCorruptError`, naming the file."""
    if not base.is_file():
        raise ModelNotFoundError(f"No base model at {base}.", remedy="Fetch it with 'shopbot model pull'.")
    try:
        return gguf.GGUFReader(base)
    except Exception as error:  # the reader raises whatever numpy or struct raises on foreign bytes
        raise ModelCorruptError(f"{base} is not a readable GGUF ({error}).", remedy="Fetch it again.") from error


def header_value(header: gguf.GGUFReader, key: str) -> Any:
    """A value of the header, or None where the key is absent."""
    field = header.get_field(key)
    return None if field is None else field.contents()


def load_tokenizer(base: Path) -> tokenizers.Tokenizer:
    """The byte-level BPE tokenizer of a GGUF. Raises :class:`ModelError` for a kind that is not supported."""
    header = read_header(base)
    kind, split = header_value(header, "tokenizer.ggml.model"), header_value(header, "tokenizer.ggml.pre") or "default"
    if kind != "gpt2" or split not in _SPLITS_DIGITS:
        raise ModelError(
            f"{base}: cannot train with tokenizer {kind}/{split}.",
            remedy=f"Use a base with a gpt2 tokenizer of one of {sorted(_SPLITS_DIGITS)}.",
        )
    tokens: list[str] = header_value(header, "tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ", 1)) for merge in header_value(header, "tokenizer.ggml.merges")]
    tokenizer = tokenizers.Tokenizer(models.BPE({token: n for n, token in enumerate(tokens)}, merges, fuse_unk=False))
    digits = [pre_tokenizers.Digits(individual_digits=True)] if _SPLITS_DIGITS[split] else []
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*digits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    types = header_value(header, "tokenizer.ggml.token_type") or []
    whole = [token for token, kind in zip(tokens, types, strict=False) if kind in (_CONTROL, _USER_DEFINED)]
    tokenizer.add_special_tokens([tokenizers.AddedToken(token, normalized=False) for token in whole])
    return tokenizer


def load_model(base: Path, dtype: torch.dtype = torch.bfloat16) -> Any:
    """The base as a dense, frozen transformers model in ``dtype`` on the CPU. Raises :class:`ModelError`."""
    architecture = header_value(read_header(base), "general.architecture")
    if architecture != "llama":
        raise ModelError(
            f"{base}: cannot train architecture {architecture!r}.", remedy="Use a base of architecture 'llama'."
        )
    disable_progress_bar()  # it takes a second, and would be drawn over our own
    # Without dequantize the weights stay packed and are unpacked at every use: five times slower to train.
    model = AutoModelForCausalLM.from_pretrained(
        base.parent, gguf_file=base.name, quantization_config=GgufConfig(dequantize=True), dtype=dtype
    )
    return model.requires_grad_(False).eval()
