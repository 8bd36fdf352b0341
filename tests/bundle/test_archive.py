"""The bundle's file: nothing of it counts before its signature and hashes are right; then it still may mean harm."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot.bundle.archive import MAGIC, open_archive, write_archive
from shopbot.bundle.contents import FileEntry, require_paths
from shopbot.bundle.keys import load_private_key, make_keys, read_keys, sign
from shopbot.errors import BundleError

HEADER = struct.calcsize("<16sQ32s64s")
FILES = {"settings.json": b"{}\n", "plugins/faq/returns.md": b"# Returns\nThirty days.\n"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "acme"
    make_keys(path)
    return path


def described(files: dict[str, bytes], **changes: Any) -> bytes:
    entries = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    base = {"source": "base.gguf", "sha256": "0" * 64, "file": None}
    manifest = {"format": 1, "name": "acme", "version": "1", "shopbot": "0.1.0", "prompt_format": 1, "base": base}
    return json.dumps({**manifest, "plugins": [], "cases": 1, "files": entries, **changes}).encode()


@pytest.fixture
def bundle(tmp_path: Path, key: Path) -> Path:
    path = tmp_path / "acme-1.bundle"
    write_archive(path, {"bundle.json": described(FILES), **FILES}, load_private_key(key))
    return path


def opened(path: Path, key: Path) -> dict[str, bytes]:
    with open_archive(path, read_keys(key.with_suffix(".pub"))) as archive:
        return {name: archive.read(name) for name in archive.manifest.files}


def test_what_was_packed_comes_out(bundle: Path, key: Path, tmp_path: Path) -> None:
    assert opened(bundle, key) == FILES
    with open_archive(bundle, read_keys(key.with_suffix(".pub"))) as archive:
        bundle.write_bytes(b"replaced while it is open")
        (tmp_path / "out").mkdir()
        archive.unpack(tmp_path / "out")
        with pytest.raises(BundleError, match=r"has no \.\./secret"):
            archive.read("../secret")
    assert (tmp_path / "out" / "plugins" / "faq" / "returns.md").read_bytes() == FILES["plugins/faq/returns.md"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bundle.json", "settings.json", "plugins"}


def test_every_truncation_is_told(bundle: Path, key: Path) -> None:
    whole = bundle.read_bytes()
    for length in range(len(whole)):
        bundle.write_bytes(whole[:length])
        with pytest.raises(BundleError, match="truncated" if length else "no bundle"):
            opened(bundle, key)
    bundle.write_bytes(whole + b"\0")
    with pytest.raises(BundleError, match="altered"):
        opened(bundle, key)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_altered_byte_goes_through(data: st.DataObject, bundle: Path, key: Path) -> None:
    whole = _WHOLE.setdefault(key, bundle.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    altered = bytearray(whole)
    altered[place] ^= data.draw(st.integers(1, 255))
    bundle.write_bytes(altered)
    with pytest.raises(BundleError):
        opened(bundle, key)


_WHOLE: dict[Path, bytes] = {}


def test_another_key(bundle: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "stranger")
    with pytest.raises(BundleError, match="not signed by a key that this box trusts"):
        opened(bundle, tmp_path / "stranger")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\0" * 500, b"shopbot bundle 2" + b"\0" * 500])
def test_what_is_no_bundle(tmp_path: Path, key: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BundleError, match="is no bundle"):
        opened(tmp_path / "x", key)


def test_a_signed_size_is_no_reason_to_read_for_ever(tmp_path: Path, key: Path) -> None:
    statement = struct.pack("<16sQ32s", MAGIC, 1 << 60, bytes(32))
    (tmp_path / "x").write_bytes(statement + sign(load_private_key(key), statement))
    with pytest.raises(BundleError, match="larger than 256 MiB"):
        opened(tmp_path / "x", key)


@dataclass(frozen=True)
class Entry:
    """An entry of a ZIP as an attacker writes it."""

    name: str
    content: bytes = b"x"
    mode: int = stat.S_IFREG
    packed: bool = False

    def add_to(self, archive: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo(self.name)
        entry.create_system, entry.external_attr = 3, (self.mode | 0o644) << 16
        archive.writestr(entry, self.content, zipfile.ZIP_DEFLATED if self.packed else zipfile.ZIP_STORED)


def manifest(**changes: Any) -> Entry:
    return Entry("bundle.json", described({}, **changes))


def named(*names: str, content: bytes = b"x") -> Entry:
    """The manifest that names these files."""
    return Entry("bundle.json", described(dict.fromkeys(names, content)))


def honest(*names: str) -> list[Entry]:
    """These files, all named."""
    return [named(*names), *(Entry(name) for name in names)]


HOSTILE: dict[str, list[Entry]] = {
    "up": honest("../evil"),
    "absolute": honest("/etc/evil"),
    "backslash": honest("..\\evil"),
    "drive": honest("C:evil"),
    "hidden": honest("a/.git/x"),
    "two cases": honest("a", "A"),
    "file and folder": honest("a", "a/b"),
    "link": [named("a"), Entry("a", mode=stat.S_IFLNK)],
    "device": [named("a"), Entry("a", mode=stat.S_IFCHR)],
    "folder": [named("a/", content=b""), Entry("a/", b"", mode=stat.S_IFDIR)],
    "bomb": [named("a", content=bytes(1 << 22)), Entry("a", bytes(1 << 22), packed=True)],
    "not named": [named("a"), Entry("a"), Entry("b")],
    "missing": [named("a", "b"), Entry("a")],
    "other content": [named("a"), Entry("a", b"y")],
    "other size": [named("a"), Entry("a", b"xx")],
    "no manifest": [Entry("a")],
    "manifest of nonsense": [Entry("bundle.json", b"[" * 100_000)],
    "manifest too long": [Entry("bundle.json", b" " * (2 << 20))],
    "another format": [manifest(format=2)],
    "unknown field": [manifest(surprise=1)],
    "a name that leads away": [manifest(name="../x")],
    "a base that leads away": [manifest(base={"source": "x", "sha256": "0" * 64, "file": "../x"})],
}


def signed(path: Path, key: Path, payload: bytes) -> Path:
    statement = struct.pack("<16sQ32s", MAGIC, len(payload), hashlib.sha256(payload).digest())
    path.write_bytes(statement + sign(load_private_key(key), statement) + payload)
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_a_trusted_key_may_sign_what_means_harm(name: str, tmp_path: Path, key: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for entry in HOSTILE[name]:
            entry.add_to(archive)
    with pytest.raises(BundleError, match="built again"):
        opened(signed(tmp_path / "x", key, content.getvalue()), key)
    assert {path.name for path in tmp_path.iterdir()} == {"x"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path: Path, key: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for entry in (*honest("a"), Entry("a")):
            entry.add_to(archive)
    with pytest.raises(BundleError, match="one twice"):
        opened(signed(tmp_path / "x", key, content.getvalue()), key)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.binary(max_size=300))
def test_a_signed_payload_of_noise(payload: bytes, tmp_path: Path, key: Path) -> None:
    with pytest.raises(BundleError):
        opened(signed(tmp_path / "noise", key, payload), key)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_signed_zip_with_an_altered_byte(data: st.DataObject, bundle: Path, tmp_path: Path, key: Path) -> None:
    payload = bytearray(_WHOLE.setdefault(key, bundle.read_bytes())[HEADER:])
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    try:
        found = opened(signed(tmp_path / "altered", key, bytes(payload)), key)
    except BundleError:
        return
    assert found == FILES, "an altered byte that changes nothing (a date, for instance) is all that may go through"


BAD_PATHS = ["", ".", "..", "a//b", "a/", "/a", " a", "a ", "a.", "a/../b", "a\nb", "a:b", "a|b", "x" * 201, "\u202ea"]


@pytest.mark.parametrize("path", [*BAD_PATHS, "a/" * 9 + "a"])
def test_paths(path: str) -> None:
    with pytest.raises(BundleError):
        require_paths({path: FileEntry(size=1, sha256="0" * 64)})


def test_ordinary_paths() -> None:
    require_paths({path: FileEntry(size=1, sha256="0" * 64) for path in ("a", "a b/wo & wann.md", "Über/Größe (1).md")})
