"""``shopbot refine collect``, ``redact``, …: each stage of a run by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from shopbot import Invocation, json_option, pass_invocation, print_json
from shopbot_refine.cli.extras import require_run, require_train
from shopbot_refine.cli.progress import watching

if TYPE_CHECKING:
    from shopbot_refine.config import EngineName
    from shopbot_refine.pipeline import Pipeline
    from shopbot_refine.stages import StageReport

_HELP = {
    "collect": "Take the turns of a run from the transcripts and logs.",
    "redact": "Replace personal data by placeholders.",
    "clean": "Leave out duplicates, noise, foreign languages, planted instructions, contradictions.",
    "teach": "Have the teacher judge the turns and write new ones.",
    "check": "Leave out what does not hold: no acts, not copied, not playable, in an eval set.",
    "export": "Write the training set: chat-format JSON Lines, Parquet, data card.",
    "evaluate": "Judge parent and candidate on the same cases; the gate decides.",
}


def open_pipeline(invocation: Invocation, name: str | None, engine: EngineName | None = None) -> Pipeline:
    """A run of this box, the newest one without a name, with the shop's configuration, and with another ``engine``."""
    require_run()
    from shopbot import PluginManager
    from shopbot_refine.pipeline import Pipeline
    from shopbot_refine.runs import find_run

    run = find_run(name)
    if engine is not None:
        run = replace(run, settings=replace(run.settings, engine=engine))
    plugins = PluginManager.installed(invocation.config.plugins, is_strict=invocation.is_strict)
    return Pipeline(run, invocation.config, plugins=plugins)


def describe(report: StageReport) -> str:
    """A stage's result in one line."""
    left_out = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items())
    return f"{report.stage}: {report.kept} kept" + (f"; left out: {left_out}" if left_out else "")


def do_stage(invocation: Invocation, stage: str, name: str | None, *, as_json: bool) -> None:
    """Do one stage of a run and print its result."""
    require_run()
    if stage == "train":
        require_train()
    from shopbot_refine.pipeline import STAGE_METHODS

    pipeline = open_pipeline(invocation, name)
    with watching(pipeline):
        report = STAGE_METHODS[stage](pipeline)
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(describe(report))


def _command(stage: str, help_text: str) -> click.Command:
    @click.command(stage, help=help_text)
    @click.option("--run", "name", help="The run; without it the newest one.")
    @json_option
    @pass_invocation
    def command(invocation: Invocation, name: str | None, as_json: bool) -> None:
        do_stage(invocation, stage, name, as_json=as_json)

    return command


STAGE_COMMANDS = tuple(_command(stage, help_text) for stage, help_text in _HELP.items())
