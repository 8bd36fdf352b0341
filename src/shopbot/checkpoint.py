"""Checkpoints: what the bot's understanding is made of, and which one is in force.

A checkpoint is a folder with ``manifest.json`` and, mostly, a LoRA adapter; it may hold a base model of its own. A
baked one is another in the form that this box serves fastest: its LoRA adapter merged into a base of its own. A
compiled one is an MLC artefact: made from another, or published as one. Those made on this box live in
``<home>/checkpoints/<name>/``; the package ships one more. The file ``<home>/checkpoints/current`` names the one in
force; it is replaced in one step, so a running service sees the old one or the new one. While a bundle is in force, its
own checkpoint is, or the one that was promoted since.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shopbot.errors import BundleError, GateError, ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.files import locked, sha256_of, sync, sync_folder, write_atomic
from shopbot.installed import Installed, installed
from shopbot.manifest import MANIFEST, NAME_PATTERN, Base, Manifest, read_limited, read_manifest, write_manifest

__all__ = [
    "MANIFEST",
    "SHIPPED",
    "Base",
    "Checkpoint",
    "CheckpointStore",
    "Manifest",
    "read_manifest",
    "write_manifest",
]

SHIPPED = Path(__file__).parent / "shipped"

_REMEDY = "Train it again with 'shopbot refine run', or use another checkpoint."


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
        self._home = home
        self._folder = home / "checkpoints"
        self._shipped = SHIPPED if shipped is None else shipped

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
        """The promoted checkpoint, else the bundle's, else the newest shipped one.

        Raises :class:`ModelNotFoundError` without any.
        """
        return self.load(self.current_name())

    def current_name(self) -> str:
        """The name of the checkpoint in force. Raises :class:`ModelNotFoundError` without any."""
        bundle = installed(self._home)
        promoted = self._promoted(self._pointer(bundle)) or (bundle.id if bundle else None)
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
        bundle = None
        with suppress(BundleError):  # whoever opens the checkpoint hears of it; a turn goes on with the old one
            bundle = installed(self._home)
        name = bundle.id if bundle else "shipped"
        try:
            stat = self._pointer(bundle).stat()
        except OSError:
            return name
        return f"{name}-{stat.st_mtime_ns}-{stat.st_ino}-{stat.st_size}"

    def trained_name(self, name: str = "") -> str:
        """The checkpoint that ``name`` (empty: the one in force) was baked or compiled from, or itself: what training
        goes on from, and what travels."""
        name = name or self.current_name()
        known = {manifest.name: manifest for manifest in self.list()}
        while (manifest := known.pop(name, None)) and (manifest.baked or manifest.compiled) and manifest.parent:
            name = manifest.parent
        return name

    def baked_form(self, name: str) -> Manifest | None:
        """The checkpoint that was baked from ``name`` and passed its gate, if there is one."""
        forms = (form for form in self.list() if form.baked and form.parent == name and form.gate.passed)
        return next(forms, None)

    def promote(self, name: str, *, force: bool = False, replacing: str | None = None) -> Checkpoint:
        """Put ``name`` in force. Raises :class:`GateError` if it did not pass its gate, unless ``force``.

        ``replacing``: only if that one is in force still; else :class:`ModelError`.
        """
        checkpoint = self.load(name)
        if not checkpoint.manifest.gate.passed and not force:
            reason = checkpoint.manifest.gate.report or "it was not evaluated"
            raise GateError(
                f"Checkpoint '{name}' did not pass its gate: {reason}.",
                remedy="Evaluate it with 'shopbot refine evaluate', or promote it with --force.",
            )
        with locked(self._folder / ".lock"):
            if replacing is not None and (found := self.current_name()) != replacing:
                raise ModelError(
                    f"'{found}' came into force meanwhile.", remedy=f"Promote '{name}' if it is the one you want."
                )
            write_atomic(self._pointer(installed(self._home)), json.dumps({"name": name}).encode())
        return checkpoint

    def rollback(self, *, replacing: str | None = None) -> Checkpoint:
        """Put back what served before the checkpoint in force: its parent, baked where it was. Raises
        :class:`ModelError` if it has none, or if another one than ``replacing`` is in force."""
        name = replacing or self.current_name()
        manifest = self.load(name).manifest
        if manifest.baked and manifest.parent:
            unbaked = self.load(manifest.parent).manifest
            if unbaked.parent is None:
                return self.promote(unbaked.name, force=True, replacing=name)
            manifest = unbaked  # the same checkpoint in another form is no way back
        if manifest.parent is None:
            raise ModelError(f"Checkpoint '{name}' has no parent to roll back to.", remedy="Promote another one.")
        form = self.baked_form(manifest.parent)
        # what served before needs no new gate
        return self.promote(form.name if form else manifest.parent, force=True, replacing=name)

    def add(self, folder: Path) -> Checkpoint:
        """Copy a finished checkpoint into the store, whole or not at all.

        Raises :class:`ModelCorruptError` if it is not in order, :class:`ModelError` if the name is taken.
        """
        manifest = _checked(folder, is_shipped=False, name=None).manifest
        self._require_free_name(manifest.name)
        with self.draft() as draft:
            for path in folder.iterdir():
                if path.is_file() and not path.is_symlink():
                    shutil.copy2(path, draft / path.name)
        return self.load(manifest.name)

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """An empty folder to write a checkpoint into. It is taken in, whole or not at all, when the block ends; drafts
        are made one after the other.

        Raises :class:`ModelCorruptError` if what was written is not in order, :class:`ModelError` if the name is taken
        or the disk refuses.
        """
        with locked(self._folder / ".drafts.lock"):
            for left in self._folder.glob(".draft-*"):  # of a process that died
                shutil.rmtree(left, ignore_errors=True)
            draft = Path(tempfile.mkdtemp(dir=self._folder, prefix=".draft-"))
            try:
                yield draft
                self._take_in(draft)
            except OSError as error:
                raise ModelError(f"The checkpoint cannot be stored: {error}.", remedy="Check the disk.") from error
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Delete a checkpoint of this box. Raises :class:`ModelError` for one that is shipped or in force."""
        checkpoint = self.load(name)
        with locked(self._folder / ".lock"):
            if checkpoint.is_shipped or self.current_name() == name:
                raise ModelError(f"Checkpoint '{name}' is shipped or in force.", remedy="Promote another one before.")
            doomed = self._folder / f".draft-{name}"  # no checkpoint any more, in one step
            shutil.rmtree(doomed, ignore_errors=True)
            checkpoint.folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _take_in(self, draft: Path) -> None:
        manifest = _checked(draft, is_shipped=False, name=None).manifest
        for path in draft.iterdir():
            path.chmod(0o644)
            sync(path)
        draft.chmod(0o755)
        with locked(self._folder / ".lock"):
            self._require_free_name(manifest.name)
            draft.rename(self._folder / manifest.name)
        sync_folder(self._folder)

    def _require_free_name(self, name: str) -> None:
        if any(taken.name == name for taken, _ in self._folders()):
            raise ModelError(f"There is a checkpoint '{name}' already.", remedy="Give it another name.")

    def _pointer(self, bundle: Installed | None) -> Path:
        """The file that names the promoted checkpoint. A promotion is of the bundle that it was made under."""
        return bundle.promotion if bundle else self._folder / "current"

    def _promoted(self, path: Path) -> str | None:
        try:
            pointer = json.loads(read_limited(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            pointer = None
        name = pointer.get("name") if isinstance(pointer, dict) else None
        if not isinstance(name, str) or not re.match(NAME_PATTERN, name):
            raise ModelCorruptError(f"{path} is damaged.", remedy="Promote a checkpoint again.")
        return name

    def _folders(self) -> Iterator[tuple[Path, bool]]:
        """Every checkpoint's folder and whether it is shipped; this box's own come first."""
        for parent, is_shipped in ((self._folder, False), (self._shipped, True)):
            if parent.is_dir():
                for folder in sorted(parent.iterdir()):
                    if re.match(NAME_PATTERN, folder.name) and (folder / MANIFEST).is_file():
                        yield folder, is_shipped


def _checked(folder: Path, *, is_shipped: bool, name: str | None = "") -> Checkpoint:
    """The checkpoint in ``folder``. ``name`` "": the folder's own; None: any."""
    manifest = read_manifest(folder)
    if name is not None and manifest.name != (name or folder.name):
        raise ModelCorruptError(f"{folder / MANIFEST} is of '{manifest.name}'.", remedy=_REMEDY)
    if manifest.base.file is not None:
        _require_file(folder / manifest.base.file, manifest.base.sha256)
    if manifest.lora is not None:
        _require_file(folder / manifest.lora.file, manifest.lora.sha256)
    if manifest.compiled is not None:
        for file, sha256 in manifest.compiled.files.items():
            _require_file(folder / file, sha256)
    return Checkpoint(manifest, folder, is_shipped)


def _require_file(path: Path, sha256: str) -> None:
    """Raises :class:`ModelCorruptError` where a checkpoint's file is missing, or another."""
    try:
        actual = sha256_of(path)
    except OSError:
        raise ModelCorruptError(f"{path} is missing.", remedy=_REMEDY) from None
    if actual != sha256:
        raise ModelCorruptError(f"{path} is not the file of its manifest.", remedy=_REMEDY)
