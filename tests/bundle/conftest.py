"""A machine that makes bundles and a box that takes them, with a plugin that answers from a text of the shop's."""

from __future__ import annotations

import hashlib
import json
import shutil
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from shopbot.bundle import building, installing
from shopbot.bundle.archive import open_archive, write_archive
from shopbot.bundle.contents import MANIFEST
from shopbot.bundle.keys import load_private_key, make_keys, read_keys, trust
from shopbot.checkpoint import CheckpointStore, write_manifest
from shopbot.config import find_file, load, written
from shopbot.files import sha256_of
from shopbot.installed import Installed, installed
from shopbot.manifest import Base, Gate, Lora, Manifest
from shopbot.plugins import PluginManager

PUPPET = """
from pathlib import Path
from shopbot import Answer, hookimpl, tool
from shopbot.backends.scripted import ScriptedBackend

@hookimpl
def shopbot_register_tools(config):
    folder = config.get("folder")
    text = Path(folder, "hours.md").read_text() if folder else "Nobody told me."

    @tool(effect="read", examples=["when do you open?", "are you open on sunday"])
    def puppet_hours(ctx):
        "When the shop is open."
        return Answer(text)

    return [puppet_hours]

@hookimpl
def shopbot_register_backends():
    return {"puppet": lambda settings: ScriptedBackend({"when do you open?": "puppet_hours()", "": "out_of_scope()"})}
"""
CASES = """
[[case]]
name = "hours"
[[case.turn]]
say = "when do you open?"
says = ["From 9 to 18"]
"""
SETTINGS = """
[shop]
name = "Acme"
[store]
url = "postgresql://shop:hunter2@db/shop"
[identity]
token_secret = "xyzzy-secret"
[model]
slots = 3
threads = 2
[plugins.puppet]
folder = "{folder}"
api_key = "sk-12345"
key_env = "ACME_KEY"
"""


@dataclass(frozen=True)
class Fleet:
    """``maker``: the home where bundles are made; ``home``: the box's; ``key``: what the fleet signs with."""

    folder: Path
    model: Path
    lora: Path
    use: Callable[[Path], None]
    packed: dict[str, tuple[dict[str, Any], dict[str, bytes]]]

    @property
    def maker(self) -> Path:
        return self.folder / "maker"

    @property
    def home(self) -> Path:
        return self.folder / "box"

    @property
    def key(self) -> Path:
        return self.folder / "acme"

    def build(self, version: str, *, name: str = "acme", hours: str = "From 9 to 18.", **wanted: Any) -> Path:
        """A bundle whose shop has these opening hours."""
        self.use(self.maker)
        (self.folder / "texts" / "hours.md").write_text(hours)
        target = self.folder / "out" / f"{name}-{version}.bundle"
        file = find_file(self.folder / "config" / "shopbot.toml")
        config = load(file)
        wanted.setdefault("golden", [self.folder / "cases.toml"])
        building.build(
            target,
            name=name,
            version=version,
            key=load_private_key(self.key),
            config=config,
            settings=written(file, None),
            plugins=PluginManager.installed(config.plugins),
            **wanted,
        )
        self.use(self.home)
        return target

    def add_checkpoint(self, home: Path, name: str) -> None:
        """Put a checkpoint with a LoRA adapter on a machine, in force."""
        folder = self.folder / f"made-{name}"
        folder.mkdir()
        shutil.copy(self.lora, folder / "lora.gguf")
        manifest = Manifest(
            name=name,
            base=Base(source=str(self.model), sha256=sha256_of(self.model)),
            lora=Lora(file="lora.gguf", sha256=sha256_of(self.lora)),
            prompt_format=1,
            tools=("puppet_hours",),
            parent="grandmother",
            created=datetime(2026, 11, 24, tzinfo=timezone.utc),
            gate=Gate(passed=True),
        )
        write_manifest(folder, manifest)
        store = CheckpointStore(home)
        store.add(folder)
        store.promote(name)

    def install(self, bundle: Path, **wanted: Any) -> installing.Done:
        self.use(self.home)
        return installing.install(bundle, **wanted)

    @property
    def current(self) -> Installed | None:
        return installed(self.home)

    def hours(self) -> str:
        """What the box's bot says of its opening hours now, opened anew."""
        from shopbot.bot import Bot
        from shopbot.first_start import ensure_store

        self.use(self.home)
        config = load()
        ensure_store(config, say=lambda text: None)
        with Bot.open(config) as bot:
            return bot.session().ask("when do you open?").text

    def bundle(self, version: str, *, name: str = "acme", hours: str = "From 9 to 18.") -> Path:
        """As :meth:`build` would make it, but from the files of one that was built before: that takes no time."""
        cases = (self.folder / "cases.toml").read_text()
        if cases not in self.packed:
            self.packed[cases] = self._unpack(self.build("1"))
        described, files = self.packed[cases]
        checkpoint = {**json.loads(files["checkpoint/manifest.json"]), "name": f"{name}-{version}"}
        changed = {"checkpoint/manifest.json": json.dumps(checkpoint), "plugins/puppet/hours.md": hours}
        files = {**files, **{path: text.encode() for path, text in changed.items()}}
        return self._pack(f"{name}-{version}", {**described, "name": name, "version": version}, files)

    def repack(self, bundle: Path, changes: Mapping[str, bytes], **fields: Any) -> Path:
        """The bundle with other files and other fields of ``bundle.json``, signed like a right one."""
        described, files = self._unpack(bundle)
        return self._pack(f"again-{bundle.stem}", {**described, **fields}, {**files, **changes})

    def _unpack(self, bundle: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
        with open_archive(bundle, read_keys(self.key.with_suffix(".pub"))) as archive:
            files = {name: archive.read(name) for name in archive.manifest.files}
            return archive.manifest.model_dump(mode="json"), files

    def _pack(self, name: str, described: Mapping[str, Any], files: Mapping[str, bytes]) -> Path:
        entries = {
            path: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in files.items()
        }
        target = self.folder / "out" / f"{name}.bundle"
        manifest = json.dumps({**described, "files": entries}).encode()
        write_archive(target, {MANIFEST: manifest, **files}, load_private_key(self.key))
        return target


@pytest.fixture(scope="session")
def packed() -> dict[str, tuple[dict[str, Any], dict[str, bytes]]]:
    """The cases of a golden set → the bundle that was built with them: its ``bundle.json`` and its files."""
    return {}


@pytest.fixture
def fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tiny_lora: Path, packed: dict[str, Any]
) -> Fleet:
    for name in ("SHOPBOT_CONFIG", "SHOPBOT_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)  # no shopbot.toml of whoever runs the tests
    monkeypatch.setenv("SHOPBOT_MODEL__BACKEND", "puppet")
    monkeypatch.setenv("SHOPBOT_TRANSCRIPTS__ENABLED", "false")
    install_puppet(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    fleet = Fleet(tmp_path, tiny_model, tiny_lora, lambda home: monkeypatch.setenv("SHOPBOT_HOME", str(home)), packed)
    (tmp_path / "texts").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shopbot.toml").write_text(SETTINGS.format(folder=tmp_path / "texts"))
    (tmp_path / "cases.toml").write_text(CASES)
    make_keys(fleet.key)
    fleet.use(fleet.maker)
    fleet.add_checkpoint(fleet.maker, "mine")
    fleet.use(fleet.home)
    trust(fleet.home, tmp_path / "acme.pub")
    return fleet


def install_puppet(site: Path, version: str = "1.0") -> None:
    """The plugin as an installed distribution looks."""
    metadata = site / f"puppet_plugin-{version}.dist-info"
    metadata.mkdir(parents=True)
    (site / "puppet_plugin.py").write_text(textwrap.dedent(PUPPET))
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: puppet-plugin\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text("[shopbot]\npuppet = puppet_plugin\n")
