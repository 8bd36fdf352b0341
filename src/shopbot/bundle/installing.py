"""Put a bundle in force on this box: checked, unpacked beside what serves, judged, and switched to in one step.

Until that step nothing that serves is touched, so whatever happens before it (a wrong file, a failed case, a full disk,
``kill -9``) leaves the bundle that was in force in force.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot import __version__
from shopbot.bundle.archive import Archive, open_archive
from shopbot.bundle.contents import CHECKPOINT, GOLDEN, BundleManifest
from shopbot.bundle.golden import CaseProgress, play, read_cases, require_golden
from shopbot.bundle.keys import trusted_keys
from shopbot.bundle.settings import require_portable
from shopbot.bundle.shelf import Shelf
from shopbot.checkpoint import CheckpointStore
from shopbot.config import Config, home, load
from shopbot.errors import BundleError, ModelError, ModelNotFoundError
from shopbot.installed import SETTINGS_FILE, Installed
from shopbot.manifest import Manifest, read_manifest
from shopbot.plugins import PluginManager
from shopbot.understand import PROMPT_FORMAT

_REBUILD = "Do not use it; have it built again."


@dataclass(frozen=True, slots=True)
class Done:
    """What an installation did. ``is_new`` false: that bundle was in force already. ``golden``: how many cases passed,
    in a sentence; ``pruned``: older bundles that were deleted."""

    manifest: BundleManifest
    is_new: bool
    golden: str = ""
    pruned: tuple[str, ...] = ()


def install(
    path: Path,
    *,
    file: Path | None = None,
    allow_downgrade: bool = False,
    ensure_base: Callable[[Config], None] = lambda config: None,
    say: Callable[[str], None] = lambda text: None,
    progress: CaseProgress = lambda result: None,
) -> Done:
    """Check the bundle at ``path``, judge it by its golden set on this box, and put it in force.

    ``file``: the operator's shopbot.toml, as for :func:`shopbot.config.load`. ``allow_downgrade``: also an older
    version, or another bundle's name. ``ensure_base`` brings the base model that a configuration needs, if it is not
    here. Raises :class:`BundleError`, :class:`ModelError` for the base or the checkpoint, :class:`GateError` where the
    golden set fails; what was in force then still is.
    """
    shelf = Shelf(home())
    keys = trusted_keys(home())
    with open_archive(path, keys) as archive, shelf.locked():
        manifest = archive.manifest
        if _is_in_force(shelf, archive, allow_downgrade=allow_downgrade):
            return Done(manifest, is_new=False)
        _require_plugins(manifest, say)
        try:
            return _install(archive, shelf, file, ensure_base, say, progress)
        except OSError as error:
            raise BundleError(
                f"The bundle cannot be stored: {error}.", remedy="Check the disk; nothing has changed."
            ) from error


def _install(
    archive: Archive,
    shelf: Shelf,
    file: Path | None,
    ensure_base: Callable[[Config], None],
    say: Callable[[str], None],
    progress: CaseProgress,
) -> Done:
    manifest, checkpoints = archive.manifest, CheckpointStore(home())
    require_portable(_settings(archive))
    cases = read_cases(archive.read(GOLDEN))
    if len(cases) != manifest.cases:
        raise BundleError("The golden set is not the one that the bundle names.", remedy=_REBUILD)
    with shelf.draft() as draft:
        archive.unpack(draft)
        config = load(file, bundle=Installed(manifest.id, draft))
        if config.model.checkpoint:
            say(f"model.checkpoint is '{config.model.checkpoint}': the bundle's will not serve until that is removed.")
        config = config.with_checkpoint(manifest.id)
        is_ours = _add_checkpoint(checkpoints, draft / CHECKPOINT, manifest)
        try:
            ensure_base(config)
            plugins = PluginManager.installed(config.plugins)
            _require_working(manifest, plugins)
            golden = require_golden(play(cases, config=config, plugins=plugins, progress=progress))
            shelf.put_in_force(draft, manifest.id)
        except BaseException:
            if is_ours and shelf.find(manifest.id) is None:
                with suppress(ModelError, OSError):
                    checkpoints.remove(manifest.id)
            raise
    return Done(manifest, is_new=True, golden=golden, pruned=tuple(shelf.prune()))


def _is_in_force(shelf: Shelf, archive: Archive, *, allow_downgrade: bool) -> bool:
    """Whether this very bundle is in force. Raises :class:`BundleError` where it must not follow the one that is."""
    manifest, current = archive.manifest, shelf.current()
    same = shelf.find(manifest.id)
    if same is not None and same.manifest != manifest:
        raise BundleError(
            f"Another bundle '{manifest.name}' {manifest.version} is on this box.", remedy="Build it as a new version."
        )
    if current is None:
        return False
    if current.id == manifest.id:
        return shelf.is_whole(manifest.id)  # a damaged one is installed anew
    before = shelf.find(current.id)
    if before is None or allow_downgrade:
        return False
    if before.manifest.name != manifest.name:
        raise BundleError(
            f"This box runs the bundle '{before.manifest.name}', this is '{manifest.name}'.",
            remedy="If it is meant for this box, install it with --allow-downgrade.",
        )
    if before.manifest.order >= manifest.order:
        raise BundleError(
            f"'{manifest.name}' {manifest.version} is not newer than {before.manifest.version}, which is in force.",
            remedy="Go back with 'shopbot bundle rollback', or install it with --allow-downgrade.",
        )
    return False


def _require_plugins(manifest: BundleManifest, say: Callable[[str], None]) -> None:
    """Refuse a bundle whose plugins are not here; say which are here in another version."""
    from importlib import metadata

    here = {entry.name: entry.dist for entry in metadata.entry_points(group="shopbot")}
    wanted = [f"{plugin.distribution}=={plugin.version}" for plugin in manifest.plugins]
    line = f"pip install {' '.join(wanted)}"
    missing = [plugin.name for plugin in manifest.plugins if plugin.name not in here]
    if missing:
        raise BundleError(f"The bundle needs plugins that are not installed: {', '.join(missing)}.", remedy=f"{line}.")
    for plugin in manifest.plugins:
        found = here[plugin.name]
        if found is not None and found.version != plugin.version:
            say(
                f"Plugin '{plugin.name}' is version {found.version} here, the bundle was built with {plugin.version}; "
                f"the golden set decides. The same versions: {line}"
            )
    if manifest.shopbot != __version__:
        say(f"shopbot is version {__version__} here, the bundle was built with {manifest.shopbot}.")


def _require_working(manifest: BundleManifest, plugins: PluginManager) -> None:
    plugins.tools()  # what breaks, breaks now
    broken = [plugin.name for plugin in manifest.plugins if plugin.name in plugins.failures]
    if broken:
        why = plugins.failures[broken[0]]
        raise BundleError(f"Plugin '{broken[0]}' does not work with this bundle: {why}.", remedy="Correct its table.")


def _add_checkpoint(store: CheckpointStore, folder: Path, manifest: BundleManifest) -> bool:
    """Put the bundle's checkpoint among those of this box; false where it is there already, from an earlier attempt."""
    found: Manifest = read_manifest(folder)
    if found.name != manifest.id or found.base != manifest.base or found.prompt_format != manifest.prompt_format:
        raise BundleError("The checkpoint is not the one that the bundle names.", remedy=_REBUILD)
    if found.prompt_format != PROMPT_FORMAT:
        raise BundleError("The bundle is for another version of shopbot.", remedy="Update shopbot.")
    try:
        known = store.load(manifest.id).manifest
    except ModelNotFoundError:
        store.add(folder)
        return True
    if known != found:
        raise BundleError(f"There is another checkpoint '{manifest.id}'.", remedy="Build it as a new version.")
    return False


def _settings(archive: Archive) -> dict[str, Any]:
    try:
        settings = json.loads(archive.read(SETTINGS_FILE))
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise BundleError(f"The bundle's {SETTINGS_FILE} is damaged.", remedy=_REBUILD)
    return settings
