"""shopbot plugin: send things back, swap them, and follow the money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopbot import Tool, hookimpl
from shopbot_returns.progress import refund_status, return_status, returnable_items
from shopbot_returns.requests import exchange_items, return_items
from shopbot_returns.settings import read_settings

if TYPE_CHECKING:
    from shopbot import Case


@hookimpl
def shopbot_register_tools(config: Mapping[str, Any]) -> list[Tool]:
    """The plugin's tools; a wrong key in ``[plugins.returns]`` is an error here, before any customer meets it."""
    read_settings(config)
    return [exchange_items, refund_status, return_items, return_status, returnable_items]


@hookimpl
def shopbot_register_cases() -> Iterable[Case]:
    """The plugin's golden cases."""
    from shopbot import load_cases

    return load_cases(Path(__file__).with_name("cases.toml"))
