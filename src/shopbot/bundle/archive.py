"""The bundle's file: a signed header, then a ZIP of files that are not compressed.

The header (magic, size and SHA-256 of what follows, signature) is checked first, then the hash of all that follows, and
only then is the ZIP parsed. What a trusted key has signed is still read as if it meant harm: every entry must stand in
``bundle.json`` with its size and hash, and nothing else may be there. The ZIP's offsets count from the file's start, so
that ordinary tools can list and unpack a bundle.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from shopbot.bundle import keys
from shopbot.bundle.contents import (
    MANIFEST,
    MAX_BUNDLE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    BundleManifest,
    read_manifest,
)
from shopbot.errors import BundleError
from shopbot.files import require_disk, sync

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAGIC = b"shopbot bundle 1"
_STATEMENT = struct.Struct("<16sQ32s")
_HEADER_BYTES = _STATEMENT.size + keys.SIGNATURE_BYTES
_CHUNK_BYTES = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FETCH = "Fetch it again."
_REBUILD = "Do not use it; have it built again."


def write_archive(path: Path, files: Mapping[str, bytes], key: Ed25519PrivateKey) -> None:
    """Write ``files`` (path → content) to ``path``, signed; whole or not at all. The same input, the same bytes.

    Raises :class:`OSError`, or :class:`BundleError` where it is too large.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w+b") as file:
            file.write(bytes(_HEADER_BYTES))
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name in sorted(files, key=lambda name: (name != MANIFEST, name)):
                    entry = zipfile.ZipInfo(name, _EPOCH)
                    entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
                    archive.writestr(entry, files[name])
            size = file.seek(0, 2) - _HEADER_BYTES
            if size > MAX_BUNDLE_BYTES:
                raise BundleError(f"The bundle would be larger than {MAX_BUNDLE_BYTES >> 20} MiB.")
            file.seek(_HEADER_BYTES)
            statement = _STATEMENT.pack(MAGIC, size, _copy(file, size, None))
            file.seek(0)
            file.write(statement + keys.sign(key, statement))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class Archive:
    """A bundle whose signature, size and hashes are right. Made by :func:`open_archive`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(entries) > MAX_FILES + 1 or len(set(names)) != len(names) or MANIFEST not in names:
            raise BundleError(f"The bundle holds too many files, one twice, or no {MANIFEST}.", remedy=_REBUILD)
        for entry in entries:
            mode = entry.external_attr >> 16
            is_file = not entry.is_dir() and (not mode or stat.S_ISREG(mode))
            is_plain = entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
            if not is_file or not is_plain or entry.flag_bits & 1 or entry.orig_filename != entry.filename:
                raise BundleError(f"{entry.filename[:100]!r} in the bundle is no plain file.", remedy=_REBUILD)
        if archive.getinfo(MANIFEST).file_size > MAX_MANIFEST_BYTES:
            raise BundleError(f"The bundle's {MANIFEST} is too long.", remedy=_REBUILD)
        self.manifest: BundleManifest = read_manifest(archive.read(MANIFEST))
        if {*self.manifest.files, MANIFEST} != set(names):
            apart = sorted({*self.manifest.files, MANIFEST} ^ set(names))
            raise BundleError(f"The bundle's files are not those it names: {apart[0][:100]!r}.", remedy=_REBUILD)
        for name, expected in self.manifest.files.items():
            with archive.open(name) as file:
                is_same = _copy(file, expected.size + 1, None).hex() == expected.sha256
            if not is_same or archive.getinfo(name).file_size != expected.size:
                raise BundleError(f"{name!r} in the bundle is not the file it names.", remedy=_REBUILD)

    def read(self, name: str) -> bytes:
        """A file's content. Raises :class:`BundleError` where the bundle has no such file."""
        if name != MANIFEST and name not in self.manifest.files:
            raise BundleError(f"The bundle has no {name}.", remedy=_REBUILD)
        return self._archive.read(name)

    def unpack(self, folder: Path) -> None:
        """Write every file into the empty ``folder``, and wait until it is on the disk. Raises :class:`OSError`."""
        require_disk(folder, sum(entry.size for entry in self.manifest.files.values()))
        for name in (MANIFEST, *self.manifest.files):
            target = folder.joinpath(*name.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._archive.read(name))
            sync(target)


@contextmanager
def open_archive(path: Path, trusted: list[Ed25519PublicKey]) -> Iterator[Archive]:
    """Open a bundle, everything about it checked; from a private copy, so that it is what was checked to the end.

    Raises :class:`BundleError` for a file that is no bundle, truncated, altered, signed by none of the ``trusted``
    keys, or that holds what a bundle must not.
    """
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.TemporaryFile())
            with path.open("rb") as source:
                _copy_checked(source, copy, trusted, path)
            archive = Archive(stack.enter_context(zipfile.ZipFile(copy)))
        except OSError as error:
            raise BundleError(f"'{path}' cannot be read: {error}.", remedy="Check the file and the disk.") from error
        except (zipfile.BadZipFile, struct.error, ValueError, EOFError, RuntimeError) as error:
            raise BundleError(f"'{path}' is damaged inside: {error}.", remedy=_REBUILD) from None
        yield archive


def _copy_checked(source: IO[bytes], copy: IO[bytes], trusted: list[Ed25519PublicKey], path: Path) -> None:
    header = source.read(_HEADER_BYTES)
    if header[: len(MAGIC)] != MAGIC[: len(header)] or not header:
        raise BundleError(f"'{path}' is no bundle of a kind that this shopbot knows.", remedy="Give a bundle's file.")
    if len(header) < _HEADER_BYTES:
        raise BundleError(f"'{path}' is truncated: its header is not whole.", remedy=_FETCH)
    statement, signature = header[: _STATEMENT.size], header[_STATEMENT.size :]
    if not keys.is_signed(statement, signature, trusted):
        raise BundleError(
            f"'{path}' is not signed by a key that this box trusts.",
            remedy="Do not use it, unless you know who made it: then 'shopbot bundle trust KEY.pub'.",
        )
    _, size, sha256 = _STATEMENT.unpack(statement)
    if size > MAX_BUNDLE_BYTES:
        raise BundleError(f"'{path}' is larger than {MAX_BUNDLE_BYTES >> 20} MiB.", remedy=_REBUILD)
    copy.write(header)
    actual = _copy(source, size, copy)
    if copy.tell() < _HEADER_BYTES + size:
        missing = _HEADER_BYTES + size - copy.tell()
        raise BundleError(f"'{path}' is truncated: {missing} bytes are missing.", remedy=_FETCH)
    if actual != sha256 or source.read(1):
        raise BundleError(f"'{path}' was altered after it was signed.", remedy=_FETCH)
    copy.flush()


def _copy(source: IO[bytes], size: int, target: IO[bytes] | None) -> bytes:
    """The SHA-256 of the next ``size`` bytes, which are copied to ``target`` if there is one."""
    digest = hashlib.sha256()
    while size and (chunk := source.read(min(size, _CHUNK_BYTES))):
        digest.update(chunk)
        size -= len(chunk)
        if target is not None:
            target.write(chunk)
    return digest.digest()
