"""The bundle in force on this box, as configuration and checkpoints see it. How one gets there: :mod:`shopbot.bundle`.

``<home>/bundles/current`` names it; that file is replaced in one step, and nothing else says what is in force.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot.errors import BundleError

FOLDER = "bundles"
POINTER = "current"
SETTINGS_FILE = "settings.json"
_LIMIT_BYTES = 1 << 20
_REMEDY = "Install the bundle again, or go back with 'shopbot bundle rollback'."


@dataclass(frozen=True, slots=True)
class Installed:
    """An unpacked bundle. ``id`` (name and version) is also its folder's name and its checkpoint's."""

    id: str
    folder: Path

    @property
    def promotion(self) -> Path:
        """The file that names the checkpoint promoted while this bundle is in force; without it, the bundle's own."""
        return self.folder / "promoted"

    def settings(self) -> dict[str, Any]:
        """What the bundle sets, as the tables of shopbot.toml; a plugin's ``folder`` leads into the bundle."""
        settings = _read(self.folder / SETTINGS_FILE)
        plugins = settings.get("plugins", {})
        for table in plugins.values() if isinstance(plugins, dict) else ():
            if isinstance(table, dict) and isinstance(table.get("folder"), str):
                table["folder"] = str(self.folder / table["folder"])
        return settings


def installed(home: Path) -> Installed | None:
    """The bundle in force, or None. Raises :class:`BundleError` where the pointer or the bundle is damaged."""
    try:
        pointer = _read(home / FOLDER / POINTER)
    except (FileNotFoundError, NotADirectoryError):  # a home that is no folder: others say so
        return None
    name = pointer.get("bundle")
    if name is None:
        return None
    folder = home / FOLDER / str(name)
    if not isinstance(name, str) or name != folder.name or name.startswith(".") or not folder.is_dir():
        raise BundleError(f"The bundle in force, {name!r}, is not on this box.", remedy=_REMEDY)
    return Installed(name, folder)


def _read(path: Path) -> dict[str, Any]:
    """A small JSON object. Raises :class:`FileNotFoundError` or :class:`NotADirectoryError` where there is none,
    :class:`BundleError` for anything else."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LIMIT_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {error}.", remedy=_REMEDY) from None
    if not isinstance(content, dict):
        raise BundleError(f"{path} is damaged.", remedy=_REMEDY)
    return content
