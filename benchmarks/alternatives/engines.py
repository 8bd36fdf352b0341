"""llama.cpp as somebody without shopbot would run it: its HTTP server on loopback, and its embeddings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopbot.backends.gguf import default_threads, engine
from shopbot.models import locate_model

#: SmolLM2 was trained on so many tokens; 21 tools with a shot each need half of them.
_CONTEXT = 8192
#: The template in the GGUF leaves tools out, and llama.cpp then drops them without a word.
_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
_MEAN_POOLING = 1


@contextmanager
def chat_server() -> Iterator[tuple[str, str]]:
    """The base model, untuned, behind an OpenAI-compatible API: its base URL and its key."""
    params = _params(_CONTEXT)
    key = secrets.token_urlsafe(16)
    params.api_keys = [key]
    params.chat_template = _TEMPLATE.read_text(encoding="utf-8")
    server = engine().Server(params)
    try:
        yield f"{server.listening_address}/v1", key
    finally:
        del server


class BaseEmbeddings:
    """Embeddings of the base model: the mean of its last hidden states."""

    def __init__(self) -> None:
        params = _params(1024)
        params.embedding = True
        params.pooling_type = engine().llama_pooling_type(_MEAN_POOLING)
        params.api_keys = [secrets.token_urlsafe(16)]
        self._server: Any = engine().Server(params)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text."""
        answers = [self._server.handle_embeddings({"input": text}) for text in texts]
        return np.array([answer["data"][0]["embedding"] for answer in answers], dtype=np.float32)


def _params(context: int) -> Any:
    params = engine().CommonParams()
    params.model.path = str(locate_model())
    params.n_ctx, params.n_parallel, params.n_gpu_layers = context, 1, 0
    params.fit_params = params.ui = params.warmup = False
    params.verbosity, params.cache_ram_mib = 0, 0
    params.hostnames, params.port = ["127.0.0.1"], 0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads, cpu.poll = default_threads(), 0
    return params
