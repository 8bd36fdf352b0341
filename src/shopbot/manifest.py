"""What a checkpoint says of itself: the records of ``manifest.json``, and the file."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from shopbot.errors import ModelCorruptError, ModelNotFoundError
from shopbot.files import write_atomic

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_REMEDY = "Train it again with 'shopbot refine run', or use another checkpoint."

#: A checkpoint's or file's name: no separator, no leading dot, so that it cannot lead out of its folder.
Name = Annotated[str, pydantic.StringConstraints(pattern=NAME_PATTERN)]
Sha256 = Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, pydantic.StringConstraints(max_length=10_000)]
Finite = Annotated[float, pydantic.Field(allow_inf_nan=False)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Base(_Part):
    """The base model: where it comes from and its hash. ``file``: it lies beside the manifest and travels with it;
    ``source`` then says what it was made from."""

    source: Text
    sha256: Sha256
    file: Name | None = None


class Lora(_Part):
    """The LoRA adapter: a file beside the manifest and its hash."""

    file: Name
    sha256: Sha256


class Baked(_Part):
    """What a baked checkpoint was merged from (the hashes of its parent's base and LoRA adapter), and how finely."""

    base: Sha256
    lora: Sha256
    quantization: Name


class Compiled(_Part):
    """What a compiled checkpoint was made from (the hashes of its parent's base and LoRA adapter; a published artefact
    has neither), how finely, and the hash of each of its files."""

    base: Sha256 | None = None
    lora: Sha256 | None = None
    quantization: Name
    files: dict[Name, Sha256] = pydantic.Field(min_length=1, max_length=10_000)


class Gate(_Part):
    """Whether the checkpoint may be promoted, and the report that says why."""

    passed: bool = False
    report: Text = ""


class Manifest(_Part):
    """What a checkpoint is made of.

    ``tools``: those it was trained on. ``threshold``: the confidence below which the bot asks back. ``bias``: act →
    what is added to its logit, to set how readily it is chosen (an act that training saw too seldom, for instance).
    ``baked``: it is its ``parent`` in another form; ``compiled``: likewise, for another engine (the format ``mlc``).
    """

    name: Name
    format: Literal["gguf", "mlc"] = "gguf"
    base: Base
    lora: Lora | None = None
    prompt_format: int = pydantic.Field(ge=1, le=1000)
    tools: tuple[Name, ...] = pydantic.Field(default=(), max_length=10_000)
    parent: Name | None = None
    baked: Baked | None = None
    compiled: Compiled | None = None
    training_set: Text | None = None
    settings: dict[str, Any] = pydantic.Field(default_factory=dict)
    scores: dict[str, Any] = pydantic.Field(default_factory=dict)
    threshold: float = pydantic.Field(default=0.0, ge=0.0, le=1.0)
    calibration: dict[Literal["slope", "offset"], Finite] = pydantic.Field(default_factory=dict)
    bias: dict[Name, Annotated[float, pydantic.Field(ge=-20, le=20)]] = pydantic.Field(default_factory=dict)
    created: datetime
    gate: Gate = Gate()

    @pydantic.model_validator(mode="after")
    def _is_compiled_if_mlc(self) -> Manifest:
        if (self.format == "mlc") != (self.compiled is not None):
            raise ValueError("the format 'mlc' and the entry 'compiled' go together")
        return self

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def read_manifest(folder: Path) -> Manifest:
    """Read ``manifest.json``. Raises :class:`ModelCorruptError` for anything that is no manifest."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(read_limited(path))
    except FileNotFoundError:
        raise ModelNotFoundError(f"There is no {path}.", remedy="Give a checkpoint's folder.") from None
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        raise ModelCorruptError(f"{path}: {where or 'the file'}: {first['msg'][:200]}.", remedy=_REMEDY) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelCorruptError(f"{path} cannot be read: {error}.", remedy=_REMEDY) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, whole or not at all. Raises :class:`OSError`."""
    write_atomic(folder / MANIFEST, (json.dumps(manifest.as_json(), indent=2, ensure_ascii=False) + "\n").encode())


def read_limited(path: Path) -> bytes:
    """A small file's content. Raises :class:`OSError`, and :class:`ValueError` where it is longer than a manifest."""
    with path.open("rb") as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise ValueError("it is too long")
    return content
