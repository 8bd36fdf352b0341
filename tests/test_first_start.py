"""A first start fetches the base model; a second one needs no network."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shopbot.checkpoint import CheckpointStore
from shopbot.config import Config, check
from shopbot.errors import ModelError, StoreError
from shopbot.first_start import ensure_model, ensure_store, prepare


@contextmanager
def no_bar(title: str) -> Iterator[Any]:
    yield lambda done, total: None


@contextmanager
def forbidden_bar(title: str) -> Iterator[Any]:
    raise AssertionError("nothing is to be fetched")
    yield


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def shared(folder: Path) -> Iterator[str]:
    """The folder on a web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def promote(home: Path, folder: Path, source: str, sha256: str) -> None:
    """Put a checkpoint on that base in force."""
    folder.mkdir()
    manifest = {
        "name": "first",
        "base": {"source": source, "sha256": sha256},
        "prompt_format": 1,
        "created": "2026-11-24T00:00:00Z",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    checkpoints = CheckpointStore(home)
    checkpoints.add(folder)
    checkpoints.promote("first", force=True)


def test_the_model_is_fetched_once(shopbot_home: Path, tiny_model: Path, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    said: list[str] = []
    with shared(tiny_model.parent) as address:
        promote(shopbot_home, tmp_path / "first", f"{address}/{tiny_model.name}", sha256)
        ensure_model(Config(), say=said.append, progress_bar=no_bar)
    assert len(said) == 1, said
    assert (shopbot_home / "models" / tiny_model.name).read_bytes() == tiny_model.read_bytes()
    ensure_model(Config(), say=said.append, progress_bar=forbidden_bar)
    assert len(said) == 1, "the second time there is nothing to say and no server to ask"


def test_prepare_brings_model_and_store_once(shopbot_home: Path, tiny_model: Path, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    said: list[str] = []
    with shared(tiny_model.parent) as address:
        promote(shopbot_home, tmp_path / "first", f"{address}/{tiny_model.name}", sha256)
        prepare(say=said.append)
    assert (shopbot_home / "models" / tiny_model.name).is_file()
    assert (shopbot_home / "store.db").is_file()
    prepare(say=said.append)
    assert len(said) == 2, said


def test_a_model_of_another_hash_is_not_taken(shopbot_home: Path, tiny_model: Path, tmp_path: Path) -> None:
    with shared(tiny_model.parent) as address:
        promote(shopbot_home, tmp_path / "first", f"{address}/{tiny_model.name}", "0" * 64)
        with pytest.raises(ModelError, match="SHA-256"):
            ensure_model(Config(), say=lambda text: None, progress_bar=no_bar)
    assert not (shopbot_home / "models" / tiny_model.name).exists()


def test_a_backend_of_a_plugin_needs_no_model(shopbot_home: Path) -> None:
    config = check({"model": {"backend": "puppet"}})
    ensure_model(config, say=lambda text: None, progress_bar=forbidden_bar)


def test_a_configured_store_is_left_alone(shopbot_home: Path) -> None:
    ensure_store(check({"store": {"url": "sqlite:///elsewhere.db"}}), say=lambda text: None)
    assert not shopbot_home.exists()


def test_a_demo_store_is_complete_or_not_there(shopbot_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the power cut in the middle is the one thing that cannot be had for real
    monkeypatch.setattr("shopbot.stores.demo.fill_demo", _power_cut)
    with pytest.raises(KeyboardInterrupt):
        ensure_store(Config(), say=lambda text: None)
    assert list(shopbot_home.iterdir()) == []


def _power_cut(store: Any) -> None:
    raise KeyboardInterrupt


def test_a_home_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("SHOPBOT_HOME", str(file))
    with pytest.raises(StoreError, match="SHOPBOT_HOME"):
        ensure_store(Config(), say=lambda text: None)
