"""Checkpoints: load, promote, roll back, and manifests that mean harm."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot.checkpoint import MANIFEST, CheckpointStore, read_manifest
from shopbot.cli import main
from shopbot.config import Config
from shopbot.errors import GateError, ModelCorruptError, ModelError, ModelNotFoundError
from shopbot.minds import open_backend
from shopbot.plugins import PluginManager

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, tiny_lora: Path) -> Make:
    """Writes a checkpoint's folder; keywords replace parts of its manifest."""

    def write(folder_name: str, /, *, into: Path | None = None, **changes: Any) -> Path:
        folder = (into or tmp_path / "made") / folder_name
        folder.mkdir(parents=True)
        content = tiny_lora.read_bytes()
        (folder / "lora.gguf").write_bytes(content)
        manifest = {
            "name": folder_name,
            "base": {"source": "pypi:thing==1/thing/base.gguf", "sha256": "0" * 64},
            "lora": {"file": "lora.gguf", "sha256": hashlib.sha256(content).hexdigest()},
            "prompt_format": 1,
            "tools": ["cancel_order"],
            "threshold": 0.5,
            "calibration": {"slope": 1.5, "offset": -0.25},
            "created": "2026-11-24T02:00:00+00:00",
            "gate": {"passed": True, "report": "all is well"},
        }
        (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def store(tmp_path: Path, make: Make) -> CheckpointStore:
    """A store with one shipped checkpoint."""
    make("shipped-1", into=tmp_path / "shipped")
    return CheckpointStore(tmp_path / "home", shipped=tmp_path / "shipped")


def test_shipped_until_promoted(store: CheckpointStore, make: Make) -> None:
    current = store.current()
    assert current.is_shipped
    assert current.lora_path is not None
    assert current.lora_path.is_file()
    assert current.manifest.calibration == {"slope": 1.5, "offset": -0.25}
    stamp = store.current_stamp()
    store.add(make("mine", parent="shipped-1", created="2026-11-25T00:00:00Z"))
    assert store.current_stamp() == stamp, "adding puts nothing in force"
    store.promote("mine")
    assert store.current().manifest.name == "mine"
    assert store.current_stamp() != stamp
    assert [manifest.name for manifest in store.list()] == ["shipped-1", "mine"]
    assert store.rollback().manifest.name == "shipped-1"
    assert store.current().is_shipped
    with pytest.raises(ModelError, match="no parent"):
        store.rollback()


def test_every_switch_changes_the_stamp(store: CheckpointStore, make: Make) -> None:
    store.add(make("a"))
    stamps = {store.current_stamp()}
    for name in ("a", "shipped-1", "a"):
        store.promote(name)
        stamps.add(store.current_stamp())
    assert len(stamps) == 4


def test_gate(store: CheckpointStore, make: Make) -> None:
    store.add(make("worse", gate={"passed": False, "report": "two cases more fail"}))
    with pytest.raises(GateError, match="two cases more fail"):
        store.promote("worse")
    assert store.current().is_shipped
    store.promote("worse", force=True)
    assert store.current().manifest.name == "worse"


def test_nothing_shipped(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "home", shipped=tmp_path / "none")
    assert store.list() == ()
    with pytest.raises(ModelNotFoundError, match="ships none"):
        store.current()


def test_unknown_name_lists_the_known(store: CheckpointStore) -> None:
    with pytest.raises(ModelNotFoundError, match="shipped-1"):
        store.load("absent")
    with pytest.raises(ModelNotFoundError):
        store.load("../shipped/shipped-1")


def test_altered_adapter(store: CheckpointStore, make: Make, tmp_path: Path) -> None:
    folder = store.add(make("mine")).folder
    (folder / "lora.gguf").write_bytes(b"other")
    with pytest.raises(ModelCorruptError, match="not the file of its manifest"):
        store.load("mine")
    (folder / "lora.gguf").unlink()
    with pytest.raises(ModelCorruptError, match="missing"):
        store.load("mine")


def test_a_base_of_its_own_travels_with_a_checkpoint(store: CheckpointStore, make: Make, tiny_model: Path) -> None:
    folder, content = make("own", lora=None), tiny_model.read_bytes()
    (folder / "base.gguf").write_bytes(content)
    made = json.loads((folder / MANIFEST).read_text())
    made["base"] |= {"sha256": hashlib.sha256(content).hexdigest(), "file": "base.gguf"}
    (folder / MANIFEST).write_text(json.dumps(made))
    added = store.add(folder)
    assert added.base_source() == str(added.folder / "base.gguf")
    assert added.base_source("elsewhere.gguf") == added.base_source(), "the operator's base is not this one's"
    (added.folder / "base.gguf").write_bytes(content[:-1] + b"?")
    with pytest.raises(ModelCorruptError, match=r"base\.gguf is not the file of its manifest"):
        store.load("own")
    (added.folder / "base.gguf").unlink()
    with pytest.raises(ModelCorruptError, match=r"base\.gguf is missing"):
        store.load("own")
    shipped = store.load("shipped-1")
    assert shipped.base_source() == "pypi:thing==1/thing/base.gguf"
    assert shipped.base_source("elsewhere.gguf") == "elsewhere.gguf"


def test_a_checkpoint_with_its_own_base_opens(shopbot_home: Path, make: Make, tiny_model: Path) -> None:
    content = tiny_model.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    folder = make("own", lora=None, base={"source": "gone.gguf", "sha256": sha256, "file": "base.gguf"})
    (folder / "base.gguf").write_bytes(content)
    CheckpointStore(shopbot_home).add(folder)
    manifest, backend = open_backend(Config(model={"checkpoint": "own"}), PluginManager())
    try:
        assert manifest is not None and manifest.base.file == "base.gguf"
        assert backend.complete("hello", max_tokens=4).tokens
    finally:
        backend.close()


def test_add_is_all_or_nothing(store: CheckpointStore, make: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelCorruptError):
        store.add(make("bad", lora={"file": "lora.gguf", "sha256": "0" * 64}))
    store.add(make("good"))
    with pytest.raises(ModelError, match="already"):
        store.add(tmp_path / "made" / "good")
    kept = {path.name for path in (tmp_path / "home" / "checkpoints").iterdir()} - {".lock", ".drafts.lock"}
    assert kept == {"good"}


def test_promotions_from_many_threads(store: CheckpointStore, make: Make) -> None:
    names = ["shipped-1", *(store.add(make(f"c{number}")).manifest.name for number in range(3))]
    seen: list[str] = []
    switchers = [threading.Thread(target=lambda: [store.promote(name) for name in names * 5]) for _ in range(2)]
    readers = [threading.Thread(target=lambda: [seen.append(store.current_name()) for _ in range(200)])]
    for thread in (*switchers, *readers):
        thread.start()
    for thread in (*switchers, *readers):
        thread.join()
    assert set(seen) <= set(names), "a reader saw half a switch"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../evil"},
        {"name": "other"},
        {"lora": {"file": "../lora.gguf", "sha256": "0" * 64}},
        {"lora": {"file": "/etc/passwd", "sha256": "0" * 64}},
        {"lora": {"file": "lora.gguf\n", "sha256": "0" * 64}},
        {"lora": {"file": "lora.gguf", "sha256": "short"}},
        {"base": {"source": "x.gguf", "sha256": "0" * 64, "file": "../x.gguf"}},
        {"base": {"source": "x.gguf", "sha256": "0" * 64, "file": "/etc/passwd"}},
        {"parent": "../evil"},
        {"format": "pickle"},
        {"prompt_format": "one"},
        {"prompt_format": 0},
        {"threshold": 2},
        {"calibration": {"slope": float("nan")}},
        {"calibration": {"other": 1}},
        {"tools": "all"},
        {"created": "yesterday"},
        {"surprise": True},
        {"settings": {"padding": "x" * (1 << 20)}},
    ],
)
def test_hostile_manifest(changes: dict[str, Any], store: CheckpointStore, make: Make, tmp_path: Path) -> None:
    make("mine", into=tmp_path / "home" / "checkpoints", **changes)
    with pytest.raises(ModelCorruptError, match=r"mine.manifest\.json"):
        store.load("mine")
    assert store.current().is_shipped


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"name": 1}'])
def test_manifest_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ModelCorruptError):
        read_manifest(tmp_path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40))
def test_damaged_pointer(content: bytes, store: CheckpointStore, tmp_path: Path) -> None:
    pointer = tmp_path / "home" / "checkpoints" / "current"
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_bytes(content)
    with pytest.raises(ModelError):
        store.current()
    store.promote("shipped-1")
    assert store.current().manifest.name == "shipped-1"


def test_commands(shopbot_home: Path, make: Make) -> None:
    store = CheckpointStore(shopbot_home)
    store.add(make("one"))
    run = CliRunner()
    two = make("two", parent="one", gate={"passed": False, "report": "worse"})
    added = run.invoke(main, ["checkpoint", "add", str(two), "--json"])
    assert json.loads(added.stdout)["name"] == "two"
    again = run.invoke(main, ["checkpoint", "add", str(two)])
    assert again.exit_code == 1 and "another name" in again.stderr
    promoted = run.invoke(main, ["checkpoint", "promote", "one", "--json"])
    assert json.loads(promoted.stdout) == {"current": "one"}
    refused = run.invoke(main, ["checkpoint", "promote", "two"])
    assert refused.exit_code == 3
    assert refused.stdout == ""
    assert "worse" in refused.stderr
    assert run.invoke(main, ["checkpoint", "promote", "two", "--force"]).exit_code == 0
    rows = json.loads(run.invoke(main, ["checkpoint", "list", "--json"]).stdout)
    assert {row["name"]: row["is_current"] for row in rows if row["name"] in ("one", "two")} == {
        "one": False,
        "two": True,
    }
    assert json.loads(run.invoke(main, ["checkpoint", "rollback", "--json"]).stdout) == {"current": "one"}
    shown = json.loads(run.invoke(main, ["checkpoint", "show", "--json"]).stdout)
    assert (shown["name"], shown["is_current"], shown["threshold"]) == ("one", True, 0.5)
    assert "* one" in run.invoke(main, ["checkpoint", "list"]).stdout
    assert run.invoke(main, ["checkpoint", "show", "absent"]).exit_code == 1


def compiled(make: Make, name: str, **changes: Any) -> Path:
    """A checkpoint of the format 'mlc' with one file of weights."""
    content = b"weights"
    sha256 = hashlib.sha256(content).hexdigest()
    files = {"params_shard_0.bin": sha256}
    folder = make(
        name,
        **{
            "format": "mlc",
            "lora": None,
            "base": {"source": "gone.gguf", "sha256": sha256, "file": "params_shard_0.bin"},
            "compiled": {"base": "0" * 64, "lora": "1" * 64, "quantization": "q8", "files": files},
            **changes,
        },
    )
    (folder / "params_shard_0.bin").write_bytes(content)
    return folder


def test_a_compiled_checkpoint_is_its_parent_in_another_form(store: CheckpointStore, make: Make) -> None:
    store.add(make("mine", parent="shipped-1"))
    store.add(compiled(make, "mine-mlc-q8", parent="mine"))
    store.promote("mine-mlc-q8")
    assert store.trained_name() == store.trained_name("mine-mlc-q8") == store.trained_name("mine") == "mine"
    assert store.rollback().manifest.name == "mine", "the way back from another engine is the engine before"
    assert store.rollback().manifest.name == "shipped-1"


def test_every_file_of_a_compiled_checkpoint_is_checked(store: CheckpointStore, make: Make) -> None:
    folder = store.add(compiled(make, "mine")).folder
    (folder / "params_shard_0.bin").write_bytes(b"others")
    with pytest.raises(ModelCorruptError, match=r"params_shard_0\.bin is not the file of its manifest"):
        store.load("mine")
    (folder / "params_shard_0.bin").unlink()
    with pytest.raises(ModelCorruptError, match=r"params_shard_0\.bin is missing"):
        store.load("mine")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "gguf"},
        {"compiled": None},
        {"compiled": {"quantization": "q8", "files": {}}},
        {"compiled": {"quantization": "q8", "files": {"../lora.gguf": "0" * 64}}},
        {"compiled": {"quantization": "q8", "files": {"a": "short"}}},
    ],
)
def test_a_compiled_checkpoint_that_contradicts_itself(changes: dict[str, Any], make: Make) -> None:
    with pytest.raises(ModelCorruptError, match=r"compiled|files"):
        read_manifest(compiled(make, "mine", **changes))
