"""llama.cpp's own HTTP server, as a process of its own: ``python -m benchmarks.load.bare CHATS``.

It runs what the checkpoint in force was made from, a base and a LoRA adapter, prints its address when it answers, and
ends when its input does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.setup import trained_files
from shopbot.backends.gguf import default_threads, engine

#: Tokens a chat.
CONTEXT = 1024


@contextmanager
def bare_server(chats: int) -> Iterator[str]:
    """The server's address. It stops with the context."""
    command = [sys.executable, "-m", "benchmarks.load.bare", str(chats)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process.stdout.readline().strip() or sys.exit("llama.cpp's server did not start.")
        finally:
            process.stdin.close()


def main() -> None:
    chats = int(sys.argv[1])
    base, lora = trained_files()
    xllamacpp = engine()
    params = xllamacpp.CommonParams()
    params.model.path = str(base)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = CONTEXT * chats, chats, 0
    params.fit_params = params.ui = params.warmup = False
    params.cache_ram_mib = params.verbosity = 0
    params.n_threads_http = chats
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads, cpu.poll = default_threads(), 0
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
    params.hostnames, params.port = ["127.0.0.1"], 0
    server = xllamacpp.Server(params)
    server.handle_completions({"prompt": "a", "n_predict": 1, "cache_prompt": False})
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
