"""``shopbot bundle``: what a fleet of boxes shares, in one signed file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopbot.cli.eval import case_bar
from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable, say

if TYPE_CHECKING:
    from shopbot.bundle.contents import BundleManifest

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def bundle() -> None:
    """Build, verify, install and roll back signed bundles for a fleet."""


@bundle.command()
@click.argument("keyfile", type=click.Path(dir_okay=False, path_type=Path))
def keygen(keyfile: Path) -> None:
    """Make a key pair: KEYFILE signs bundles and is a secret, KEYFILE.pub is for the boxes."""
    from shopbot.bundle.keys import make_keys

    line = make_keys(keyfile)
    say(f"Written: {keyfile} (keep it to yourself) and {keyfile}.pub (for each box: 'shopbot bundle trust').")
    click.echo(line)


@bundle.command()
@click.argument("public", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def trust(public: Path) -> None:
    """Let this box install what the key in PUBLIC (a KEYFILE.pub) has signed."""
    from shopbot.bundle import keys
    from shopbot.config import home

    added = keys.trust(home(), public)
    say("This box trusts it now." if added else "This box trusts it already.")
    click.echo(str(home() / keys.FILE_NAME))


@bundle.command()
@click.argument("name")
@click.argument("version")
@click.option("--key", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The KEYFILE.")
@click.option("--checkpoint", default="", help="Another checkpoint on this machine than the one in force.")
@click.option(
    "--golden",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of golden cases, all of which must pass; may be repeated. Without it the plugins' cases that pass.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="[default: ./NAME-VERSION.bundle]")
@json_option
@pass_invocation
def build(
    invocation: Invocation,
    name: str,
    version: str,
    key: Path,
    checkpoint: str,
    golden: tuple[Path, ...],
    output: Path | None,
    as_json: bool,
) -> None:
    """Pack what is in force here as NAME (lower case) VERSION (1, 1.2 …), signed.

    The LoRA adapter, the settings of shopbot.toml that are the shop's, the texts in the plugins' folders, the golden
    set. Secrets and what belongs to one machine stay. The base model does not travel, its hash does.
    """
    from shopbot.bundle.building import build as pack
    from shopbot.bundle.keys import load_private_key
    from shopbot.cli.model import progress_bar
    from shopbot.config import find_file, home, written
    from shopbot.first_start import ensure_model
    from shopbot.installed import installed
    from shopbot.plugins import PluginManager

    target = output or Path(f"{name}-{version}.bundle")
    checkpoint = checkpoint or invocation.config.model.checkpoint
    config = invocation.config.with_checkpoint(checkpoint)
    ensure_model(config, say=say, progress_bar=progress_bar)
    plugins = PluginManager.installed(config.plugins)
    with case_bar() as (advance, _):
        built = pack(
            target,
            name=name,
            version=version,
            key=load_private_key(key),
            config=config,
            settings=written(find_file(invocation.file), installed(home())),
            plugins=plugins,
            checkpoint=checkpoint,
            golden=golden,
            progress=advance,
        )
    for setting in built.left_out:
        say(printable(f"Stays here: {setting}"))
    if built.failing:
        say(printable(f"Not in the golden set, for they fail here: {', '.join(built.failing)}"))
    if as_json:
        print_json({"file": str(target), **built.manifest.model_dump(mode="json")})
    else:
        size_mb = target.stat().st_size / 1e6
        click.echo(printable(f"Built: {target} ({size_mb:.1f} MB, {built.manifest.cases} golden cases)"))


@bundle.command()
@_file
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A KEYFILE.pub instead.")
@json_option
def verify(file: Path, key: Path | None, as_json: bool) -> None:
    """Check a bundle's signature and every hash, against the keys that this box trusts; nothing is unpacked."""
    from shopbot.bundle.archive import open_archive
    from shopbot.bundle.keys import read_keys, trusted_keys
    from shopbot.config import home

    with open_archive(file, read_keys(key) if key else trusted_keys(home())) as archive:
        manifest = archive.manifest
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    plugins = ", ".join(f"{plugin.name} {plugin.version}" for plugin in manifest.plugins) or "none"
    click.echo(printable(f"{manifest.name} {manifest.version}: signature and {len(manifest.files)} files are right."))
    click.echo(printable(f"Base model: {manifest.base.source}, SHA-256 {manifest.base.sha256[:12]}…"))
    click.echo(printable(f"Plugins: {plugins}. Golden cases: {manifest.cases}. Built with shopbot {manifest.shopbot}."))


@bundle.command()
@_file
@click.option("--allow-downgrade", is_flag=True, help="Also an older version, or a bundle of another name.")
@click.option("--bake/--no-bake", "bakes", default=True, show_default=True, help="Then serve it in its baked form.")
@json_option
@pass_invocation
def install(invocation: Invocation, file: Path, allow_downgrade: bool, bakes: bool, as_json: bool) -> None:
    """Put a bundle in force: verified, judged by its golden set on this box (exit code 3 if it fails), switched to.

    Until the switch nothing changes. A running service takes up the checkpoint by itself; restart it for settings and
    texts. Then the checkpoint is baked (see 'checkpoint bake'); Ctrl-C leaves it as it is.
    """
    from shopbot.bundle import installing
    from shopbot.cli.checkpoint import bake_in_force
    from shopbot.cli.model import progress_bar
    from shopbot.first_start import ensure_model

    with case_bar() as (advance, talk):
        done = installing.install(
            file,
            file=invocation.file,
            allow_downgrade=allow_downgrade,
            ensure_base=lambda config: ensure_model(config, say=say, progress_bar=progress_bar),
            say=lambda text: talk(printable(text)),
            progress=advance,
        )
    manifest = done.manifest
    if not done.is_new:
        say(printable(f"{manifest.name} {manifest.version} is in force already."))
    else:
        say(printable(f"{done.golden} Restart 'shopbot serve' for its settings and texts."))
    for pruned in done.pruned:
        say(printable(f"Deleted: {pruned}"))
    if bakes and done.is_new:
        bake_in_force(invocation, manifest.id)
    _print_bundle(manifest, as_json)


@bundle.command()
@json_option
def rollback(as_json: bool) -> None:
    """Put the bundle before the one in force back, with the checkpoint that served with it."""
    from shopbot.bundle.shelf import Shelf
    from shopbot.config import home

    shelf = Shelf(home())
    with shelf.locked():
        before = shelf.rollback()
    found = shelf.find(before) if before else None
    if found is None:
        say("It was the first one: no bundle is in force now.")
    _print_bundle(found.manifest if found else None, as_json)


@bundle.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The bundles on this box; the one in force is marked."""
    from shopbot.bundle.shelf import Shelf
    from shopbot.config import home

    found = Shelf(home()).bundles()
    if as_json:
        print_json([{**one.manifest.model_dump(mode="json"), "is_current": one.is_current} for one in found])
        return
    for one in found:
        mark = "*" if one.is_current else " "
        click.echo(printable(f"{mark} {one.manifest.name} {one.manifest.version}  {one.manifest.cases} golden cases"))
    if not found:
        say("No bundle on this box. Install one with 'shopbot bundle install FILE'.")


def _print_bundle(manifest: BundleManifest | None, as_json: bool) -> None:
    if as_json:
        print_json({"current": manifest.id if manifest else None})
    elif manifest:
        click.echo(printable(f"In force: {manifest.name} {manifest.version}"))
