"""The root command: lazy, one handler of errors, the exit codes, plugins' commands."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest
from click.testing import CliRunner

from shopbot.cli import _COMMANDS, main
from shopbot.cli.lazy import RootGroup
from shopbot.errors import ConfigError, GateError, StoreError

PROGRAM = [sys.executable, "-c", "from shopbot.cli import main; main(prog_name='shopbot')"]


def group(**commands: Any) -> RootGroup:
    """A root group with the given functions as commands."""
    root = RootGroup("shopbot", lazy={}, params=[click.Option(["--verbose"], is_flag=True)])
    for name, function in commands.items():
        root.add_command(click.Command(name, callback=function))
    return root


def raising(error: BaseException) -> Any:
    def command() -> NoReturn:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (StoreError("No store.", remedy="Make one."), 1, "shopbot: No store. Make one."),
        (ConfigError("Wrong\nkey."), 2, "shopbot: Wrong key."),
        (GateError("Too low."), 3, "shopbot: Too low."),
        (PermissionError(13, "Permission denied", "file"), 1, "shopbot: [Errno 13] Permission denied: 'file'."),
        (ZeroDivisionError("oops"), 1, "shopbot: unexpected ZeroDivisionError: oops."),
        (KeyboardInterrupt(), 130, "Stopped."),
        (click.Abort(), 130, "Stopped."),
        (click.UsageError("What?"), 2, "Error: What?"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(error: BaseException, code: int, line: str) -> None:
    result = CliRunner().invoke(group(fail=raising(error)), ["fail"])
    assert result.exit_code == code
    assert line in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_verbose_shows_the_traceback() -> None:
    result = CliRunner().invoke(group(fail=raising(StoreError("No store."))), ["--verbose", "fail"])
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("shopbot: No store.\n")


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_the_lines_of_help_are_the_commands_own(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == _COMMANDS[name][1]


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys; from shopbot.cli import main\n"
        "main.get_command(main.make_context('shopbot', ['config']), 'config')\n"
        "heavy = {'pydantic', 'sqlalchemy', 'fastapi', 'numpy', 'xllamacpp', 'torch', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_help_does_not_load_a_plugin_that_adds_no_command(tmp_path: Path) -> None:
    plugin(tmp_path, "idle", "print('loaded')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    shown = subprocess.run(
        [*PROGRAM, "--help"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.returncode == 0
    assert "loaded" not in shown.stdout


def test_unknown_commands_and_options_are_usage_errors() -> None:
    for arguments in (["nothing"], ["--nothing"], ["config", "nothing"], ["ask"], ["serve", "--port", "70000"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2, arguments
        assert result.stdout == ""


def test_a_plugins_commands_are_found_and_a_broken_plugin_is_named(tmp_path: Path) -> None:
    plugin(tmp_path, "good", "@hookimpl\ndef shopbot_register_commands(cli):\n    cli.command('greet')(greet)\n")
    plugin(tmp_path, "bad", "raise RuntimeError('no licence')  # before shopbot_register_commands\n")
    plugin(tmp_path, "rude", "@hookimpl\ndef shopbot_register_commands(cli):\n    cli.command('serve')(greet)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SHOPBOT_HOME": str(tmp_path)}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    greeting = call("greet")
    assert (greeting.returncode, greeting.stdout) == (0, "hello\n"), greeting.stderr
    assert "bad" in greeting.stderr
    shown = call("--help")
    assert re.search(r"^  greet +Say hello\.$", shown.stdout, re.MULTILINE), shown.stdout
    assert "Traceback" not in shown.stderr
    assert "Serve the chat page" in shown.stdout, "a plugin cannot take over a command"
    strict = call("--strict-plugins", "greet")
    assert strict.returncode == 1
    assert "Plugin 'bad'" in strict.stderr
    assert "no licence" in strict.stderr


def plugin(folder: Path, name: str, body: str) -> None:
    """A plugin as an installed distribution looks."""
    (folder / f"{name}_plugin.py").write_text(
        f"from shopbot.hookspecs import hookimpl\n\ndef greet():\n    \"Say hello.\"\n    print('hello')\n\n{body}",
        encoding="utf-8",
    )
    metadata = folder / f"{name}_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[shopbot]\n{name} = {name}_plugin\n", encoding="utf-8")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell], prog_name="shopbot")
    assert script.exit_code == 0
    assert f"_SHOPBOT_COMPLETE={shell}_complete" in script.stdout
    environment = {"_SHOPBOT_COMPLETE": "bash_complete", "COMP_WORDS": "shopbot sto", "COMP_CWORD": "1"}
    done = subprocess.run(
        PROGRAM, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "plain,store\n", done.stderr


def test_version() -> None:
    version = importlib.import_module("shopbot").__version__
    assert CliRunner().invoke(main, ["--version"]).stdout.strip().endswith(version)


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="there are no broken pipes on this system")
def test_a_reader_that_goes_away_is_no_error() -> None:
    first = subprocess.Popen([*PROGRAM, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stderr is not None
    first.stdout.close()
    with first.stderr:
        assert "Traceback" not in first.stderr.read()
    first.wait(60)
