"""An engine in a process of its own, which does nothing until it is asked.

Two engines in one process slow each other: the threads of one still spin when the other begins. A process answers a
line of JSON with a line of JSON; whoever measures asks one process at a time, with :data:`PAUSE_S` between them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from shopbot.backends import Completion
from shopbot.backends.gguf import default_threads

#: After so long no thread of an engine that has answered spins any more.
PAUSE_S = 0.3
#: Tokens that are written after a prompt.
WRITTEN = 32
_CONTEXT = 1024
Request = Mapping[str, Any]


class Worker:
    """A process with one engine: ``compiled FOLDER TARGET``, ``llama BASE`` or ``backend CHECKPOINT``."""

    def __init__(self, *engine: str) -> None:
        command = [sys.executable, "-m", "benchmarks.mlc.worker", *engine]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def ask(self, request: Request) -> dict[str, Any]:
        """Its answer. Raises :class:`RuntimeError` where the process has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process ended with status {self._process.wait()}; see above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _compiled(folder: str, target: str) -> Callable[[Request], Mapping[str, float]]:
    """The runtime alone: no grammar, no guesses. ``tokens`` → tokens read and written a second."""
    from shopbot.backends.mlc.artefact import Artefact
    from shopbot.backends.mlc.interface import use_threads
    from shopbot.backends.mlc.library import code_folder, compiled_library
    from shopbot.backends.mlc.runtime import Runtime

    artefact = Artefact.open(Path(folder))
    library = compiled_library(artefact.config, artefact.quantization, target, cache=code_folder())
    use_threads(default_threads())
    runtime = Runtime(artefact, library, context=_CONTEXT)
    cache = runtime.new_cache()

    def answer(request: Request) -> Mapping[str, float]:
        tokens = request["tokens"]
        began = time.perf_counter()
        runtime.forward(cache, tokens, 0)
        middle = time.perf_counter()
        for place in range(WRITTEN):
            logits = runtime.forward(cache, [tokens[place % len(tokens)]], len(tokens) + place)
            logits[0].argmax()
        return {"read": len(tokens) / (middle - began), "written": WRITTEN / (time.perf_counter() - middle)}

    return answer


def _llama(base: str) -> Callable[[Request], Mapping[str, float]]:
    """llama.cpp as the product starts it, on the base without a LoRA adapter: its own timings."""
    from shopbot.backends.gguf import start_engine

    server = start_engine(Path(base), lora=None, context=_CONTEXT, slots=1, threads=default_threads())

    def answer(request: Request) -> Mapping[str, float]:
        asked = {"prompt": request["tokens"], "n_predict": WRITTEN + 1, "temperature": 0.0, "ignore_eos": True}
        timings = server.handle_completions({**asked, "cache_prompt": False})["timings"]
        return {"read": timings["prompt_per_second"], "written": timings["predicted_per_second"]}

    return answer


def _backend(checkpoint: str) -> Callable[[Request], Mapping[str, float]]:
    """A checkpoint as the product opens it, grammar and all. A call → how long it took in milliseconds."""
    from benchmarks.setup import plugins
    from shopbot.config import Config
    from shopbot.minds import open_backend

    _, backend = open_backend(Config().with_checkpoint(checkpoint), plugins())

    def answer(request: Request) -> Mapping[str, float]:
        began = time.perf_counter()
        found: Completion = backend.complete(**request)
        return {"ms": 1e3 * (time.perf_counter() - began), "tokens": len(found.tokens)}

    return answer


def main(kind: str, *arguments: str) -> None:
    answer = {"compiled": _compiled, "llama": _llama, "backend": _backend}[kind](*arguments)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
