"""``shopbot plugins list``; ``new`` and ``check`` are in ``plugins_authoring``."""

from __future__ import annotations

from dataclasses import asdict

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable, say
from shopbot.cli.plugins_authoring import check, new


@click.group()
def plugins() -> None:
    """List, write and check plugins."""


@plugins.command("list")
@json_option
@pass_invocation
def list_(invocation: Invocation, as_json: bool) -> None:
    """Every installed plugin with its tools; a broken one with the reason."""
    from shopbot.plugins import PluginManager

    manager = PluginManager.installed(invocation.config.plugins, is_strict=invocation.is_strict)
    statuses = manager.statuses()
    if as_json:
        print_json([asdict(status) for status in statuses])
        return
    if not statuses:
        say("No plugins are installed. 'pip install -r requirements.txt' in a clone installs the first-party ones.")
    for status in statuses:
        if status.error:
            click.echo(printable(f"{status.name}  BROKEN: {status.error}"))
        else:
            click.echo(f"{status.name}  {status.version}  ({status.distribution})")
            for tool in status.tools:
                click.echo(f"    {tool}")


plugins.add_command(new)
plugins.add_command(check)
