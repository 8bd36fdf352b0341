"""Which settings travel in a bundle: those of the shop, never a secret and nothing that belongs to one box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shopbot.bundle.contents import PLUGINS
from shopbot.config_file import is_secret
from shopbot.errors import BundleError

#: A plugin's setting that names a folder of texts, which travels with it.
FOLDER_KEY = "folder"
#: Keys, or whole sections, that are of one box. ``identity.token_secret`` is a secret and stays for that reason.
_OF_ONE_BOX = frozenset(
    {"store", "server", "model.source", "model.checkpoint", "model.threads", "model.backend", "transcripts.path"}
)


def portable(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings that travel, and the keys of those that stay, each with the reason."""
    left_out = dict(_staying(settings))
    kept = {
        section: _without(section, table, left_out) for section, table in settings.items() if section not in left_out
    }
    return kept, [f"{key} ({why})" for key, why in left_out.items()]


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


def _staying(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for section, table in settings.items():
        if section in _OF_ONE_BOX:
            yield section, "it is this box's"
        elif isinstance(table, Mapping):
            for key, value in table.items():
                yield from _staying_in(f"{section}.{key}", key, value)


def _staying_in(path: str, key: str, value: Any) -> Iterator[tuple[str, str]]:
    if path in _OF_ONE_BOX:
        yield path, "it is this box's"
    elif isinstance(value, Mapping):
        for inner, content in value.items():
            yield from _staying_in(f"{path}.{inner}", str(inner), content)
    elif is_secret(key, value):
        yield path, "a secret"


def _without(path: str, value: Any, left_out: Mapping[str, str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {key: f"{path}.{key}" for key in value if f"{path}.{key}" not in left_out}
    return {key: _without(inner, value[key], left_out) for key, inner in kept.items()}
