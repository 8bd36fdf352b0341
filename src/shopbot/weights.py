"""A LoRA adapter merged into its base: the weights as numbers, or one GGUF with the changed matrices written anew and
everything else as it was.

The engine adds ``alpha / rank · B · A`` to a matrix at every token; here it is added once. Only numpy and ``gguf`` are
needed, and no more memory than one matrix takes.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFValueType, LlamaFileType

from shopbot.errors import ConfigError, ModelCorruptError, ModelError
from shopbot.files import require_disk, sync
from shopbot.header import ModelHeader, Tensor, read_header, require_base, require_lora_fits

Array = np.ndarray[Any, Any]
Quantization = Literal["q8_0", "f16"]
QUANTIZATIONS: tuple[Quantization, ...] = ("q8_0", "f16")
#: What stays free on the disk beside a merged model, in bytes: the store and the transcripts go on growing.
DISK_RESERVE_BYTES = 256 << 20

_KINDS = {
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
}
#: Said anew of the merged file, or made by the writer itself.
_OWN_KEYS = ("general.alignment", "general.architecture", "general.file_type", "general.quantization_version")
_OWN_PREFIXES = ("GGUF.", "quantize.", "split.")
_REMEDY = "Serve the LoRA adapter beside its base, as it is."


def parse_quantization(text: str) -> Quantization:
    """Read the name of a quantisation. Raises :class:`ConfigError` for one that is unknown, or of less than 8 bits."""
    name = text.strip().lower()
    if name == "q8_0":
        return "q8_0"
    if name == "f16":
        return "f16"
    known = " or ".join(QUANTIZATIONS)
    raise ConfigError(
        f"'{text}' is not offered: with less than 8 bits the small changes of a LoRA adapter round away (of 150 "
        "messages 141 were understood at Q8_0, 128 at Q5_1, none at Q4_1).",
        remedy=f"Use {known}.",
    )


def merge_lora(base: Path, lora: Path, target: Path, quantization: Quantization = "q8_0") -> None:
    """Write ``base`` with ``lora`` merged in to ``target``. The same input gives the same bytes.

    ``target`` is half written if the process dies: write it in a folder that is taken in as a whole. Raises
    :class:`ModelError` (or a kind of it) where a file cannot be used, does not fit, or the disk is too small.
    """
    header, adapter = read_header(base), read_header(lora)
    require_base(header)
    require_lora_fits(adapter, header)
    kind, file_type = _KINDS[quantization]
    plan = {tensor.name: _stored(tensor, adapter, kind) for tensor in header.tensors.values()}
    try:
        require_disk(target.parent, sum(size for _, size in plan.values()) + DISK_RESERVE_BYTES)
        writer = gguf.GGUFWriter(target, header.architecture)
        try:
            _copy_metadata(base, writer)
            writer.add_file_type(file_type)
            writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
            for tensor in header.tensors.values():
                stored, size = plan[tensor.name]
                writer.add_tensor_info(tensor.name, tensor.shape[::-1], np.dtype(np.float32), size, raw_dtype=stored)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            with open_weights(header, adapter) as weights:
                for tensor in header.tensors.values():
                    if weights.is_changed(tensor.name):
                        stored = gguf.quantize(weights[tensor.name], plan[tensor.name][0])
                    else:
                        stored = weights.raw(tensor.name)
                    writer.write_tensor_data(stored)
        finally:
            writer.close()
        sync(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(f"The disk of {target.parent} is too full: {error.strerror}.", remedy=_REMEDY) from error
        raise ModelError(f"{target} cannot be written: {error}.", remedy=_REMEDY) from error


class Weights:
    """The tensors of a base as float32, with the LoRA adapter merged in; each is read when it is asked for.

    Made by :func:`open_weights`.
    """

    def __init__(self, base: _Tensors, adapter: _Tensors | None) -> None:
        self._base, self._adapter = base, adapter

    def __contains__(self, name: str) -> bool:
        return name in self._base.header.tensors

    def is_changed(self, name: str) -> bool:
        """Whether the adapter changes that tensor."""
        return self._adapter is not None and f"{name}.lora_a" in self._adapter.header.tensors

    def raw(self, name: str) -> Array:
        """The tensor's bytes as they are in the base."""
        return self._base.raw(name)

    def __getitem__(self, name: str) -> Array:
        """The tensor, its slowest dimension first. Raises :class:`ModelCorruptError` or :class:`ModelError` where it
        cannot be read or is no numbers."""
        weights = self._base.floats(name)
        if self._adapter is not None and self.is_changed(name):
            down, up = (self._adapter.floats(f"{name}.lora_{side}") for side in "ab")
            scale = np.float32(self._adapter.header.metadata["adapter.lora.alpha"] / len(down))
            weights = weights + scale * (up @ down)
        if not np.isfinite(weights).all():
            raise ModelCorruptError(f"'{name}' is damaged.", remedy="Fetch the base model again.")
        return weights


@contextmanager
def open_weights(base: ModelHeader, lora: ModelHeader | None) -> Iterator[Weights]:
    """The weights of ``base`` with ``lora`` merged in, as numbers; the headers are checked, and fit each other.

    Raises :class:`OSError`.
    """
    with ExitStack() as stack:
        files = [_Tensors(header, stack.enter_context(header.path.open("rb"))) for header in (base, lora) if header]
        yield Weights(files[0], files[1] if lora else None)


@dataclass(frozen=True, slots=True)
class _Tensors:
    """The tensors of one file."""

    header: ModelHeader
    file: BinaryIO

    def raw(self, name: str) -> Array:
        tensor = self.header.tensors[name]
        self.file.seek(tensor.offset)
        raw = self.file.read(tensor.size)
        if len(raw) != tensor.size:
            raise ModelCorruptError(f"'{name}' is cut short.", remedy="Fetch the file again.")
        return np.frombuffer(raw, dtype=np.uint8)

    def floats(self, name: str) -> Array:
        tensor = self.header.tensors[name]
        rows = self.raw(name).reshape(math.prod(tensor.shape[1:]), -1)
        try:
            floats = np.asarray(gguf.dequantize(rows, GGMLQuantizationType[tensor.type]), dtype=np.float32)
        except NotImplementedError:
            raise ModelError(f"Matrices of the type {tensor.type} cannot be read.", remedy=_REMEDY) from None
        return floats.reshape(tensor.shape[::-1])


def _stored(tensor: Tensor, adapter: ModelHeader, kind: GGMLQuantizationType) -> tuple[GGMLQuantizationType, int]:
    """As what a tensor of the base is written, and its bytes: what the adapter leaves alone stays as it is."""
    if f"{tensor.name}.lora_a" not in adapter.tensors:
        return GGMLQuantizationType[tensor.type], tensor.size
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    if tensor.shape[0] % block:  # rows that are no whole number of blocks
        kind, block, block_bytes = GGMLQuantizationType.F32, 1, 4
    return kind, tensor.shape[0] * tensor.shape[1] // block * block_bytes


def _copy_metadata(base: Path, writer: Any) -> None:
    """What the base says of itself, the vocabulary included. Its header has been checked: the reader may trust it."""
    for field in _fields(base):
        value, kind = field.contents(), field.types[0]
        if kind == GGUFValueType.ARRAY and not value:
            continue  # an empty array has no type that could be written
        writer.add_key_value(field.name, value, kind, sub_type=field.types[-1] if kind == GGUFValueType.ARRAY else None)


def _fields(base: Path) -> Iterable[Any]:
    fields = gguf.GGUFReader(base).fields.values()
    return [field for field in fields if field.name not in _OWN_KEYS and not field.name.startswith(_OWN_PREFIXES)]
