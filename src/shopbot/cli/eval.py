"""``shopbot eval``: play all golden cases on the real model and judge them by the end state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json, say
from shopbot.errors import ConfigError, GateError

if TYPE_CHECKING:
    from shopbot.evals import CaseResult, Report


@click.command("eval")
@click.option("--plugin", "plugin_names", multiple=True, help="Only the cases of this plugin; may be repeated.")
@click.option("--case", "case_names", multiple=True, help="Only the case of this name; may be repeated.")
@click.option("--tag", help="Only cases with this tag.")
@click.option("--checkpoint", default="", help="Another checkpoint on this box than the one in force.")
@click.option("--show", is_flag=True, help="Show the conversations that failed.")
@click.option("--at-least", type=click.FloatRange(0, 1), default=0.0, help="Exit with 3 below this share of passes.")
@json_option
@pass_invocation
def eval_(
    invocation: Invocation,
    plugin_names: tuple[str, ...],
    case_names: tuple[str, ...],
    tag: str | None,
    checkpoint: str,
    show: bool,
    at_least: float,
    as_json: bool,
) -> None:
    """Play the plugins' golden cases on the checkpoint in force, each on a fresh demo store."""
    from shopbot import evals
    from shopbot.cli.model import progress_bar
    from shopbot.first_start import ensure_model
    from shopbot.minds import open_backend
    from shopbot.plugins import PluginManager

    config = invocation.config
    if checkpoint:
        config = config.with_checkpoint(checkpoint)
    plugins = PluginManager.installed(config.plugins)
    cases = [
        (plugin, case)
        for plugin, case in plugins.cases()
        if (not plugin_names or plugin in plugin_names)
        and (not case_names or case.name in case_names)
        and (tag is None or tag in case.tags)
    ]
    if not cases:
        raise ConfigError("No golden case fits.", remedy="'shopbot plugins list' shows the plugins.")
    ensure_model(config, say=say, progress_bar=progress_bar)
    manifest, backend = open_backend(config, plugins)
    with case_bar(len(cases)) as (advance, talk):

        def watch(result: CaseResult) -> None:
            advance(result)
            if show and not result.has_passed:
                why = "\n".join(f"  ✗ {failure}" for failure in result.failures)
                talk(f"── {result.plugin}: {result.case.name}\n{result.transcript}\n{why}")

        report = evals.run_cases(
            cases, config=config, plugins=plugins, backend=backend, manifest=manifest, progress=watch
        )
    backend.close()
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(_text(report))
    if report.rate < at_least:
        raise GateError(f"{report.rate:.1%} of the cases passed; {at_least:.1%} are asked for.")


@contextmanager
def case_bar(total: int | None = None) -> Iterator[tuple[Callable[[CaseResult], None], Callable[[str], None]]]:
    """A bar of golden cases on stderr: call the first with each result; the second prints a text above the bar.

    Without a ``total`` it counts. It appears with the first result, and only on a terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("cases", total=total, visible=False)

        def advance(_result: CaseResult) -> None:
            progress.update(task, advance=1, visible=True)

        yield advance, lambda text: console.print(text, markup=False, soft_wrap=True)


def _text(report: Report) -> str:
    result = report.as_json()
    low, high = result["interval_95"]
    lines = [
        f"{result['passed']} of {result['cases']} cases passed ({result['rate']:.1%}, 95 %: {low:.1%} to {high:.1%})"
    ]
    lines += [
        f"  {name}: {counts['passed']} of {counts['cases']}" for name, counts in sorted(result["plugins"].items())
    ]
    lines += [f"  failed: {entry['plugin']}/{entry['case']}: {entry['why'][0]}" for entry in result["failed"]]
    return "\n".join(lines)
