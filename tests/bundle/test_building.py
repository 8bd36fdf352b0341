"""What a bundle holds, and what it must not."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from shopbot.bundle.archive import open_archive
from shopbot.bundle.keys import read_keys
from shopbot.bundle.settings import portable
from shopbot.checkpoint import CheckpointStore
from shopbot.config_file import is_secret
from shopbot.errors import ConfigError, GateError

SECRETS = ("hunter2", "xyzzy-secret", "sk-12345", "postgresql")


def files_of(fleet: Any, bundle: Path) -> dict[str, bytes]:
    with open_archive(bundle, read_keys(fleet.key.with_suffix(".pub"))) as archive:
        return {name: archive.read(name) for name in ("bundle.json", *archive.manifest.files)}


def test_what_travels(fleet: Any, tiny_lora: Path) -> None:
    (fleet.folder / "texts" / "more").mkdir()
    (fleet.folder / "texts" / "more" / "wo & wann.md").write_text("# Wo\nHier.\n")
    (fleet.folder / "texts" / ".draft.md").write_text("not yet")
    (fleet.folder / "texts" / "photo.png").write_bytes(b"png")
    (fleet.folder / "texts" / "leak.md").symlink_to(fleet.key)
    files = files_of(fleet, fleet.build("1.2"))
    assert set(files) == {
        "bundle.json",
        "checkpoint/lora.gguf",
        "checkpoint/manifest.json",
        "golden.json",
        "plugins/puppet/hours.md",
        "plugins/puppet/more/wo & wann.md",
        "settings.json",
    }
    said = json.loads(files["bundle.json"])
    assert (said["name"], said["version"], said["cases"], said["base"]["file"]) == ("acme", "1.2", 1, None)
    assert {plugin["name"]: plugin["version"] for plugin in said["plugins"]}["puppet"] == "1.0"
    assert "refine" not in {plugin["name"] for plugin in said["plugins"]}, "a box needs the plugins with tools only"
    assert files["checkpoint/lora.gguf"] == tiny_lora.read_bytes()
    manifest = json.loads(files["checkpoint/manifest.json"])
    assert (manifest["name"], manifest["parent"], manifest["settings"]["checkpoint"]) == ("acme-1.2", None, "mine")


def test_secrets_and_what_is_of_one_box_stay(fleet: Any) -> None:
    bundle = fleet.build("1")
    assert json.loads(files_of(fleet, bundle)["settings.json"]) == {
        "shop": {"name": "Acme"},
        "model": {"slots": 3},
        "plugins": {"puppet": {"folder": "plugins/puppet", "key_env": "ACME_KEY"}},
    }
    raw = bundle.read_bytes()
    assert not [secret for secret in SECRETS if secret.encode() in raw]


def test_each_setting_that_stays_is_named() -> None:
    settings = {
        "store": {"url": "sqlite:///x"},
        "server": {"port": 1, "operator_keys": {"me": "sha256:0"}},
        "telemetry": {"otlp_endpoint": "http://10.0.0.1"},
        "tomorrow": 7,
        "model": {"source": "/x", "context": 512},
        "plugins": {"refine": {"base_url": "https://me:pw@host/v1", "budget_tokens": 5}, "x": {"deep": {"token": "a"}}},
    }
    kept, left_out = portable(settings)
    assert kept == {"model": {"context": 512}, "plugins": {"refine": {"budget_tokens": 5}}}
    assert [entry.partition(" ")[0] for entry in left_out] == [
        "store.url",
        "server.port",
        "server.operator_keys.me",
        "telemetry.otlp_endpoint",
        "tomorrow",
        "model.source",
        "plugins.refine.base_url",
        "plugins.x.deep.token",
    ]
    assert is_secret("api_key", "x") and is_secret("api_key_env", "sk-123") and not is_secret("api_key_env", "SHOP_KEY")


def test_the_same_input_gives_the_same_bytes(fleet: Any) -> None:
    first = fleet.build("1").read_bytes()
    assert fleet.build("1").read_bytes() == first
    assert fleet.build("1", hours="From 9 to 18, on Sundays too.").read_bytes() != first


def test_ordinary_tools_can_look_inside(fleet: Any) -> None:
    with zipfile.ZipFile(fleet.build("1")) as archive:
        assert archive.namelist()[0] == "bundle.json"
        assert archive.testzip() is None


def test_a_golden_case_that_fails_here_is_no_golden_case(fleet: Any) -> None:
    with pytest.raises(GateError, match=r"1 of 1 golden cases fail here, 'hours' first: turn 1: the reply lacks"):
        fleet.build("1", hours="Closed.")
    assert not (fleet.folder / "out" / "acme-1.bundle").exists()


def test_no_golden_case_at_all(fleet: Any) -> None:
    (fleet.folder / "cases.toml").write_text("case = []\n")
    with pytest.raises(ConfigError, match="no golden case"):
        fleet.build("1")


def test_a_checkpoint_without_its_gate_does_not_travel(fleet: Any) -> None:
    from shopbot.manifest import Gate, write_manifest

    fleet.use(fleet.maker)
    checkpoint = CheckpointStore(fleet.maker).load("mine")
    write_manifest(checkpoint.folder, checkpoint.manifest.model_copy(update={"gate": Gate()}))
    with pytest.raises(GateError, match="did not pass its gate"):
        fleet.build("1")


@pytest.mark.parametrize(("name", "version"), [("Acme", "1"), ("../x", "1"), ("acme", "one"), ("acme", "1.2.3.4.5")])
def test_names_and_versions_are_plain(fleet: Any, name: str, version: str) -> None:
    with pytest.raises(ConfigError, match=r"is no (bundle's name|version)"):
        fleet.build(version, name=name)
