"""Build a bundle from what is on this machine: the checkpoint, the shop's settings and texts, its golden cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopbot import __version__
from shopbot.bundle.archive import write_archive
from shopbot.bundle.contents import (
    CHECKPOINT,
    GOLDEN,
    MANIFEST,
    MAX_FILES,
    PLUGINS,
    BundleManifest,
    FileEntry,
    PluginVersion,
    require_name,
    require_paths,
)
from shopbot.bundle.golden import CaseProgress, GoldenCase, play, write_cases
from shopbot.bundle.settings import FOLDER_KEY, portable
from shopbot.checkpoint import Checkpoint, CheckpointStore
from shopbot.config import Config, home
from shopbot.errors import BundleError, ConfigError, GateError
from shopbot.evals import load_cases
from shopbot.installed import SETTINGS_FILE
from shopbot.manifest import MANIFEST as CHECKPOINT_MANIFEST
from shopbot.manifest import Manifest
from shopbot.plugins import PluginManager

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: The plugin that golden cases given as a file count for.
OWN_CASES = "bundle"
TEXT_SUFFIXES = (".md", ".txt")
_MAX_TEXT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Built:
    """``left_out``: settings that stay here, with the reason. ``failing``: golden cases of plugins that fail here
    already, so that they say nothing of a box."""

    manifest: BundleManifest
    left_out: tuple[str, ...]
    failing: tuple[str, ...]


def build(
    target: Path,
    *,
    name: str,
    version: str,
    key: Ed25519PrivateKey,
    config: Config,
    settings: Mapping[str, Any],
    plugins: PluginManager,
    checkpoint: str = "",
    golden: Sequence[Path] = (),
    progress: CaseProgress = lambda result: None,
) -> Built:
    """Write the bundle ``name`` ``version`` to ``target``, signed with ``key``. The same input gives the same bytes.

    ``settings``: what shopbot.toml says, before the environment; ``config``: all that is in force here. ``golden``:
    files of cases, all of which must pass here; without any, the plugins' cases that do. Raises :class:`GateError`
    where the checkpoint or a case of ``golden`` does not pass, :class:`BundleError` or :class:`ConfigError` for what
    cannot be packed.
    """
    require_name(name, version)
    store = CheckpointStore(home())
    # The LoRA adapter travels; each box bakes or compiles it for itself.
    chosen = store.load(store.trained_name(checkpoint))
    if chosen.manifest.compiled is not None:
        raise BundleError(
            f"Checkpoint '{chosen.manifest.name}' was compiled elsewhere.", remedy="Choose the one it was made from."
        )
    if not chosen.manifest.gate.passed:
        raise GateError(f"Checkpoint '{chosen.manifest.name}' did not pass its gate.", remedy="Choose another one.")
    kept, left_out = portable(settings)
    texts = _texts(kept)
    cases, failing = _golden(golden, config.with_checkpoint(chosen.manifest.name), plugins, progress)
    files = {
        **_checkpoint_files(chosen, f"{name}-{version}"),
        **texts,
        SETTINGS_FILE: _json(kept),
        GOLDEN: write_cases(cases),
    }
    statuses = [status for status in plugins.statuses() if status.tools and status.distribution]
    base = chosen.manifest.base
    manifest = BundleManifest.model_validate(
        {
            "name": name,
            "version": version,
            "shopbot": __version__,
            "prompt_format": chosen.manifest.prompt_format,
            "base": base.model_dump(),
            "plugins": [PluginVersion(name=s.name, distribution=s.distribution, version=s.version) for s in statuses],
            "cases": len(cases),
            "files": {path: _entry(files[path]) for path in sorted(files)},
        }
    )
    require_paths(manifest.files)
    try:
        write_archive(target, {MANIFEST: _json(manifest.model_dump(mode="json")), **files}, key)
    except OSError as error:
        raise BundleError(f"'{target}' cannot be written: {error}.", remedy="Check the folder and the disk.") from error
    return Built(manifest, tuple(left_out), tuple(failing))


def _checkpoint_files(checkpoint: Checkpoint, name: str) -> dict[str, bytes]:
    """The checkpoint's files under the bundle's own name: on a box its old one may be another's."""
    manifest: Manifest = checkpoint.manifest.model_copy(
        update={
            "name": name,
            "parent": None,
            "settings": {**checkpoint.manifest.settings, "checkpoint": checkpoint.manifest.name},
        }
    )
    names = [part.file for part in (manifest.lora, manifest.base) if part is not None and part.file]
    files = {f"{CHECKPOINT}/{file}": (checkpoint.folder / file).read_bytes() for file in names}
    return {**files, f"{CHECKPOINT}/{CHECKPOINT_MANIFEST}": _json(manifest.as_json())}


def _texts(settings: Mapping[str, Any]) -> dict[str, bytes]:
    """The texts in every plugin's folder; the setting is changed to where they are in the bundle."""
    files: dict[str, bytes] = {}
    plugins = settings.get(PLUGINS, {})
    for name, table in plugins.items() if isinstance(plugins, Mapping) else ():
        folder = table.get(FOLDER_KEY) if isinstance(table, dict) else None
        if isinstance(folder, str) and folder:
            files |= _texts_in(Path(folder).expanduser(), f"{PLUGINS}/{name}")
            table[FOLDER_KEY] = f"{PLUGINS}/{name}"
    return files


def _texts_in(folder: Path, where: str) -> dict[str, bytes]:
    root = folder.resolve()
    found: dict[str, bytes] = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        is_text = path.is_file() and path.suffix.lower() in TEXT_SUFFIXES
        if is_hidden or not is_text or not path.resolve().is_relative_to(root):
            continue
        if path.stat().st_size > _MAX_TEXT_BYTES or len(found) >= MAX_FILES:
            raise BundleError(f"'{path}' is too large, or one file too many.", remedy="Split it, or leave some out.")
        found[f"{where}/{inside.as_posix()}"] = path.read_bytes()
    if not found:
        raise ConfigError(f"The folder '{folder}' holds no text ({', '.join(TEXT_SUFFIXES)}).", remedy="Correct it.")
    return found


def _golden(
    paths: Sequence[Path], config: Config, plugins: PluginManager, progress: CaseProgress
) -> tuple[list[GoldenCase], list[str]]:
    """The golden set and the cases that fail here."""
    own = [GoldenCase(OWN_CASES, case) for path in paths for case in load_cases(path)]
    cases = own if paths else [GoldenCase(plugin, case) for plugin, case in plugins.cases()]
    if not cases:
        raise ConfigError("There is no golden case.", remedy="Give a file of cases with --golden, see docs/plugins.md.")
    report = play(cases, config=config, plugins=plugins, progress=progress)
    failing = [result for result in report.results if not result.has_passed]
    if own and failing:
        first = failing[0]
        raise GateError(
            f"{len(failing)} of {len(own)} golden cases fail here, '{first.case.name}' first: {first.failures[0]}.",
            remedy="A bundle goes out with cases that pass: correct the shop's settings, or the case.",
        )
    passed = [case for case, result in zip(cases, report.results, strict=True) if result.has_passed]
    if not passed:
        raise GateError("No golden case passes here.", remedy="'shopbot eval --show' says why.")
    return passed, [f"{result.plugin}/{result.case.name}" for result in failing]


def _entry(content: bytes) -> FileEntry:
    return FileEntry(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _json(value: Any) -> bytes:
    try:
        return (json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()
    except TypeError as error:  # a date, which TOML has
        raise ConfigError(f"A setting cannot be packed: {error}.", remedy="Write dates as texts in quotes.") from None
