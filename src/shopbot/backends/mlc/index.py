"""The index of an artefact's weights: ``tensor-cache.json``, or ``ndarray-cache.json`` as it was called before.

It comes from strangers: names, sizes and offsets are checked against each other before a byte is read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from shopbot.errors import ModelCorruptError
from shopbot.manifest import Name

#: The second name is the older one.
INDEX_NAMES = ("tensor-cache.json", "ndarray-cache.json")
MAX_INDEX_BYTES = 1 << 25
REMEDY = "Fetch or compile it again."
_MAX_ELEMENTS = 1 << 40

_Size = Annotated[int, pydantic.Field(ge=1, le=1 << 31)]
_Bytes = Annotated[int, pydantic.Field(ge=0, le=1 << 42)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, strict=True)


class Record(_Part):
    """Where one array lies in its shard, in bytes. ``dtype``: as it is used; ``is_bfloat16``: it is stored shorter."""

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=300)]
    shape: Annotated[list[_Size], pydantic.Field(min_length=1, max_length=4)]
    dtype: Literal["float32", "float16", "uint32", "int8"]
    format: Literal["raw", "f32-to-bf16"] = "raw"
    nbytes: _Bytes
    offset: _Bytes = pydantic.Field(alias="byteOffset")

    @property
    def is_bfloat16(self) -> bool:
        """The published indexes call every record "f32-to-bf16"; it is true of those that are float32 alone."""
        return self.format == "f32-to-bf16" and self.dtype == "float32"

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Record:
        elements = math.prod(self.shape)
        width = 2 if self.is_bfloat16 else np.dtype(self.dtype).itemsize
        if elements > _MAX_ELEMENTS or self.nbytes != elements * width:
            raise ValueError(f"{self.name[:80]!r} has the shape {self.shape} and {self.nbytes} bytes")
        return self

    def decode(self, shard: bytes) -> np.ndarray[Any, Any]:
        """The array, out of its shard's content. Raises :class:`ModelCorruptError` for numbers that are none."""
        raw = memoryview(shard)[self.offset : self.offset + self.nbytes]
        array: np.ndarray[Any, Any]
        if self.is_bfloat16:
            array = (np.frombuffer(raw, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
        else:
            array = np.frombuffer(raw, np.dtype(self.dtype).newbyteorder("<"))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelCorruptError(f"{self.name} holds values that are no numbers.", remedy=REMEDY)
        return np.reshape(array, self.shape)


class Shard(_Part):
    """One file of weights. ``file`` is a plain name: it cannot lead out of the folder."""

    file: Name = pydantic.Field(alias="dataPath")
    nbytes: _Bytes
    md5: Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{32}$")] = pydantic.Field(alias="md5sum")
    records: Annotated[list[Record], pydantic.Field(max_length=1 << 16)]

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Shard:
        for record in self.records:
            if record.offset + record.nbytes > self.nbytes:
                raise ValueError(f"{record.name[:80]!r} ends outside of {self.file}")
        return self


class Index(_Part):
    """All shards of an artefact."""

    shards: Annotated[list[Shard], pydantic.Field(alias="records", min_length=1, max_length=1 << 14)]

    def by_name(self) -> dict[str, Record]:
        """Raises :class:`ModelCorruptError` for a name that is there twice."""
        found: dict[str, Record] = {}
        for record in (record for shard in self.shards for record in shard.records):
            if record.name in found:
                raise ModelCorruptError(f"The index has {record.name!r} twice.", remedy=REMEDY)
            found[record.name] = record
        return found


def find_index(folder: Path) -> str:
    """The name of the index of the artefact in ``folder``. Raises :class:`ModelCorruptError` where there is none."""
    for name in INDEX_NAMES:
        if (folder / name).is_file():
            return name
    raise ModelCorruptError(f"{folder} has no {' or '.join(INDEX_NAMES)}.", remedy=REMEDY)


def read_index(path: Path) -> Index:
    """Read an index. Raises :class:`ModelCorruptError` for anything that is none."""
    try:
        return Index.model_validate_json(read_limited(path))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        reason = f"{where or 'the file'}: {first['msg'][:300]}"
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    raise ModelCorruptError(f"{path} cannot be used: {reason}.", remedy=REMEDY)


def read_limited(path: Path, limit: int = MAX_INDEX_BYTES) -> bytes:
    """A file's content. Raises :class:`OSError`, and :class:`ValueError` where it is longer than ``limit`` bytes."""
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError("it is too long")
    return content
