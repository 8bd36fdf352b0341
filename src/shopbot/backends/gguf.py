"""The GGUF backend: llama.cpp inside this process, through xllamacpp.

The engine is strict about nothing and ends the process on damaged files, so a file is checked before the engine sees
it: its header always, and by a throw-away process where its hash is not known (see :mod:`shopbot.backends.probe`).
"""

from __future__ import annotations

import codecs
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shopbot import memory
from shopbot.backends import BackendSettings, Completion, Token
from shopbot.backends.control import Inert
from shopbot.backends.probe import checked_hash, mark_checked, probe
from shopbot.errors import BackendError, ModelError
from shopbot.header import ModelHeader, read_header, require_base, require_lora_fits

MAX_THREADS = 4
#: What the engine takes beside weights and cache, measured with the default model.
_OVERHEAD_BYTES = 96 << 20
_MAX_SOCKET_PATH = 96
_ENGINE_REMEDY = "Run 'shopbot doctor'; on Debian and Ubuntu the engine needs the package libgomp1."


class GgufBackend:
    """A GGUF model, with its LoRA adapter if there is one, on the CPU. Thread-safe; calls share ``slots`` slots.

    Raises :class:`ModelError` (or a kind of it) if a file cannot be used, :class:`BackendError` if the engine cannot
    start.
    """

    name = "gguf"

    def __init__(self, settings: BackendSettings) -> None:
        header = check(settings)
        self.threads = settings.threads or default_threads()
        self.as_text = Inert(header.control_tokens)
        self._idle = threading.Condition()
        self._running = 0
        self._server: Any = _start(settings, header, self.threads)

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        """See :meth:`ModelBackend.complete`."""
        request: dict[str, Any] = {
            "prompt": self.as_text(prompt),
            "n_predict": max(1, max_tokens),
            "temperature": 0.0,
            "samplers": ["top_k"],
            "top_k": 1,
            "n_probs": 1,
            "cache_prompt": True,
        }
        if grammar is not None:
            request["grammar"] = grammar
        if bias:
            request["logit_bias"] = [[word, value] for word, value in bias.items()]
        return _completion(self._ask(request))

    def close(self) -> None:
        """Free the engine once the calls that run are answered. May be called twice."""
        with self._idle:
            server, self._server = self._server, None
            self._idle.wait_for(lambda: self._running == 0)
        del server
        memory.return_unused_memory()

    def _ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._idle:
            server = self._server
            if server is None:
                raise BackendError("The gguf backend is closed.", remedy="Open it again.")
            self._running += 1
        try:
            answer = server.handle_completions(request)
        except Exception as error:  # the binding raises whatever its JSON reader raises
            raise BackendError(f"The engine failed: {type(error).__name__}.", remedy="Restart shopbot.") from error
        finally:
            del server  # close() frees the engine in its own thread, so nobody else may hold it
            with self._idle:
                self._running -= 1
                self._idle.notify_all()
        if not isinstance(answer, dict) or "error" in answer:
            raise _refused(answer)
        return answer


def check(settings: BackendSettings) -> ModelHeader:
    """Refuse files that the engine must not see: damaged, foreign, or too big for this machine.

    Raises :class:`ModelNotFoundError`, :class:`ModelCorruptError` or :class:`ModelError`; returns the base's header.
    """
    if settings.model is None:
        raise ModelError("No model is given.", remedy="Fetch the default one with 'shopbot model pull'.")
    header = read_header(settings.model)
    require_base(header)
    lora_bytes = 0
    if settings.lora is not None:
        lora = read_header(settings.lora)
        require_lora_fits(lora, header)
        lora_bytes = lora.file_size
    _require_memory(header, settings, lora_bytes)
    if checked_hash(header.path) is None:
        probe(header.path)
        mark_checked(header.path)
    return header


def default_threads() -> int:
    """As many threads as this process has cores, at most :data:`MAX_THREADS`."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, MAX_THREADS))


def engine() -> Any:
    """Import the engine. Raises :class:`BackendError` where it is missing.

    OpenMP's threads wait by spinning unless told otherwise *before* the library is loaded; with another busy process on
    the box the spinning ones take the cores from those that compute, and a call takes up to a hundred times as long.
    Threads that never spin are no answer either: each token has hundreds of waits, and sleeping at each took four times
    as long on an idle box. So they spin for a thousand rounds, a few microseconds, then sleep.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        import xllamacpp
    except ImportError as error:
        raise BackendError(f"The engine cannot be loaded: {error}.", remedy=_ENGINE_REMEDY) from error
    return xllamacpp


def start_engine(
    model: Path, *, lora: Path | None, context: int, slots: int, threads: int, is_probe: bool = False
) -> Any:
    """Start a server object for ``model`` (``context`` tokens a slot). Raises :class:`BackendError`.

    The engine insists on listening for HTTP. Here that is a socket file in a private folder, gone once the engine runs;
    where there are no such sockets (Windows), a random port on the loopback address. Both ask for a key that nobody
    knows.
    """
    xllamacpp = engine()
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx, params.n_parallel = context * slots, slots
    params.n_gpu_layers = 0
    params.fit_params = params.ui = params.endpoint_slots = params.endpoint_props = False
    params.warmup = False  # the first answer below does as much
    params.check_tensors = is_probe
    params.cache_ram_mib = 0
    params.n_threads_http = 1
    params.verbosity = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads, cpu.poll = threads, 0
    if lora is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
    folder = Path(tempfile.mkdtemp(prefix="shopbot-"))
    socket_path = str(folder / "engine.sock")
    has_socket_files = sys.platform != "win32" and len(socket_path) <= _MAX_SOCKET_PATH
    params.hostnames = [socket_path if has_socket_files else "127.0.0.1"]
    params.port = 0
    try:
        server = xllamacpp.Server(params)
        # Asked to end before its loop has begun, the engine waits for ever; a first answer shows that the loop runs.
        server.handle_completions({"prompt": "a", "n_predict": 1, "cache_prompt": False})
        return server
    except Exception as error:  # the binding raises RuntimeError and ValueError, with no detail
        raise BackendError(f"The engine refuses {model}: {error}", remedy="Run 'shopbot model verify'.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(settings: BackendSettings, header: ModelHeader, threads: int) -> Any:
    context = min(settings.context, header.context)
    return start_engine(header.path, lora=settings.lora, context=context, slots=settings.slots, threads=threads)


def _require_memory(header: ModelHeader, settings: BackendSettings, lora_bytes: int) -> None:
    available = memory.available_bytes()
    cache = header.kv_bytes(min(settings.context, header.context)) * settings.slots
    needed = header.file_size + lora_bytes + cache + _OVERHEAD_BYTES
    if available is not None and needed > available:
        raise ModelError(
            f"{header.path} needs about {needed >> 20} MiB of memory, {available >> 20} MiB are free.",
            remedy="Set fewer model.slots or a smaller model.context, use a smaller model, or stop other programs.",
        )


def _completion(answer: Mapping[str, Any]) -> Completion:
    try:
        choice, timings, usage = answer["choices"][0], answer["timings"], answer["usage"]
        content = (choice["logprobs"] or {}).get("content") or []
        tokens = tuple(_tokens(content))
        return Completion(
            text="".join(token.text for token in tokens),
            tokens=tokens,
            prompt_tokens=int(usage["prompt_tokens"]),
            cached_tokens=int(timings["cache_n"]),
            prompt_ms=float(timings["prompt_ms"]),
            generate_ms=float(timings["predicted_ms"]),
            is_cut=choice["finish_reason"] == "length",
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BackendError(
            "The engine answered in an unknown form.", remedy="Install the xllamacpp we name."
        ) from error


def _tokens(content: Iterable[Mapping[str, Any]]) -> Iterable[Token]:
    """Tokens with text: one that ends in the middle of a character gives it to the token that completes it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for entry in content:
        yield Token(decoder.decode(bytes(entry["bytes"])), float(entry["logprob"]))


def _refused(answer: Any) -> BackendError:
    error = answer.get("error") if isinstance(answer, dict) else None
    detail = error if isinstance(error, dict) else {}
    if detail.get("type") == "exceed_context_size_error":
        size = f"{detail.get('n_prompt_tokens')} tokens, {detail.get('n_ctx')} fit"
        return BackendError(f"The prompt is too long: {size}.", remedy="Raise model.context, or send less.")
    return BackendError(f"The engine refuses: {detail.get('message', 'no reason given')}.")
