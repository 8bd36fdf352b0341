"""The engine 'mlc_llm': the package of that name, which users install themselves, for instance for their GPU.

It speaks OpenAI's form. What it does otherwise than OpenAI was seen in its behaviour and is dealt with here: it may cut
an answer short, its last chunk has no choices, and its threads end only by ``terminate``. It has no GBNF grammars: the
text goes as far as the grammar allows it, and is cut there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

from shopbot.backends import BackendSettings, Completion, Token
from shopbot.backends.control import Inert
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.decoding import Vocabulary
from shopbot.errors import BackendError, ModelError

_INSTALL = "Install it as https://llm.mlc.ai/docs/install/mlc_llm.html says, in an environment without apache-tvm."


class MlcLlmEngine:
    """Runs the artefact in the folder ``settings.model`` on ``device``, with ``mlc_llm``'s own grammar-free decoding.

    Raises :class:`BackendError` where ``mlc_llm`` is missing or does not start.
    """

    def __init__(self, settings: BackendSettings, device: str) -> None:
        if settings.model is None:
            raise ModelError("No model is given.", remedy="Fetch one with 'shopbot model pull'.")
        artefact = Artefact.open(settings.model)
        self._vocabulary = Vocabulary(artefact.folder, artefact.config.vocab_size, artefact.stop_tokens)
        self._as_text = Inert(self._vocabulary.control_tokens())
        self._guard = threading.Lock()
        self._engine: Any = _start(str(settings.model), device)

    def complete(
        self, prompt: str, *, grammar: str | None, max_tokens: int, bias: Mapping[str, float] | None
    ) -> Completion:
        """See :meth:`shopbot.backends.ModelBackend.complete`."""
        began = perf_counter()
        followed = _Followed(self._vocabulary, grammar)
        tokens = tuple(followed.through(self._chunks(prompt, max_tokens, bias)))
        return Completion(
            text="".join(token.text for token in tokens),
            tokens=tokens,
            prompt_tokens=len(self._vocabulary.encode(self._as_text(prompt))),
            cached_tokens=0,
            prompt_ms=0.0,
            generate_ms=1e3 * (perf_counter() - began),
            is_cut=not followed.is_whole,
        )

    def stream(
        self, prompt: str, *, grammar: str | None, max_tokens: int, bias: Mapping[str, float] | None
    ) -> Iterator[Token]:
        """The tokens as they come; closing the iterator stops the engine's work on them."""
        yield from _Followed(self._vocabulary, grammar).through(self._chunks(prompt, max_tokens, bias))

    def close(self) -> None:
        """End the engine's threads. May be called twice."""
        with self._guard:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.terminate()

    def _chunks(
        self, prompt: str, max_tokens: int, bias: Mapping[str, float] | None
    ) -> Iterator[tuple[str, float, str | None]]:
        """(text, log-probability, why it ends, if it does) of each token."""
        engine = self._engine
        if engine is None:
            raise BackendError("The mlc backend is closed.", remedy="Open it again.")
        biased = {token: value for word, value in (bias or {}).items() for token in self._vocabulary.spell(word)}
        try:
            stream = engine.completions.create(
                prompt=self._as_text(prompt),
                max_tokens=max(1, max_tokens),
                temperature=0.0,
                logprobs=True,
                logit_bias=biased or None,
                stream=True,
            )
            for chunk in stream:
                for choice in chunk.choices[:1]:  # a last chunk with the usage has none
                    if choice.finish_reason == "error":
                        raise BackendError("mlc_llm ended the text with an error.", remedy="Look at its log.")
                    yield from _entries(choice)
        except BackendError:
            raise
        except Exception as error:  # whatever its own code and TVM raise
            raise BackendError(f"mlc_llm failed: {str(error)[:200]}.", remedy="Look at its log.") from error


class _Followed:
    """Text held to a grammar from outside: what it does not allow is dropped, and all that follows.

    ``is_whole``: the text ended where the grammar allows it, and not for lack of room.
    """

    def __init__(self, vocabulary: Vocabulary, grammar: str | None) -> None:
        self._vocabulary = vocabulary
        self._matcher = vocabulary.matcher(grammar) if grammar is not None else None
        self.is_whole = False

    def through(self, chunks: Iterator[tuple[str, float, str | None]]) -> Iterator[Token]:
        for text, logprob, reason in chunks:
            if text:
                if not self._allows(text):
                    self.is_whole = self._is_accepting()
                    return
                yield Token(text, logprob)
            if reason is not None or (self._matcher is not None and self._matcher.is_stopped()):
                self.is_whole = reason != "length" and self._is_accepting()
                return

    def _allows(self, text: str) -> bool:
        if self._matcher is None:
            return True
        tokens = self._vocabulary.spell(text)
        return bool(self._matcher.try_consume_tokens(tokens) == len(tokens))

    def _is_accepting(self) -> bool:
        return self._matcher is None or bool(self._matcher.is_accepting())


def _entries(choice: Any) -> Iterator[tuple[str, float, str | None]]:
    """A chunk's tokens; its reason to end belongs to the last of them."""
    content = list(choice.logprobs.content) if choice.logprobs is not None else []
    if choice.text and not content:
        raise BackendError("mlc_llm gives no log-probabilities.", remedy="Update it.")
    pieces = [(str(entry.token), float(entry.logprob)) for entry in content] or [("", 0.0)]
    for number, (text, logprob) in enumerate(pieces):
        yield text, logprob, choice.finish_reason if number == len(pieces) - 1 else None


def _start(model: str, device: str) -> Any:
    try:
        from mlc_llm import MLCEngine
    except ImportError as error:
        raise BackendError(f"mlc_llm cannot be loaded: {error}.", remedy=_INSTALL) from error
    try:
        return MLCEngine(model=model, device=device)
    except Exception as error:  # whatever its own code and TVM raise
        raise BackendError(f"mlc_llm does not start: {str(error)[:200]}.", remedy=_INSTALL) from error
