"""``shopbot checkpoint``: see and switch what the bot understands with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopbot.cli.eval import case_bar
from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable, say

if TYPE_CHECKING:
    from shopbot.checkpoint import CheckpointStore


@click.group()
def checkpoint() -> None:
    """List, show, add, bake, promote and roll back checkpoints."""


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
    """Take in a checkpoint that was made elsewhere, or a published MLC artefact, its hashes checked.

    It is not in force until it is promoted.
    """
    from shopbot.published import is_artefact, take_in

    added = take_in(folder) if is_artefact(folder) else _store().add(folder).manifest
    if as_json:
        print_json(added.as_json())
    else:
        click.echo(
            printable(f"Taken in: {added.name}. Put it in force with 'shopbot checkpoint promote {added.name}'.")
        )


@checkpoint.command()
@click.argument("name", default="")
@click.option("--quantization", default="q8_0", show_default=True, help="How finely the weights are kept: q8_0 or f16.")
@json_option
@pass_invocation
def bake(invocation: Invocation, name: str, quantization: str, as_json: bool) -> None:
    """Merge a checkpoint's LoRA adapter into its base, as a checkpoint that this box serves faster.

    Without NAME the one in force. The golden cases are played on both; where they suffer, nothing is kept (exit code
    3). The result is not in force until it is promoted.
    """
    from shopbot import baking
    from shopbot.plugins import PluginManager
    from shopbot.weights import parse_quantization

    kind = parse_quantization(quantization)
    plugins = PluginManager.installed(invocation.config.plugins)
    with case_bar() as (advance, _):
        baked = baking.bake(name, config=invocation.config, plugins=plugins, quantization=kind, progress=advance)
    if as_json:
        print_json(baked.as_json())
    else:
        click.echo(printable(f"Baked: {baked.name}. {baked.gate.report}"))
        click.echo(printable(f"Put it in force with 'shopbot checkpoint promote {baked.name}'."))


@checkpoint.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Promote it although it did not pass its gate.")
@click.option(
    "--bake/--no-bake", "bakes", default=True, help="Then bake it, and serve the baked form.  [default: bake]"
)
@json_option
@pass_invocation
def promote(invocation: Invocation, name: str, force: bool, bakes: bool, as_json: bool) -> None:
    """Put a checkpoint in force; a running service takes it up by itself.

    It is in force at once. Then it is baked (see 'bake'), which takes minutes, and the baked form takes its place.
    Where that is not possible, or stopped with Ctrl-C, the checkpoint stays in force as it is.
    """
    current = _store().promote(name, force=force).manifest
    if bakes and current.lora is not None:
        say(printable(f"In force: {current.name}"))
        bake_in_force(invocation, current.name)
    _print_current(_store().current_name(), as_json)


@checkpoint.command()
@json_option
def rollback(as_json: bool) -> None:
    """Put the parent of the checkpoint in force back."""
    _print_current(_store().rollback().manifest.name, as_json)


def bake_in_force(invocation: Invocation, name: str) -> None:
    """Bake the checkpoint ``name``, which is in force, and serve the baked form; what stands against it is told."""
    from shopbot.baking import serve_baked
    from shopbot.errors import ShopbotError
    from shopbot.plugins import PluginManager

    say("It is being baked, to serve it faster; Ctrl-C leaves it as it is.")
    try:
        plugins = PluginManager.installed(invocation.config.plugins)
        with case_bar() as (advance, _):
            serve_baked(name, config=invocation.config, plugins=plugins, progress=advance)
    except ShopbotError as error:  # too little disk, no base model here, or the golden cases suffer
        say(printable(f"Not baked: {error}"))


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


def _print_current(name: str, as_json: bool) -> None:
    if as_json:
        print_json({"current": name})
    else:
        click.echo(printable(f"In force: {name}"))
