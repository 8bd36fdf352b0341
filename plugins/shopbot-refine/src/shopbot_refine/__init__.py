"""shopbot plugin: makes the box's small model better, generation by generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shopbot import hookimpl

if TYPE_CHECKING:
    import click

    from shopbot import Report


@hookimpl
def shopbot_register_commands(cli: click.Group) -> None:
    """``shopbot refine …``."""
    from shopbot_refine.cli import refine

    cli.add_command(refine)


@hookimpl
def shopbot_reports() -> list[Report]:
    """The refine runs, for the operator page."""
    from shopbot_refine.overview import operator_reports

    return operator_reports()
