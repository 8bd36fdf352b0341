"""The bundles on this box: unpacked folders below ``<home>/bundles``, and the file that says which one is in force."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shopbot.bundle.contents import MANIFEST, MAX_MANIFEST_BYTES, BundleManifest, read_manifest
from shopbot.checkpoint import CheckpointStore
from shopbot.errors import BundleError, ModelError
from shopbot.files import locked, sha256_of, sync_folder, write_atomic
from shopbot.installed import FOLDER, POINTER, Installed, installed

#: How many bundles stay on a box, the one in force included.
KEPT = 3


@dataclass(frozen=True, slots=True)
class Shelved:
    """A bundle on this box; ``is_current``: it is in force."""

    manifest: BundleManifest
    folder: Path
    is_current: bool


class Shelf:
    """The bundles of the box whose home this is. Whoever changes something holds :meth:`locked`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / FOLDER
        self._pointer = self._folder / POINTER

    def bundles(self) -> tuple[Shelved, ...]:
        """Every bundle here, by name and version; a folder that is none is left out."""
        current = self.current()
        found = []
        for folder in self._folders():
            with contextlib.suppress(OSError, BundleError):
                manifest = _manifest_in(folder)
                if manifest.id == folder.name:
                    found.append(Shelved(manifest, folder, manifest.id == (current.id if current else None)))
        return tuple(sorted(found, key=lambda one: (one.manifest.name, one.manifest.order)))

    def find(self, bundle_id: str) -> Shelved | None:
        """The bundle of this name and version, if it is here."""
        return next((one for one in self.bundles() if one.manifest.id == bundle_id), None)

    def current(self) -> Installed | None:
        """The bundle in force; None also where that cannot be told, which the next installation mends."""
        try:
            return installed(self._home)
        except BundleError:
            return None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing anything; what one that died left behind is swept."""
        with locked(self._folder / ".lock"):
            for left in self._folder.glob(".draft-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextlib.contextmanager
    def draft(self) -> Iterator[Path]:
        """An empty folder to unpack a bundle into; gone at the end, unless :meth:`put_in_force` took it."""
        draft = Path(tempfile.mkdtemp(dir=self._folder, prefix=".draft-"))
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def put_in_force(self, draft: Path, bundle_id: str) -> None:
        """Take the unpacked bundle in, and make it the one in force: in one step, at the very end."""
        current, target = self.current(), self._folder / bundle_id
        before = [current.id, *self._history()] if current else self._history()
        if not self.is_whole(bundle_id):
            self._drop(target)
            draft.chmod(0o755)
            draft.rename(target)
            sync_folder(self._folder)
        self._point_to(bundle_id, [one for one in before if one != bundle_id])

    def is_whole(self, bundle_id: str) -> bool:
        """Whether the bundle is here with every file as it was signed, and its checkpoint."""
        folder = self._folder / bundle_id
        try:
            manifest = _manifest_in(folder)
            CheckpointStore(self._home).load(bundle_id)
            files = manifest.files.items()
            return manifest.id == bundle_id and all(sha256_of(folder / name) == file.sha256 for name, file in files)
        except (OSError, BundleError, ModelError):
            return False

    def rollback(self) -> str | None:
        """Put the bundle before the one in force back, or none where it was the first; returns its id.

        Raises :class:`BundleError` where no bundle is in force, or the one before is damaged.
        """
        try:
            is_in_force = installed(self._home) is not None
        except BundleError:
            is_in_force = True  # a damaged one is one to go back from
        if not is_in_force:
            raise BundleError("No bundle is in force.", remedy="There is nothing to roll back.")
        history = self._history()
        before: str | None = history[0] if history else None
        if before is not None and not self.is_whole(before):
            raise BundleError(f"The bundle '{before}' is damaged.", remedy="Install it again from its file.")
        self._point_to(before, history[1:])
        return before

    def prune(self) -> list[str]:
        """Delete what is neither in force nor among the :data:`KEPT` newest to roll back to; returns the ids."""
        if (current := self.current()) is None:
            return []
        kept = {current.id, *self._history()}
        doomed = [one for one in self.bundles() if one.manifest.id not in kept]
        for one in doomed:
            _forget_checkpoint(self._home, one.manifest.id)
            self._drop(one.folder)
        return [one.manifest.id for one in doomed]

    def _drop(self, folder: Path) -> None:
        """Delete a bundle's folder: in one step it is none any more."""
        trash = self._folder / f".draft-{folder.name}"
        shutil.rmtree(trash, ignore_errors=True)
        if folder.exists():
            folder.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)

    def _folders(self) -> Iterator[Path]:
        return (path for path in self._folder.glob("[!.]*") if path.is_dir())

    def _history(self) -> list[str]:
        """The ids of the bundles before the one in force, the last one first; those that are here still."""
        try:
            previous = json.loads(self._pointer.read_bytes()).get("previous", [])
        except (OSError, ValueError, AttributeError, RecursionError):
            return []
        here = {folder.name for folder in self._folders()}
        return [one for one in previous if one in here] if isinstance(previous, list) else []

    def _point_to(self, bundle_id: str | None, previous: list[str]) -> None:
        write_atomic(self._pointer, json.dumps({"bundle": bundle_id, "previous": previous[: KEPT - 1]}).encode())
        sync_folder(self._folder)


def _manifest_in(folder: Path) -> BundleManifest:
    with (folder / MANIFEST).open("rb") as file:
        return read_manifest(file.read(MAX_MANIFEST_BYTES + 1))


def _forget_checkpoint(home: Path, name: str) -> None:
    """Delete the checkpoint of a bundle and what was baked or compiled from it; one that is in use stays."""
    store = CheckpointStore(home)
    for manifest in store.list():
        if manifest.name == name or ((manifest.baked or manifest.compiled) and manifest.parent == name):
            with contextlib.suppress(ModelError, OSError):
                store.remove(manifest.name)
