"""``shopbot checkpoint``: see and switch what the bot understands with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopbot.cli.invocation import json_option, print_json, printable, say

if TYPE_CHECKING:
    from shopbot.checkpoint import Checkpoint, CheckpointStore


@click.group()
def checkpoint() -> None:
    """List, show, add, promote and roll back checkpoints."""


@checkpoint.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The checkpoints on this box, oldest first; the one in force is marked."""
    store = _store()
    current = _current_name(store)
    rows = [{**manifest.as_json(), "is_current": manifest.name == current} for manifest in store.list()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        gate = "gate passed" if row["gate"]["passed"] else "gate not passed"
        mark = "*" if row["is_current"] else " "
        click.echo(printable(f"{mark} {row['name']}  {row['created']}  {gate}  parent: {row['parent'] or '-'}"))
    if not rows:
        say("No checkpoint on this box. Train one with 'shopbot refine run'.")


@checkpoint.command()
@click.argument("name", default="")
@json_option
def show(name: str, as_json: bool) -> None:
    """A checkpoint's manifest, its hashes checked; without NAME the one in force."""
    store = _store()
    found = store.load(name) if name else store.current()
    described = {
        **found.manifest.as_json(),
        "folder": str(found.folder),
        "is_shipped": found.is_shipped,
        "is_current": found.manifest.name == _current_name(store),
    }
    if as_json:
        print_json(described)
        return
    for key, value in described.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(printable(f"{key.replace('_', ' '):<14} {text}"))


@checkpoint.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def add(folder: Path, as_json: bool) -> None:
    """Take in a checkpoint that was made elsewhere, its hashes checked. It is not in force until it is promoted."""
    added = _store().add(folder).manifest
    if as_json:
        print_json(added.as_json())
    else:
        click.echo(
            printable(f"Taken in: {added.name}. Put it in force with 'shopbot checkpoint promote {added.name}'.")
        )


@checkpoint.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Promote it although it did not pass its gate.")
@json_option
def promote(name: str, force: bool, as_json: bool) -> None:
    """Put a checkpoint in force; a running service takes it up by itself."""
    _print_switched(_store().promote(name, force=force), as_json)


@checkpoint.command()
@json_option
def rollback(as_json: bool) -> None:
    """Put the parent of the checkpoint in force back."""
    _print_switched(_store().rollback(), as_json)


def _store() -> CheckpointStore:
    from shopbot.checkpoint import CheckpointStore
    from shopbot.config import home

    return CheckpointStore(home())


def _current_name(store: CheckpointStore) -> str | None:
    from shopbot.errors import ModelError

    try:
        return store.current_name()
    except ModelError:
        return None


def _print_switched(switched: Checkpoint, as_json: bool) -> None:
    if as_json:
        print_json({"current": switched.manifest.name})
    else:
        click.echo(printable(f"In force: {switched.manifest.name}"))
