"""The MLC backend: a checkpoint compiled with TVM, or one that the user's own ``mlc_llm`` runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from shopbot.backends import BackendSettings, Completion, Token
from shopbot.backends.gguf import default_threads
from shopbot.errors import ConfigError

if TYPE_CHECKING:
    from shopbot.backends.mlc.engine import TvmEngine
    from shopbot.backends.mlc.mlc_llm import MlcLlmEngine

EngineName = Literal["auto", "tvm", "mlc_llm"]


class MLCBackend:
    """An MLC artefact (the folder ``settings.model``) at work. Thread-safe; calls share ``settings.slots`` slots.

    ``engine``: ``tvm`` compiles the model for this box's processor and runs it; ``mlc_llm`` uses the package of that
    name, which the user has installed; ``auto`` is ``mlc_llm`` for a ``device`` other than ``cpu``, else ``tvm``.

    Raises :class:`ConfigError` for an engine or device that is not known, :class:`ModelError` (or a kind of it) for an
    artefact that cannot be used, :class:`BackendError` where the extra 'mlc' is missing or the engine cannot start.
    """

    name = "mlc"

    def __init__(self, settings: BackendSettings, engine: EngineName = "auto", device: str = "cpu") -> None:
        self.engine = _engine_name(engine, device)
        self.threads = settings.threads or default_threads()
        self._engine = _open_engine(self.engine, settings, self.threads, device)

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        """See :meth:`ModelBackend.complete`."""
        return self._engine.complete(prompt, grammar=grammar, max_tokens=max_tokens, bias=bias)

    def stream(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Iterator[Token]:
        """Like :meth:`complete`, token by token. Close the iterator to stop early."""
        return self._engine.stream(prompt, grammar=grammar, max_tokens=max_tokens, bias=bias)

    def close(self) -> None:
        """Free the engine once the calls that run are answered. May be called twice."""
        self._engine.close()


def _open_engine(name: str, settings: BackendSettings, threads: int, device: str) -> TvmEngine | MlcLlmEngine:
    """The engine, whose packages are imported now."""
    if name == "mlc_llm":
        from shopbot.backends.mlc.mlc_llm import MlcLlmEngine

        return MlcLlmEngine(settings, device)
    from shopbot.backends.mlc.engine import TvmEngine

    return TvmEngine(settings, threads)


def _engine_name(engine: str, device: str) -> str:
    if engine not in ("auto", "tvm", "mlc_llm"):
        raise ConfigError(f"There is no engine '{engine}'.", remedy="Known: auto, tvm, mlc_llm.")
    if engine == "tvm" and device != "cpu":
        raise ConfigError(f"The engine 'tvm' runs on cpu, not on {device}.", remedy="Use the engine 'mlc_llm'.")
    return ("tvm" if device == "cpu" else "mlc_llm") if engine == "auto" else engine
