"""The command line. Each command is a thin file in this package: parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click

from shopbot import __version__
from shopbot.cli.invocation import Invocation
from shopbot.cli.lazy import RootGroup

_COMMANDS = {
    "ask": ("shopbot.cli.ask:ask", "Ask the bot one thing and print its reply."),
    "bundle": ("shopbot.cli.bundle:bundle", "Build, verify, install and roll back signed bundles for a fleet."),
    "chat": ("shopbot.cli.chat:chat", "Talk to the bot in the terminal."),
    "checkpoint": ("shopbot.cli.checkpoint:checkpoint", "List, show, add, bake, promote and roll back checkpoints."),
    "completion": ("shopbot.cli.completion:completion", "Print the script that completes commands in your shell."),
    "config": ("shopbot.cli.config:config", "Show and write the configuration."),
    "doctor": ("shopbot.cli.doctor:doctor", "Check everything the bot needs and name the remedies."),
    "eval": (
        "shopbot.cli.eval:eval_",
        "Play the plugins' golden cases on the checkpoint in force, each on a fresh demo store.",
    ),
    "handoff": ("shopbot.cli.handoff:handoff", "The webhook that tells a program of yours of hand-offs."),
    "mcp": (
        "shopbot.cli.mcp:mcp",
        "Offer the shop's tools to another model: an MCP server on stdin and stdout, for one customer.",
    ),
    "model": ("shopbot.cli.model:model", "List, pull, show, verify and compile models."),
    "operator-key": ("shopbot.cli.operator_key:operator_key", "Keys to the operator's part of the HTTP API."),
    "plugins": ("shopbot.cli.plugins:plugins", "List, write and check plugins."),
    "serve": ("shopbot.cli.serve:serve", "Serve the chat page and the HTTP API."),
    "service": (
        "shopbot.cli.service:service",
        "Run 'shopbot serve' as a service of systemd: started at boot, restarted after a crash.",
    ),
    "store": ("shopbot.cli.store:store", "Create, import, export and show the store."),
    "transcripts": ("shopbot.cli.transcripts:transcripts", "List, show, export and purge transcripts."),
}


@click.group(cls=RootGroup, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration file; without it ./shopbot.toml, then your own.",
)
@click.option("--strict-plugins", is_flag=True, help="Stop at the first broken plugin instead of leaving it out.")
@click.option("-v", "--verbose", is_flag=True, help="Log everything, and show tracebacks.")
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context, file: Path | None, strict_plugins: bool, verbose: bool) -> None:
    """A shop's own assistant: a compact model on this box understands, plugins and code decide.

    Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 a gate was not met, 130 stopped with Ctrl-C.
    """
    from shopbot import logs

    logs.configure(is_verbose=verbose)
    ctx.obj = Invocation(file, strict_plugins, verbose)
