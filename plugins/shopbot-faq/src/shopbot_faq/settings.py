"""The plugin's own table in shopbot.toml::

[plugins.faq]
folder = "/srv/shop/faq"   # the shop's Markdown files; default: the example that comes with the plugin
threshold = 0.64          # how sure a passage must be before it is given as the answer, 0 to 1
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopbot.errors import ConfigError
from shopbot_faq.folder import EXAMPLE_FOLDER
from shopbot_faq.search import THRESHOLD

_KEYS = ("folder", "threshold")


@dataclass(frozen=True, slots=True)
class Settings:
    folder: Path = EXAMPLE_FOLDER
    threshold: float = THRESHOLD


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings in ``config``; :class:`ConfigError` names a key that is unknown or has a wrong value."""
    for key in config:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(_KEYS)}."
            raise ConfigError(f"[plugins.faq]: unknown key '{key}'.", remedy=remedy)
    folder, threshold = config.get("folder", ""), config.get("threshold", THRESHOLD)
    if not isinstance(folder, str):
        raise ConfigError("[plugins.faq]: 'folder' must be a path in quotes.")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise ConfigError("[plugins.faq]: 'threshold' must be a number from 0 to 1.")
    return Settings(Path(folder) if folder else EXAMPLE_FOLDER, float(threshold))
