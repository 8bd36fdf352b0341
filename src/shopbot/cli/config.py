"""``shopbot config show|path|init``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, say


@click.group()
def config() -> None:
    """Show and write the configuration."""


@config.command()
@json_option
@pass_invocation
def show(invocation: Invocation, as_json: bool) -> None:
    """Every setting in force and where it comes from; secrets are masked."""
    from shopbot.config import find_file
    from shopbot.config_file import effective

    settings = effective(invocation.config, find_file(invocation.file))
    if as_json:
        print_json([asdict(setting) for setting in settings])
        return
    width = max(len(setting.key) for setting in settings)
    for setting in settings:
        click.echo(f"{setting.key:<{width}}  {setting.value!r}  ({setting.origin})")


@config.command()
@json_option
@pass_invocation
def path(invocation: Invocation, as_json: bool) -> None:
    """The configuration file in force, or the one 'config init' would write."""
    from shopbot.config import find_file, user_file

    found = find_file(invocation.file)
    if as_json:
        print_json({"path": str(found or user_file()), "exists": found is not None})
        return
    if found is None:
        say("There is no configuration file; defaults hold. 'shopbot config init' would write this one:")
    click.echo(str(found or user_file()))


@config.command()
@click.option("--path", "target", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@pass_invocation
def init(invocation: Invocation, target: Path | None, force: bool) -> None:
    """Write a commented shopbot.toml with every key and its default."""
    from shopbot.config import user_file
    from shopbot.config_file import write_template

    target = target or invocation.file or user_file()
    write_template(target, overwrite=force)
    say("Written:")
    click.echo(str(target))
