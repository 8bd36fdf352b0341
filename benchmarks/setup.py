"""What every benchmark needs: the model with a LoRA adapter, the first-party tools, stores filled with the retail data."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.shared_data import FOLDER
from shopbot.backends import BackendSettings, ModelBackend
from shopbot.checkpoint import Checkpoint, Manifest
from shopbot.config import Config
from shopbot.plugins import PluginManager
from shopbot.store import Store

FIRST_PARTY = ("faq", "orders", "returns")
#: What turns are timed on: one of each kind.
MESSAGES = (
    "where is my order with the keyboard?",
    "what did I pay for #W4382745",
    "how long do I have to return something?",
    "do you have the desk lamp in white and what does it cost",
    "please send back the hiking boots, they are too small, refund to my visa",
    "hi there, how are you?",
    "cancel my last order, I ordered it by mistake",
    "can you deliver to Vienna and how much is it?",
    "I'd like to swap the throw pillow for a teal one",
    "which orders do I have",
)


def open_model(lora: Path | None = None, *, slots: int = 1) -> tuple[ModelBackend, Manifest | None]:
    """The shipped or promoted checkpoint; with ``lora`` that adapter on the default base instead."""
    from shopbot.backends.gguf import GgufBackend
    from shopbot.minds import open_backend

    if lora is None:
        manifest, backend = open_backend(Config(), plugins())
        return backend, manifest
    base, _ = trained_files()
    return GgufBackend(BackendSettings(base, lora, threads=2, slots=slots, context=2048)), _trained().manifest


def trained_files() -> tuple[Path, Path | None]:
    """The base and the LoRA adapter of the checkpoint in force, or of the one that it was baked or compiled from."""
    from shopbot.models import locate_model

    trained = _trained()
    return locate_model(trained.manifest.base.source, sha256=trained.manifest.base.sha256), trained.lora_path


def _trained() -> Checkpoint:
    from shopbot.checkpoint import CheckpointStore
    from shopbot.config import home

    checkpoints = CheckpointStore(home())
    return checkpoints.load(checkpoints.trained_name())


def bare_request(prompt: str, tokens: int) -> dict[str, Any]:
    """So many tokens of the bare engine: no grammar, no log-probabilities."""
    return {"prompt": prompt, "n_predict": tokens, "temperature": 0.0, "cache_prompt": True, "ignore_eos": True}


def plugins(config: Config | None = None) -> PluginManager:
    return PluginManager.installed(config.plugins if config else {}, is_strict=True, only=FIRST_PARTY)


@contextmanager
def retail_stores() -> Iterator[tuple[dict[str, Any], Callable[[], Store]]]:
    """(the retail document, a maker of fresh stores filled with it)."""
    from shopbot.stores.retail_json import import_retail
    from shopbot.stores.sql import open_store

    document = json.loads((FOLDER / "retail_store" / "db.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        template = Path(folder) / "template.db"
        store = open_store(f"sqlite:///{template}")
        import_retail(store, document)
        store.close()
        made = 0

        def make() -> Store:
            nonlocal made
            made += 1
            path = Path(folder) / f"{made}.db"
            shutil.copyfile(template, path)
            return open_store(f"sqlite:///{path}")

        yield document, make
