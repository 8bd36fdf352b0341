"""Read the header of a GGUF file without trusting it.

The engine maps a model file straight into memory and ends the process on some kinds of damage, so everything that can
be known from the header is checked here first: every count is bounded, nothing is read past the end, and nothing is
allocated on the word of the file. The key names and block sizes come from the ``gguf`` package; its own reader is not
used, because it allocates whatever a hostile file asks for.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import gguf
import numpy as np

from shopbot.errors import ModelCorruptError, ModelError, ModelNotFoundError

MAX_KEYS = 1 << 14
MAX_TENSORS = 1 << 16
MAX_ARRAY = 1 << 22
MAX_KEY_BYTES = 1 << 12
MAX_STRING_BYTES = 1 << 24
MAX_DIMENSIONS = 4
MAX_TENSOR_NAME_BYTES = 63
MAX_ALIGNMENT = 1 << 16
#: Arrays longer than this are checked and skipped, except the vocabulary.
_KEPT_ARRAY = 4096
_VOCABULARY = frozenset({"tokenizer.ggml.tokens", "tokenizer.ggml.token_type"})
_UNKNOWN_TOKEN, _CONTROL_TOKEN = 2, 3
_REMEDY = "Fetch it again with 'shopbot model pull'."
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class Tensor:
    """A row of the tensor table. ``shape``: fastest dimension first. ``offset`` in the file and ``size``: bytes."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """What a GGUF file says about itself. Unknown numbers are 0, unknown texts empty. ``file_size`` in bytes."""

    path: Path
    kind: str
    name: str
    architecture: str
    parameters: int
    quantization: str
    context: int
    embedding: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tokenizer: str
    control_tokens: tuple[str, ...]
    chat_template: str
    licence: str
    file_size: int
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def as_json(self) -> dict[str, Any]:
        """The header without the tensor table and raw metadata, as ``model show --json`` prints it."""
        left_out = {"path", "metadata", "tensors", "control_tokens"}
        shown = {key: getattr(self, key) for key in self.__dataclass_fields__ if key not in left_out}
        return {**shown, "tensors": len(self.tensors), "path": str(self.path)}

    def kv_bytes(self, context: int) -> int:
        """Bytes of the key and value cache (16-bit) for ``context`` tokens."""
        head = self.metadata.get(f"{self.architecture}.attention.key_length") or self.embedding // max(1, self.heads)
        return 2 * 2 * self.layers * context * self.kv_heads * int(head)


def read_header(path: Path | str) -> ModelHeader:
    """Read and check the header and tensor table of a GGUF file.

    Raises :class:`ModelNotFoundError` where there is no file, and :class:`ModelCorruptError` for anything that is no
    complete GGUF file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _Reader(path, file).read()
    except FileNotFoundError:
        raise ModelNotFoundError(
            f"There is no model at {path}.", remedy="Fetch it with 'shopbot model pull'."
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", remedy="Check its permissions.") from None


class _Reader:
    """Walks one file from the front; every read is checked against the file's size first."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self._file = path, file
        self._size = file.seek(0, 2)
        self._at = file.seek(0)

    def read(self) -> ModelHeader:
        if self._take(4) != b"GGUF":
            raise self._corrupt("is not a GGUF file")
        version = self._scalar("<I")
        if version not in (2, 3):
            raise self._corrupt(f"has GGUF version {version}, versions 2 and 3 are known")
        tensor_count, key_count = self._scalar("<Q"), self._scalar("<Q")
        if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
            raise self._corrupt(f"claims {tensor_count} tensors and {key_count} keys")
        metadata: dict[str, Any] = {}
        for _ in range(key_count):
            key = self._string(MAX_KEY_BYTES)
            if key in metadata:
                raise self._corrupt(f"has the key {key!r} twice")
            metadata[key] = self._value(self._scalar("<I"), keep_all=key in _VOCABULARY)
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
            raise self._corrupt(f"has the alignment {alignment!r}")
        return self._describe(metadata, self._tensors(tensor_count, alignment))

    def _tensors(self, count: int, alignment: int) -> dict[str, Tensor]:
        rows = []
        for _ in range(count):
            name = self._string(MAX_TENSOR_NAME_BYTES)
            dimensions = self._scalar("<I")
            if not 1 <= dimensions <= MAX_DIMENSIONS:
                raise self._corrupt(f"gives tensor {name!r} {dimensions} dimensions")
            shape = tuple(self._scalar("<Q") for _ in range(dimensions))
            rows.append((name, shape, self._scalar("<I"), self._scalar("<Q")))
        start = self._aligned(self._at, alignment)
        expected, tensors = 0, {}
        for name, shape, code, offset in rows:
            kind, size = self._tensor_size(name, shape, code)
            if offset != expected or name in tensors:
                raise self._corrupt(f"places tensor {name!r} at {offset}, {expected} is expected")
            if start + offset + size > self._size:
                missing = start + offset + size - self._size
                raise self._corrupt(f"is truncated: at least {missing} bytes are missing at the end")
            tensors[name] = Tensor(name, shape, kind, start + offset, size)
            expected = self._aligned(offset + size, alignment)
        return tensors

    def _tensor_size(self, name: str, shape: tuple[int, ...], code: int) -> tuple[str, int]:
        try:
            kind = gguf.GGMLQuantizationType(code)
            block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        except (ValueError, KeyError):
            raise self._corrupt(f"gives tensor {name!r} the unknown type {code}") from None
        elements = math.prod(shape)
        if elements <= 0 or elements > 1 << 50 or shape[0] % block:
            raise self._corrupt(f"gives tensor {name!r} the impossible shape {shape}")
        return kind.name, elements // block * block_bytes

    def _describe(self, metadata: dict[str, Any], tensors: dict[str, Tensor]) -> ModelHeader:
        architecture = _text(metadata, "general.architecture")
        tokens = metadata.pop("tokenizer.ggml.tokens", [])
        types = metadata.pop("tokenizer.ggml.token_type", [])
        if not isinstance(tokens, list) or not isinstance(types, list) or (types and len(types) != len(tokens)):
            raise self._corrupt("has a vocabulary that does not fit its token types")
        heads = _number(metadata, f"{architecture}.attention.head_count")
        return ModelHeader(
            path=self.path,
            kind=_text(metadata, "general.type") or "model",
            name=_text(metadata, "general.name"),
            architecture=architecture,
            parameters=sum(math.prod(tensor.shape) for tensor in tensors.values()),
            quantization=_quantization(metadata, tensors),
            context=_number(metadata, f"{architecture}.context_length"),
            embedding=_number(metadata, f"{architecture}.embedding_length"),
            layers=_number(metadata, f"{architecture}.block_count"),
            heads=heads,
            kv_heads=_number(metadata, f"{architecture}.attention.head_count_kv") or heads,
            vocabulary=len(tokens),
            tokenizer=_text(metadata, "tokenizer.ggml.model"),
            control_tokens=tuple(
                str(token)
                for token, kind in zip(tokens, types, strict=False)
                if kind in (_UNKNOWN_TOKEN, _CONTROL_TOKEN) and token
            ),
            chat_template=_text(metadata, "tokenizer.chat_template"),
            licence=_text(metadata, "general.license"),
            file_size=self._size,
            metadata=metadata,
            tensors=tensors,
        )

    def _value(self, code: int, *, keep_all: bool) -> Any:
        if code == _STRING:
            return self._string(MAX_STRING_BYTES)
        if code != _ARRAY:
            return self._scalar(self._format(code))
        inner, count = self._scalar("<I"), self._scalar("<Q")
        keep = keep_all or count <= _KEPT_ARRAY
        if count > MAX_ARRAY:
            raise self._corrupt(f"claims an array of {count} values")
        if inner == _STRING:
            strings = [self._string(MAX_STRING_BYTES, keep=keep) for _ in range(count)]
            return strings if keep else count
        form = self._format(inner)
        raw = self._take(struct.calcsize(form) * count)
        return list(struct.unpack(f"<{count}{form[1]}", raw)) if keep else count

    def _format(self, code: int) -> str:
        if code not in _SCALARS:
            raise self._corrupt(f"has a value of the unknown type {code}")
        return _SCALARS[code]

    def _string(self, limit: int, *, keep: bool = True) -> str:
        length = self._scalar("<Q")
        if length > limit:
            raise self._corrupt(f"claims a text of {length} bytes")
        raw = self._take(length)
        return raw.decode("utf-8", "replace") if keep else ""

    def _scalar(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        if count > self._size - self._at:
            raise self._corrupt("is truncated: it ends inside its header")
        taken = self._file.read(count)
        if len(taken) != count:
            raise self._corrupt("changed while it was read")
        self._at += count
        return taken

    @staticmethod
    def _aligned(offset: int, alignment: int) -> int:
        return -(-offset // alignment) * alignment

    def _corrupt(self, what: str) -> ModelCorruptError:
        return ModelCorruptError(f"{self.path} {what}.", remedy=_REMEDY)


def _text(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _number(metadata: Mapping[str, Any], key: str) -> int:
    """A positive integer, the largest of them where every layer has its own; 0 if there is none."""
    value = metadata.get(key)
    numbers = value if isinstance(value, list) else [value]
    return max((number for number in numbers if type(number) is int and number > 0), default=0)


def _quantization(metadata: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    try:
        return str(gguf.LlamaFileType(_number(metadata, "general.file_type")).name).removeprefix("MOSTLY_")
    except ValueError:
        sizes: dict[str, int] = {}
        for tensor in tensors.values():
            sizes[tensor.type] = sizes.get(tensor.type, 0) + tensor.size
        return max(sizes, key=lambda kind: sizes[kind], default="")


def require_base(header: ModelHeader) -> None:
    """Raise :class:`ModelError` unless the file is a language model with a tokenizer that the engine can run."""
    where = header.path
    if header.kind != "model":
        raise ModelError(f"{where} is of type '{header.kind}', no base model.", remedy="Give the base model's file.")
    if header.architecture not in gguf.MODEL_ARCH_NAMES.values():
        raise ModelError(f"{where}: architecture {header.architecture!r} is not known.", remedy="Give a text model.")
    if not header.tokenizer or not header.vocabulary:
        raise ModelError(
            f"{where} has no tokenizer.", remedy="Give a file that was converted together with its tokenizer."
        )
    embedding = header.tensors.get("token_embd.weight")
    if embedding is None or embedding.shape != (header.embedding, header.vocabulary):
        raise ModelCorruptError(f"{where}: the embeddings do not fit the vocabulary.", remedy=_REMEDY)
    sane = 0 < header.layers <= 1024 and 0 < header.kv_heads <= header.heads <= 1024 and 0 < header.context <= 1 << 28
    if not sane or header.heads % header.kv_heads or header.embedding < header.heads:
        raise ModelCorruptError(f"{where}: layers, heads and context make no model.", remedy=_REMEDY)


def require_lora_fits(lora: ModelHeader, base: ModelHeader) -> None:
    """Raise :class:`ModelError` unless ``lora`` is a LoRA adapter with finite matrices that fit ``base``."""
    remedy = "Use a LoRA adapter that was trained on this base."
    if lora.kind != "adapter" or _text(lora.metadata, "adapter.type") != "lora":
        raise ModelError(f"{lora.path} is no LoRA adapter.", remedy=remedy)
    if lora.architecture != base.architecture:
        raise ModelError(
            f"{lora.path} is for architecture {lora.architecture!r}, {base.path.name} has {base.architecture!r}.",
            remedy=remedy,
        )
    alpha = lora.metadata.get("adapter.lora.alpha")
    if not isinstance(alpha, float) or not 0 < alpha < 1e6:
        raise ModelCorruptError(f"{lora.path} has the scale {alpha!r}.", remedy="Train it again.")
    targets = {name.removesuffix(".lora_a").removesuffix(".lora_b") for name in lora.tensors}
    for target in targets:
        pair = lora.tensors.get(f"{target}.lora_a"), lora.tensors.get(f"{target}.lora_b")
        if not _pair_fits(*pair, base.tensors.get(target)):
            raise ModelError(f"{lora.path}: {target!r} does not fit {base.path.name}.", remedy=remedy)
    if not targets:
        raise ModelCorruptError(f"{lora.path} holds no matrices.", remedy="Train it again.")
    _require_finite(lora)


def _pair_fits(down: Tensor | None, up: Tensor | None, target: Tensor | None) -> bool:
    if down is None or up is None or target is None or not len(down.shape) == len(up.shape) == len(target.shape) == 2:
        return False
    inside_out = (down.shape[0], up.shape[1]) == target.shape and down.shape[1] == up.shape[0]
    return inside_out and {down.type, up.type} <= {"F16", "F32"}


def _require_finite(lora: ModelHeader) -> None:
    with lora.path.open("rb") as file:
        for tensor in lora.tensors.values():
            file.seek(tensor.offset)
            kind = np.float16 if tensor.type == "F16" else np.float32
            if not np.isfinite(np.frombuffer(file.read(tensor.size), dtype=kind)).all():
                raise ModelCorruptError(f"{lora.path}: {tensor.name} is damaged.", remedy="Train or fetch it again.")
