"""``shopbot refine …``: thin commands over the stages. What they print for a program goes to stdout, talk to stderr."""

from __future__ import annotations

import click

from shopbot_refine.cli.runs import ledger, report, resume, run, status
from shopbot_refine.cli.stages import STAGE_COMMANDS
from shopbot_refine.cli.training import seed, train


@click.group()
def refine() -> None:
    """Make the model on this box better: a large model cleans its conversations and writes what it learns from.

    'run' does everything. Its stages by themselves: collect, redact, clean, teach, check, export, train, evaluate.
    """


for command in (run, resume, status, report, ledger, *STAGE_COMMANDS, seed, train):
    refine.add_command(command)
