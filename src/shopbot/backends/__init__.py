"""Backends run a checkpoint: text in, text with log-probabilities out. Engines are imported lazily, inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token: its text and the model's own log-probability (natural log, before the grammar)."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What a backend generated.

    ``prompt_tokens`` counts the whole prompt, ``cached_tokens`` those of it that were reused from an earlier call.
    Times are milliseconds as the engine measured them.
    """

    text: str
    tokens: tuple[Token, ...]
    prompt_tokens: int
    cached_tokens: int
    prompt_ms: float
    generate_ms: float
    is_cut: bool = False


class ModelBackend(Protocol):
    """One loaded checkpoint. Thread-safe: calls may come from several threads at once."""

    name: str

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        """Continue ``prompt`` greedily (temperature 0) inside the GBNF ``grammar``.

        ``bias``: what is added to the logits of the tokens that spell a word (natural log; 0.7 doubles its odds).
        Raises :class:`~shopbot.errors.BackendError` if the engine fails; never kills the process.
        """

    def close(self) -> None:
        """Free the engine. Calls after that raise :class:`~shopbot.errors.BackendError`."""


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """What a backend is opened with. ``threads`` 0: chosen by the backend. ``context`` in tokens per slot."""

    model: Path | None
    lora: Path | None = None
    threads: int = 0
    slots: int = 1
    context: int = 2048
    options: Mapping[str, Any] | None = None


BackendFactory = Callable[[BackendSettings], ModelBackend]
