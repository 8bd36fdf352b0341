"""A model in memory with its compiled function, and the caches that it reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from shopbot import memory
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.interface import load_runtime
from shopbot.backends.mlc.library import open_library
from shopbot.backends.mlc.packing import ROWS, padded
from shopbot.backends.mlc.quantization import Array
from shopbot.backends.mlc.weights import chunk_size, fill, matrix_sizes, rope_table, vector_sizes, weight_specs
from shopbot.errors import BackendError, ModelError

#: What the compiled code's vector loads rely on.
_ALIGNMENT = 64
#: What tokenizer, grammar and buffers take beside weights and caches, measured with the default model.
_OVERHEAD_BYTES = 96 << 20


@dataclass(frozen=True, slots=True)
class Cache:
    """Keys and values of one slot's tokens. What lies behind a place is written over, so going back costs nothing."""

    keys: Any
    values: Any


class Runtime:
    """An artefact with its library, for texts of up to ``context`` tokens. For one thread at a time.

    Raises :class:`ModelError` where the memory is too little or the weights are damaged, :class:`BackendError` where
    the library does not fit.
    """

    def __init__(self, artefact: Artefact, library: Path, *, context: int, slots: int = 1) -> None:
        self.config = artefact.config
        self.context = min(context, self.config.context_window_size)
        self.chunk = chunk_size(self.config)
        self._positions = padded(self.context)
        _require_memory(artefact, self._cache_bytes() * slots)
        self._interface = load_runtime()
        self._function: Callable[..., None] = open_library(library)
        arrays = {
            spec.name: aligned(spec.shape, spec.dtype) for spec in weight_specs(self.config, artefact.quantization)
        }
        fill(arrays, self.config, artefact.quantization, artefact.read())
        self._rope = aligned((self._positions, self.config.head_dim), "float32")
        self._rope[...] = rope_table(self.config, self._positions)
        self._tokens, self._place = aligned((self.chunk,), "int32"), aligned((1,), "int32")
        self._logits = aligned((self.chunk, padded(self.config.vocab_size)), "float32")
        self._fixed = [self._share(array) for array in (self._place, self._rope)]
        # the first matrix is the last one again, where the embeddings are tied
        matrices = [arrays[name] for name in matrix_sizes(self.config)] + [
            arrays["embeddings"]
        ] * self.config.tie_word_embeddings
        vectors = [arrays[name] for name in vector_sizes(self.config)]
        self._weights = [self._share(array) for array in (*matrices, *vectors)]

    def new_cache(self) -> Cache:
        """An empty cache. Its memory is taken as it is filled."""
        layers, shared, size = self.config.num_hidden_layers, self.config.num_key_value_heads, self.config.head_dim
        keys = aligned((layers, self._positions // ROWS, shared, size, ROWS), "float32")
        values = aligned((layers, self._positions, shared, size), "float32")
        return Cache(self._share(keys), self._share(values))

    def forward(self, cache: Cache, tokens: Sequence[int], place: int, answers: int = 1) -> Array:
        """Read ``tokens``, which come after the first ``place`` tokens of the cache; at most :attr:`chunk` of them.

        Returns the logits after the last ``answers`` of them, float32 [answers, vocabulary]; they are valid until the
        next call. Raises :class:`BackendError` if the compiled code fails.
        """
        count = len(tokens)
        if not 0 < answers <= count <= self.chunk or place < 0 or place + count > self.context:
            raise ValueError(f"{count} tokens at {place} with {answers} answers")
        self._tokens[:count] = tokens
        self._place[0] = place
        share = self._share
        try:
            self._function(
                share(self._tokens[:count]),
                *self._fixed,
                cache.keys,
                cache.values,
                *self._weights,
                share(self._logits[:answers]),
            )
        except (RuntimeError, TypeError, ValueError) as error:
            raise BackendError(f"The compiled code failed: {str(error)[:200]}.", remedy="Compile it again.") from error
        return self._logits[:answers, : self.config.vocab_size]

    def _share(self, array: Array) -> Any:
        return self._interface.from_dlpack(array)

    def _cache_bytes(self) -> int:
        config = self.config
        return 8 * config.num_hidden_layers * self._positions * config.num_key_value_heads * config.head_dim


def aligned(shape: tuple[int, ...], dtype: str) -> Array:
    """Zeros whose first byte lies where a vector may begin. Memory is taken as it is written."""
    size = prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def memory_needed(artefact: Artefact, cache_bytes: int) -> int:
    """Bytes that the model takes while it serves: packed weights, caches, and the rest."""
    config: ModelConfig = artefact.config
    specs = weight_specs(config, artefact.quantization)
    return sum(spec.nbytes for spec in specs) + cache_bytes + _OVERHEAD_BYTES


def _require_memory(artefact: Artefact, cache_bytes: int) -> None:
    available, needed = memory.available_bytes(), memory_needed(artefact, cache_bytes)
    if available is not None and needed > available:
        raise ModelError(
            f"{artefact.folder} needs about {needed >> 20} MiB of memory, {available >> 20} MiB are free.",
            remedy="Set fewer model.slots or a smaller model.context, use a smaller model, or stop other programs.",
        )
