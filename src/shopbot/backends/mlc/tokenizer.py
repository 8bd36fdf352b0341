"""The tokenizer of an artefact, ``tokenizer.json``; also made from a GGUF, so that both engines read alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf

from shopbot.errors import BackendError, ModelCorruptError, ModelError
from shopbot.header import ModelHeader

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_TOKENIZER_BYTES = 1 << 27
_REMEDY = "Use a model with one of the tokenizers that are known, or its official MLC artefact."
_CONTROL, _USER_DEFINED = int(gguf.TokenType.CONTROL), int(gguf.TokenType.USER_DEFINED)

_CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
#: How a text is cut before its parts are merged, by the GGUF's name for it: one pattern after the other.
_SPLITS = {
    "gpt-2": (_GPT2,),
    "smollm": (r"\p{N}", _GPT2),
    "qwen2": (rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_REST}",),
    "llama-bpe": (rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_REST}",),
}


def tokenizer_json(header: ModelHeader) -> bytes:
    """A ``tokenizer.json`` that cuts texts as llama.cpp does with the GGUF of ``header``.

    Raises :class:`ModelError` for a kind of tokenizer that is not known, :class:`ModelCorruptError` for one that is
    damaged, :class:`BackendError` without the extra 'mlc'.
    """
    pre = header.metadata.get("tokenizer.ggml.pre")
    if header.tokenizer != "gpt2" or pre not in _SPLITS:
        kind = f"{header.tokenizer}/{pre}"[:80]
        raise ModelError(
            f"{header.path.name} has a tokenizer of the kind {kind!r}, which is not known.", remedy=_REMEDY
        )
    tokens, types, merges = _arrays(header.path, ("tokens", "token_type", "merges"))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        raise ModelCorruptError(f"{header.path.name} has a token twice.", remedy=_REMEDY)
    tokenizer = _assemble(vocabulary, [tuple(merge.split(" ", 1)) for merge in merges], _SPLITS[pre], header)
    _add_whole_tokens(tokenizer, tokens, types)
    return str(tokenizer.to_str()).encode()


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of an artefact's folder. Raises :class:`ModelCorruptError` where it is missing or damaged."""
    library, path = _library(), folder / "tokenizer.json"
    try:
        if path.stat().st_size > MAX_TOKENIZER_BYTES:
            raise ValueError("it is too long")
        tokenizer: Tokenizer = library.Tokenizer.from_file(str(path))
        return tokenizer
    except Exception as error:  # the library raises plain Exception
        raise ModelCorruptError(
            f"{path} cannot be used: {str(error)[:200]}.", remedy="Fetch or compile it again."
        ) from None


def special_tokens(header: ModelHeader) -> dict[str, int]:
    """The ids of the GGUF's special tokens, as an ``mlc-chat-config.json`` names them."""
    names = {"bos": "bos_token_id", "eos": "eos_token_id", "padding": "pad_token_id"}
    found = {ours: header.metadata.get(f"tokenizer.ggml.{theirs}_token_id") for theirs, ours in names.items()}
    return {name: number for name, number in found.items() if type(number) is int and 0 <= number < header.vocabulary}


def _assemble(vocabulary: dict[str, int], merges: list[Any], splits: tuple[str, ...], header: ModelHeader) -> Any:
    library = _library()
    pieces = library.pre_tokenizers
    cuts = [pieces.Split(library.Regex(pattern), "isolated") for pattern in splits]
    try:
        model = library.models.BPE(
            vocabulary, merges, ignore_merges=header.metadata["tokenizer.ggml.pre"] == "llama-bpe"
        )
    except Exception as error:  # the library raises plain Exception
        raise ModelCorruptError(f"{header.path.name}: {str(error)[:200]}.", remedy=_REMEDY) from None
    tokenizer = library.Tokenizer(model)
    tokenizer.pre_tokenizer = pieces.Sequence([*cuts, pieces.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = library.decoders.ByteLevel()
    bos = special_tokens(header).get("bos_token_id")
    if header.metadata.get("tokenizer.ggml.add_bos_token") is True and bos is not None:
        token = next(token for token, number in vocabulary.items() if number == bos)
        tokenizer.post_processor = library.processors.TemplateProcessing(
            single=[token, "$A"], pair=[token, "$A", "$B"], special_tokens=[(token, bos)]
        )
    return tokenizer


def _add_whole_tokens(tokenizer: Any, tokens: list[str], types: list[int]) -> None:
    """Tokens that stand in a text as they are: control tokens, and those that the model's makers added."""
    library = _library()
    for kind, is_special in ((_CONTROL, True), (_USER_DEFINED, False)):
        whole = [token for token, its_kind in zip(tokens, types, strict=True) if its_kind == kind]
        added = [library.AddedToken(token, special=is_special, normalized=False) for token in whole]
        (tokenizer.add_special_tokens if is_special else tokenizer.add_tokens)(added)


def _arrays(path: Path, names: Iterable[str]) -> list[list[Any]]:
    """Arrays of the vocabulary. The header has been checked: the reader may trust the file."""
    fields = gguf.GGUFReader(path).fields
    try:
        return [list(fields[f"tokenizer.ggml.{name}"].contents()) for name in names]
    except KeyError as error:
        raise ModelCorruptError(f"{path.name} has no {error}.", remedy=_REMEDY) from None


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        from shopbot.backends.mlc.extra import INSTALL

        raise BackendError(f"The tokenizer cannot be loaded: {error}.", remedy=INSTALL) from error
    return tokenizers
