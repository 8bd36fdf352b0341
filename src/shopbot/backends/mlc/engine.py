"""The engine 'tvm': an artefact, its compiled library and the thread that runs it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping

from shopbot import memory
from shopbot.backends import BackendSettings, Completion, Token
from shopbot.backends.control import Inert
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.decoding import Chooser, Vocabulary
from shopbot.backends.mlc.generating import Ended, Request
from shopbot.backends.mlc.library import code_folder, compiled_library
from shopbot.backends.mlc.runtime import Runtime
from shopbot.backends.mlc.scheduler import Scheduler
from shopbot.errors import BackendError, ModelError


class TvmEngine:
    """Runs the artefact in the folder ``settings.model``, as :class:`shopbot.backends.mlc.backend.MLCBackend` says."""

    def __init__(self, settings: BackendSettings, threads: int) -> None:
        if settings.model is None:
            raise ModelError("No model is given.", remedy="Make one with 'shopbot model compile'.")
        artefact = Artefact.open(settings.model)
        library = compiled_library(artefact.config, artefact.quantization, cache=code_folder())
        self._vocabulary = Vocabulary(artefact.folder, artefact.config.vocab_size, artefact.stop_tokens)
        self._as_text = Inert(self._vocabulary.control_tokens())
        runtime = Runtime(artefact, library, context=settings.context, slots=settings.slots)
        self._context = runtime.context
        memory.return_unused_memory()  # what was read before it was packed
        self._scheduler = Scheduler(runtime, self._vocabulary.stops, slots=settings.slots, threads=threads)

    def complete(
        self, prompt: str, *, grammar: str | None, max_tokens: int, bias: Mapping[str, float] | None
    ) -> Completion:
        """See :meth:`shopbot.backends.ModelBackend.complete`."""
        request = self._request(prompt, grammar, max_tokens, bias)
        events = _Events(self._vocabulary, request)
        tokens = tuple(events)
        ended = events.ended
        return Completion(
            text="".join(token.text for token in tokens),
            tokens=tokens,
            prompt_tokens=len(request.prompt),
            cached_tokens=ended.cached_tokens,
            prompt_ms=ended.prompt_ms,
            generate_ms=ended.generate_ms,
            is_cut=ended.is_cut,
        )

    def stream(
        self, prompt: str, *, grammar: str | None, max_tokens: int, bias: Mapping[str, float] | None
    ) -> Iterator[Token]:
        """The tokens as they come; closing the iterator stops the engine's work on them."""
        yield from _Events(self._vocabulary, self._request(prompt, grammar, max_tokens, bias))

    def close(self) -> None:
        """Free the model once the calls that run are answered. May be called twice."""
        self._scheduler.close()
        memory.return_unused_memory()

    def _request(self, prompt: str, grammar: str | None, max_tokens: int, bias: Mapping[str, float] | None) -> Request:
        """A request that the scheduler works on."""
        tokens = self._vocabulary.encode(self._as_text(prompt)) or [min(self._vocabulary.stops)]
        if len(tokens) >= self._context:
            size = f"{len(tokens)} tokens, {self._context} fit"
            raise BackendError(f"The prompt is too long: {size}.", remedy="Raise model.context, or send less.")
        request = Request(tokens, Chooser(self._vocabulary, grammar, bias), max(1, max_tokens))
        self._scheduler.submit(request)
        return request


class _Events:
    """The tokens of a request as they come; :attr:`ended` when there are no more. One that ends in the middle of a
    character gives it to the token that completes it."""

    def __init__(self, vocabulary: Vocabulary, request: Request) -> None:
        self._vocabulary, self._request = vocabulary, request
        self.ended: Ended

    def __iter__(self) -> Iterator[Token]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while True:
                event = self._request.events.get()
                if isinstance(event, BackendError):
                    raise event
                if isinstance(event, Ended):
                    self.ended = event
                    return
                token, logprob = event
                yield Token(decoder.decode(self._vocabulary.bytes_of(token)), logprob)
        finally:
            self._request.is_cancelled.set()  # who does not listen any more wants no more, Ctrl-C for instance
