"""The root group: commands are imported when they are run, plugins' commands are found when they are asked for."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import click

from shopbot.errors import ConfigError, GateError, PluginError, ShopbotError

EXIT_FAILED, EXIT_USAGE, EXIT_GATE, EXIT_INTERRUPTED = 1, 2, 3, 130


class RootGroup(click.Group):
    """The ``shopbot`` command. ``lazy``: name → (``module:attribute``, the line that ``--help`` shows).

    It is also the one handler of errors: one line on stderr and the exit code; the traceback only with ``--verbose``.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy)
        self._plugin_commands: dict[str, click.Command] | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self._lazy, *self.commands, *self._from_plugins(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._lazy:
            return self._import(cmd_name)
        return super().get_command(ctx, cmd_name) or self._from_plugins(ctx).get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's own lines, so that ``--help`` imports no command."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self._lazy:
                rows.append((name, self._lazy[name][1]))
            elif (command := self.get_command(ctx, name)) is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(limit=80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException):
            raise
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nStopped.", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            raise  # the reader went away (``| head``); click ends quietly
        except Exception as error:
            self._fail(ctx, error)

    def _fail(self, ctx: click.Context, error: Exception) -> NoReturn:
        if ctx.params.get("verbose"):
            traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
        click.echo(f"shopbot: {_explain(error)}", err=True)
        ctx.exit(exit_code(error))

    def _import(self, name: str) -> click.Command:
        module_name, _, attribute = self._lazy[name][0].partition(":")
        command = getattr(importlib.import_module(module_name), attribute)
        assert isinstance(command, click.Command), f"{module_name}:{attribute} is no command"
        return command

    def _from_plugins(self, ctx: click.Context) -> Mapping[str, click.Command]:
        """What installed plugins add. One that fails is named on stderr and left out, unless plugins are strict."""
        if self._plugin_commands is None:
            from shopbot import logs
            from shopbot.plugins import PluginManager

            logs.configure(is_verbose=bool(ctx.params.get("verbose")))  # --help comes before the root command's own
            group = _PluginCommands(set(self._lazy) | set(self.commands))
            names = [entry.name for entry in metadata.entry_points(group="shopbot") if _may_add_commands(entry)]
            manager = PluginManager.installed(is_strict=bool(ctx.params.get("strict_plugins")), only=names)
            manager.register_commands(group)
            self._plugin_commands = dict(group.commands)
        return self._plugin_commands


class _PluginCommands(click.Group):
    """What plugins see as ``cli``: it takes each name once."""

    def __init__(self, taken: set[str]) -> None:
        super().__init__("shopbot")
        self._taken = taken

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        wanted = name or cmd.name or ""
        if wanted in self._taken:
            raise PluginError(f"There is a command '{wanted}' already.", remedy="Rename the plugin's command.")
        self._taken.add(wanted)
        super().add_command(cmd, name)


def _may_add_commands(entry: metadata.EntryPoint) -> bool:
    """False only where the plugin's module, read but not run, cannot have the hook: most have none and load slowly."""
    if entry.attr or "." in entry.module:
        return True
    try:
        spec = importlib.util.find_spec(entry.module)
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    except (OSError, ValueError, ImportError):
        return True
    return not source or "shopbot_register_commands" in source or "import *" in source


def exit_code(error: BaseException) -> int:
    """The exit code that stands for ``error``."""
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    return EXIT_GATE if isinstance(error, GateError) else EXIT_FAILED


def _explain(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ShopbotError):
        return text
    if isinstance(error, OSError):
        return f"{text}."
    return f"unexpected {type(error).__name__}: {text}. 'shopbot --verbose …' shows where."
