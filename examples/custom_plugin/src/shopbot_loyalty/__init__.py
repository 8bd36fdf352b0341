"""shopbot plugin: customers earn a point per dollar that was delivered, and turn points into gift card money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shopbot import Case, Tool, hookimpl, load_cases
from shopbot_loyalty.settings import Settings
from shopbot_loyalty.tools import points_balance, points_rules, redeem_points


@hookimpl
def shopbot_register_tools(config: Mapping[str, Any]) -> Iterable[Tool]:
    """The three tools; a wrong key in ``[plugins.loyalty]`` stops the plugin here, not in a conversation."""
    Settings.of(config)
    return [points_balance, points_rules, redeem_points]


@hookimpl
def shopbot_register_cases() -> Iterable[Case]:
    """The golden cases that ``shopbot eval`` plays."""
    return load_cases(Path(__file__).with_name("cases.toml"))
