"""What one run of the command line holds: the global options and, once asked for, the configuration."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shopbot.bot import Bot
    from shopbot.config import Config


@dataclass
class Invocation:
    """``ctx.obj`` of every command. ``file`` is what ``--config`` named; ``config`` is read when it is first used."""

    file: Path | None = None
    is_strict: bool = False
    is_verbose: bool = False

    @cached_property
    def config(self) -> Config:
        """The settings in force. :class:`~shopbot.errors.ConfigError` if they are wrong."""
        from shopbot.config import load

        return load(self.file)

    def open_bot(self, *, has_model: bool = True) -> Bot:
        """The configured bot; what a first start needs is fetched and created before. The caller closes it.

        ``has_model`` False: one that is only called by other programs, and needs no model.
        """
        from shopbot.bot import Bot
        from shopbot.cli.model import progress_bar
        from shopbot.first_start import ensure_model, ensure_store

        config = self.config if has_model else self.config.without_model()
        ensure_model(config, say=say, progress_bar=progress_bar)
        ensure_store(config, say=say)
        return Bot.open(config, strict_plugins=self.is_strict)


_pass = click.make_pass_decorator(Invocation, ensure=True)


def pass_invocation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the :class:`Invocation` as its first argument: the configuration, and the global options."""
    return _pass(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``, the same everywhere."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def say(text: str = "") -> None:
    """Talk to the operator, on stderr, so that stdout holds results only."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """``text`` without what could steer a terminal: control and format characters, unpaired surrogates."""
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
