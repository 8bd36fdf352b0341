"""shopbot plugin ``faq``: answers from the shop's own Markdown files, with the passage's title and link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopbot import hookimpl

if TYPE_CHECKING:
    import click

    from shopbot import Case, Tool


@hookimpl
def shopbot_register_tools(config: Mapping[str, Any]) -> Iterable[Tool]:
    """``faq`` and ``shipping_info``."""
    from shopbot_faq.tools import make_tools

    return make_tools(config)


@hookimpl
def shopbot_register_cases() -> Iterable[Case]:
    """The golden cases; they are about the example files."""
    from shopbot import load_cases

    return load_cases(Path(__file__).with_name("cases.toml"))


@hookimpl
def shopbot_register_commands(cli: click.Group) -> None:
    """``shopbot faq``."""
    from shopbot_faq.commands import faq

    cli.add_command(faq)
