"""Checkpoints: what the bot's understanding is made of, and which one is in force.

A checkpoint is a folder with ``manifest.json`` and, mostly, a LoRA adapter; it may hold a base model of its own. Those
made on this box live in ``<home>/checkpoints/<name>/``; the package ships one more. The file
``<home>/checkpoints/current`` names the one in force; it is replaced in one step, so a running service sees the old one
or the new one.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from shopbot.errors import GateError, ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.files import locked, sha256_of, write_atomic

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
SHIPPED = Path(__file__).parent / "shipped"

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_REMEDY = "Train it again with 'shopbot refine run', or use another checkpoint."

#: A checkpoint's or file's name: no separator, no leading dot, so that it cannot lead out of its folder.
Name = Annotated[str, pydantic.StringConstraints(pattern=_NAME)]
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


class Gate(_Part):
    """Whether the checkpoint may be promoted, and the report that says why."""

    passed: bool = False
    report: Text = ""


class Manifest(_Part):
    """What a checkpoint is made of.

    ``tools``: those it was trained on. ``threshold``: the confidence below which the bot asks back. ``bias``: act →
    what is added to its logit, to set how readily it is chosen (an act that training saw too seldom, for instance).
    """

    name: Name
    format: Literal["gguf", "mlc"] = "gguf"
    base: Base
    lora: Lora | None = None
    prompt_format: int = pydantic.Field(ge=1, le=1000)
    tools: tuple[Name, ...] = pydantic.Field(default=(), max_length=10_000)
    parent: Name | None = None
    training_set: Text | None = None
    settings: dict[str, Any] = pydantic.Field(default_factory=dict)
    scores: dict[str, Any] = pydantic.Field(default_factory=dict)
    threshold: float = pydantic.Field(default=0.0, ge=0.0, le=1.0)
    calibration: dict[Literal["slope", "offset"], Finite] = pydantic.Field(default_factory=dict)
    bias: dict[Name, Annotated[float, pydantic.Field(ge=-20, le=20)]] = pydantic.Field(default_factory=dict)
    created: datetime
    gate: Gate = Gate()

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose manifest and hashes are right. ``is_shipped``: it came with the package."""

    manifest: Manifest
    folder: Path
    is_shipped: bool

    @property
    def lora_path(self) -> Path | None:
        return self.folder / self.manifest.lora.file if self.manifest.lora else None

    def base_source(self, configured: str = "") -> str:
        """Where to find the base model: in the checkpoint's own folder, else where the operator ``configured`` it to
        be, else where the manifest says."""
        base = self.manifest.base
        return str((self.folder / base.file).absolute()) if base.file else configured or base.source


class CheckpointStore:
    """The checkpoints below ``home``, with the shipped ones (``shipped``: another folder of them, for tests)."""

    def __init__(self, home: Path, *, shipped: Path | None = None) -> None:
        self._folder = home / "checkpoints"
        self._shipped = SHIPPED if shipped is None else shipped
        self._pointer = self._folder / "current"

    def list(self) -> tuple[Manifest, ...]:
        """The manifests, oldest first; a folder whose manifest is damaged is left out (``load`` says why)."""
        found: dict[str, Manifest] = {}
        for folder, _ in self._folders():
            try:
                manifest = read_manifest(folder)
            except ModelError:
                continue
            found.setdefault(manifest.name, manifest)
        return tuple(sorted(found.values(), key=lambda manifest: (manifest.created.timestamp(), manifest.name)))

    def load(self, name: str) -> Checkpoint:
        """The checkpoint ``name``, its hashes checked.

        Raises :class:`ModelNotFoundError`, or :class:`ModelCorruptError` if the manifest or a file is not in
        order.
        """
        for folder, is_shipped in self._folders():
            if folder.name == name:
                return _checked(folder, is_shipped=is_shipped)
        known = ", ".join(manifest.name for manifest in self.list()) or "none"
        raise ModelNotFoundError(f"There is no checkpoint '{name}'.", remedy=f"On this box: {known}.")

    def current(self) -> Checkpoint:
        """The promoted checkpoint, else the newest shipped one. Raises :class:`ModelNotFoundError` without any."""
        return self.load(self.current_name())

    def current_name(self) -> str:
        """The name of the checkpoint in force. Raises :class:`ModelNotFoundError` without any."""
        promoted = self._promoted()
        if promoted is not None:
            return promoted
        shipped = [folder for folder, is_shipped in self._folders() if is_shipped]
        if not shipped:
            raise ModelNotFoundError(
                "No checkpoint was promoted, and this copy of shopbot ships none.",
                remedy="Install shopbot anew, or train one with 'shopbot refine run'.",
            )
        manifests = [read_manifest(folder) for folder in shipped]
        return max(manifests, key=lambda manifest: manifest.created.timestamp()).name

    def current_stamp(self) -> str:
        """A text that changes whenever another checkpoint comes into force; cheap enough to ask at every turn."""
        try:
            stat = self._pointer.stat()
        except OSError:
            return "shipped"
        return f"{stat.st_mtime_ns}-{stat.st_ino}-{stat.st_size}"

    def promote(self, name: str, *, force: bool = False) -> Checkpoint:
        """Put ``name`` in force. Raises :class:`GateError` if it did not pass its gate, unless ``force``."""
        checkpoint = self.load(name)
        if not checkpoint.manifest.gate.passed and not force:
            reason = checkpoint.manifest.gate.report or "it was not evaluated"
            raise GateError(
                f"Checkpoint '{name}' did not pass its gate: {reason}.",
                remedy="Evaluate it with 'shopbot refine evaluate', or promote it with --force.",
            )
        with locked(self._folder / ".lock"):
            write_atomic(self._pointer, json.dumps({"name": name}).encode())
        return checkpoint

    def rollback(self) -> Checkpoint:
        """Put the parent of the checkpoint in force back. Raises :class:`ModelError` if it has none."""
        name = self.current_name()
        parent = self.load(name).manifest.parent
        if parent is None:
            raise ModelError(f"Checkpoint '{name}' has no parent to roll back to.", remedy="Promote another one.")
        return self.promote(parent, force=True)  # what served before needs no new gate

    def add(self, folder: Path) -> Checkpoint:
        """Copy a finished checkpoint into the store, whole or not at all.

        Raises :class:`ModelCorruptError` if it is not in order, :class:`ModelError` if the name is taken.
        """
        manifest = _checked(folder, is_shipped=False, name=None).manifest
        if any(taken.name == manifest.name for taken, _ in self._folders()):
            raise ModelError(f"There is a checkpoint '{manifest.name}' already.", remedy="Give it another name.")
        with locked(self._folder / ".lock"):
            staging = Path(tempfile.mkdtemp(dir=self._folder, prefix=".adding-"))
            try:
                for path in folder.iterdir():
                    if path.is_file() and not path.is_symlink():
                        shutil.copy2(path, staging / path.name)
                _checked(staging, is_shipped=False, name=None)
                staging.chmod(0o755)
                staging.rename(self._folder / manifest.name)
            except OSError as error:
                raise ModelError(f"The checkpoint cannot be stored: {error}.", remedy="Check the disk.") from error
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return self.load(manifest.name)

    def _promoted(self) -> str | None:
        try:
            pointer = json.loads(_read_limited(self._pointer))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            pointer = None
        name = pointer.get("name") if isinstance(pointer, dict) else None
        if not isinstance(name, str) or not re.match(_NAME, name):
            raise ModelCorruptError(f"{self._pointer} is damaged.", remedy="Promote a checkpoint again.")
        return name

    def _folders(self) -> Iterator[tuple[Path, bool]]:
        """Every checkpoint's folder and whether it is shipped; this box's own come first."""
        for parent, is_shipped in ((self._folder, False), (self._shipped, True)):
            if parent.is_dir():
                for folder in sorted(parent.iterdir()):
                    if re.match(_NAME, folder.name) and (folder / MANIFEST).is_file():
                        yield folder, is_shipped


def read_manifest(folder: Path) -> Manifest:
    """Read ``manifest.json``. Raises :class:`ModelCorruptError` for anything that is no manifest."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(_read_limited(path))
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


def _read_limited(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise ValueError("it is too long")
    return content


def _checked(folder: Path, *, is_shipped: bool, name: str | None = "") -> Checkpoint:
    """The checkpoint in ``folder``. ``name`` "": the folder's own; None: any."""
    manifest = read_manifest(folder)
    if name is not None and manifest.name != (name or folder.name):
        raise ModelCorruptError(f"{folder / MANIFEST} is of '{manifest.name}'.", remedy=_REMEDY)
    if manifest.base.file is not None:
        _require_file(folder / manifest.base.file, manifest.base.sha256)
    if manifest.lora is not None:
        _require_file(folder / manifest.lora.file, manifest.lora.sha256)
    return Checkpoint(manifest, folder, is_shipped)


def _require_file(path: Path, sha256: str) -> None:
    """Raises :class:`ModelCorruptError` where a checkpoint's file is missing, or another."""
    try:
        actual = sha256_of(path)
    except OSError:
        raise ModelCorruptError(f"{path} is missing.", remedy=_REMEDY) from None
    if actual != sha256:
        raise ModelCorruptError(f"{path} is not the file of its manifest.", remedy=_REMEDY)
