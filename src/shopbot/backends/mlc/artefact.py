"""MLC artefacts: a folder with weights, tokenizer and configuration, as mlc-ai publishes them and as we write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shopbot.backends.mlc.config import ModelConfig
from shopbot.backends.mlc.quantization import Array, Quantization

CHAT_CONFIG = "mlc-chat-config.json"
#: The index of the weights; the second name is the older one.
INDEX_NAMES = ("tensor-cache.json", "ndarray-cache.json")
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Artefact:
    """A folder whose configuration and index are in order; its weights are checked as they are read."""

    folder: Path
    config: ModelConfig
    quantization: Quantization
    tokenizer_file: Path

    @classmethod
    def open(cls, folder: Path) -> Artefact:
        raise NotImplementedError

    def read(self) -> Iterator[tuple[str, Array]]:
        """The parameters by name, in the order of the index, one shard after the other."""
        raise NotImplementedError


def write_artefact(
    folder: Path,
    config: ModelConfig,
    quantization: Quantization,
    parameters: Iterable[tuple[str, Array]],
    tokenizer: bytes,
) -> Artefact:
    """Write an artefact to ``folder``, which must not be there yet; whole or not at all."""
    raise NotImplementedError
