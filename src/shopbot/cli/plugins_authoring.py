"""``shopbot plugins new`` and ``shopbot plugins check``: for those who write plugins."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from shopbot.cli.invocation import json_option, print_json, printable, say

_MARKS = {"done": "✓", "todo": "✗", "exempt": "–"}


@click.command()
@click.argument("name")
@click.option("--path", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where its folder goes.")
@json_option
def new(name: str, path: Path, as_json: bool) -> None:
    """Write an installable plugin NAME with one tool and passing tests."""
    from shopbot.scaffold import write_plugin

    folder = write_plugin(name, path)
    if as_json:
        print_json({"name": name, "folder": str(folder)})
        return
    click.echo(str(folder))
    say(f"Next: pip install -e {folder} && pytest {folder} && shopbot plugins check {folder}")


@click.command()
@click.argument("target", default=".", metavar="[NAME|PATH]")
@json_option
@click.pass_context
def check(ctx: click.Context, target: str, as_json: bool) -> None:
    """Say what a plugin still lacks, by its folder or its installed name. Exit code 1 if there is something to do."""
    from shopbot.plugin_check import check_plugin

    name, rungs = check_plugin(target)
    if as_json:
        print_json({"plugin": name, "rungs": [asdict(rung) for rung in rungs]})
    else:
        for rung in rungs:
            click.echo(printable(f"{_MARKS[rung.state]} {rung.name:12} {rung.detail}").rstrip())
    left = sum(rung.state == "todo" for rung in rungs)
    if left:
        say(f"{name}: {left} to do.")
        ctx.exit(1)
