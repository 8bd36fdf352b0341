"""Which settings travel in a bundle: those of the shop, never a secret and nothing that belongs to one box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shopbot.bundle.contents import PLUGINS
from shopbot.config_file import is_secret
from shopbot.errors import BundleError

#: A plugin's setting that names a folder of texts, which travels with it.
FOLDER_KEY = "folder"
#: Sections, or single keys, that are the shop's; every other one belongs to the box.
_OF_THE_SHOP = frozenset(
    {
        "identity",
        "model.context",
        "model.slots",
        "plugins",
        "session",
        "shop",
        "transcripts.enabled",
        "transcripts.retention_days",
        "understanding",
    }
)


def portable(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings that travel, and the keys of those that stay, each with the reason."""
    staying: list[str] = []
    return _travelling((), settings, staying), staying


def require_portable(settings: Mapping[str, Any]) -> None:
    """Raise :class:`BundleError` where a bundle sets what it must not, or a folder outside itself."""
    remedy = "Do not use it; have it built again."
    staying = portable(settings)[1]
    if staying:
        raise BundleError(f"The bundle sets {staying[0]}.", remedy=remedy)
    plugins = settings.get(PLUGINS, {})
    for name, table in plugins.items() if isinstance(plugins, Mapping) else ():
        folder = table.get(FOLDER_KEY) if isinstance(table, Mapping) else None
        if folder is not None and folder != f"{PLUGINS}/{name}":
            raise BundleError(f"The bundle sets plugins.{name}.{FOLDER_KEY} to a folder outside itself.", remedy=remedy)


def _travelling(path: tuple[str, ...], table: Mapping[str, Any], staying: list[str]) -> dict[str, Any]:
    """What of ``table`` travels; what does not is added to ``staying``."""
    kept: dict[str, Any] = {}
    for key, value in table.items():
        inner = (*path, key)
        if isinstance(value, Mapping):
            if found := _travelling(inner, value, staying):  # a table without keys sets nothing
                kept[key] = found
        elif is_secret(key, value):
            staying.append(f"{'.'.join(inner)} (a secret)")
        elif _OF_THE_SHOP.isdisjoint({inner[0], ".".join(inner[:2])}):
            staying.append(f"{'.'.join(inner)} (it is this box's)")
        else:
            kept[key] = value
    return kept
