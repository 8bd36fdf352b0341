"""Which token comes next: the likeliest that the grammar allows, with the model's own opinion of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shopbot.backends.mlc.extra import INSTALL
from shopbot.backends.mlc.quantization import Array
from shopbot.backends.mlc.tokenizer import load_tokenizer
from shopbot.errors import BackendError

#: Tokens that end a text in some model or other, as llama.cpp knows them; those that the vocabulary has count.
_STOP_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "</s>", "<end_of_turn>", "<|end|>")
_MAX_GRAMMARS = 256


class Vocabulary:
    """An artefact's tokens: text to tokens, a token to bytes, and grammars over them. Thread-safe.

    ``size``: how many logits the model gives. ``stops``: tokens that end a text, beside those known by their names.
    """

    def __init__(self, folder: Path, size: int, stops: Iterable[int]) -> None:
        self._tokenizer = load_tokenizer(folder)
        named = {self._tokenizer.token_to_id(token) for token in _STOP_TOKENS} - {None}
        self.stops = frozenset(number for number in {*stops, *named} if number is not None and number < size)
        if not self.stops:
            raise BackendError(f"{folder} names no token that ends a text.", remedy="Fetch or compile it again.")
        self._library = _library()
        path = str(folder / "tokenizer.json")
        try:
            self._tokens = self._library.LLTokenizer(path, n_vocab=size, eos_token=sorted(self.stops))
        except (ValueError, RuntimeError) as error:
            raise BackendError(f"{path} cannot be used for grammars: {str(error)[:200]}.", remedy=INSTALL) from error
        self._grammars: dict[str, Any] = {}
        self._guard = threading.Lock()

    def control_tokens(self) -> list[str]:
        """The tokens that stand in a prompt as they are."""
        added = json.loads(self._tokenizer.to_str()).get("added_tokens") or []
        return [token["content"] for token in added if token.get("special")]

    def encode(self, prompt: str) -> list[int]:
        """A prompt's tokens, with the model's first token where it has one."""
        return list(self._tokenizer.encode(prompt).ids)

    def spell(self, word: str) -> list[int]:
        """The tokens that spell a word at the beginning of a text."""
        return list(self._tokenizer.encode(word, add_special_tokens=False).ids)

    def bytes_of(self, token: int) -> bytes:
        """A token's text; it may end in the middle of a character."""
        return bytes(self._tokens.decode_bytes([token]))

    def matcher(self, grammar: str) -> Any:
        """What follows a text through a GBNF ``grammar``. Raises :class:`BackendError` for one that is none."""
        with self._guard:
            if grammar not in self._grammars:
                if len(self._grammars) >= _MAX_GRAMMARS:
                    self._grammars.clear()
                self._grammars[grammar] = self._compile(grammar)
            return self._grammars[grammar].deep_copy()

    def _compile(self, grammar: str) -> Any:
        from llguidance.gbnf_to_lark import gbnf_to_lark

        try:
            lark = gbnf_to_lark(grammar)
            matcher = self._library.LLMatcher(
                self._tokens, self._library.LLMatcher.grammar_from_lark(lark), log_level=0
            )
            reason = matcher.get_error()
        except Exception as error:  # the converter raises an exception of its own, and KeyError, and more
            reason = str(error) or type(error).__name__
        if reason:
            raise BackendError(f"The grammar cannot be used: {reason[:200]}.", remedy="Correct it.")
        return matcher


class Chooser:
    """Chooses one text's tokens. ``grammar``: GBNF, or None for any text. ``bias``: as a backend's ``complete``.

    Raises :class:`BackendError` for a grammar that is none.
    """

    def __init__(self, vocabulary: Vocabulary, grammar: str | None, bias: Mapping[str, float] | None) -> None:
        self._matcher = vocabulary.matcher(grammar) if grammar is not None else None
        self._bias = [(token, value) for word, value in (bias or {}).items() for token in vocabulary.spell(word)]

    def choose(self, logits: Array) -> tuple[int, float]:
        """The next token and the model's own log-probability of it: without grammar and bias. ``logits`` is used up.

        Raises :class:`BackendError` where the grammar allows none.
        """
        top = float(logits.max())
        total = top + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
        own = [(token, float(logits[token])) for token, _ in self._bias]
        for token, value in self._bias:
            logits[token] += value
        token = int(logits.argmax()) if self._matcher is None else _best_allowed(self._matcher, logits)
        return token, dict(own).get(token, float(logits[token])) - total

    def accept(self, token: int) -> None:
        """Go on behind ``token``."""
        if self._matcher is not None and not self._matcher.consume_token(token):
            raise BackendError(f"The grammar failed: {self._matcher.get_error()[:200]}.")

    def forced(self) -> list[int]:
        """Tokens that spell what the grammar leaves no choice about; the model may spell it with others."""
        return [] if self._matcher is None else [int(token) for token in self._matcher.compute_ff_tokens()]

    @property
    def is_complete(self) -> bool:
        """Whether the grammar allows nothing more."""
        return self._matcher is not None and bool(self._matcher.is_stopped())


def _best_allowed(matcher: Any, logits: Array) -> int:
    mask = np.frombuffer(matcher.compute_bitmask(), np.uint8)
    allowed = np.flatnonzero(np.unpackbits(mask, bitorder="little")[: len(logits)])
    if not len(allowed):
        raise BackendError(f"The grammar allows no token: {matcher.get_error()[:200]}.")
    return int(allowed[logits[allowed].argmax()])


def _library() -> Any:
    try:
        import llguidance
    except ImportError as error:
        raise BackendError(f"The grammar library cannot be loaded: {error}.", remedy=INSTALL) from error
    return llguidance
