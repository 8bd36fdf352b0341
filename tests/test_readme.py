"""README.md is run: its console blocks give what they say, its commands and targets exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(rf"\b(?:{_MONTHS}) \d{{1,2}}(?:, \d{{4}})?\b|\b\d{{4}}-\d{{2}}-\d{{2}}\b")


def blocks(language: str, page: str = README) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, str]]:
    """(command, the output printed beneath it) of every console block."""
    for block in blocks("console"):
        command, output = "", []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, "\n".join(output)
                command, output = line[2:], []
            else:
                output.append(line)
        if command:
            yield command, "\n".join(output)


def normal(text: str) -> str:
    """Without what changes from day to day: dates, and white space at line ends."""
    return "\n".join(line.rstrip() for line in _DATE.sub("DATE", text).strip().splitlines())


def shell(command: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line as a reader would, with the ``shopbot`` of this interpreter."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', '')}"
    return subprocess.run(
        ["sh", "-c", command],
        env={**environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"},
        cwd=environ["SHOPBOT_HOME"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.fixture
def first_start(tmp_path: Path, real_model: Path) -> dict[str, str]:
    """The environment of somebody who has just installed shopbot; the model is here, so no network is needed."""
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    for file in real_model.parent.glob(f"{real_model.name}*"):
        (home / "models" / file.name).symlink_to(file)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOPBOT_")}
    return {**kept, "SHOPBOT_HOME": str(home), "SHOPBOT_OFFLINE": "1"}


@pytest.mark.model
@pytest.mark.slow
def test_the_console_blocks_are_true(first_start: dict[str, str]) -> None:
    played = list(steps())
    assert played, "README.md has no console block to run"
    for command, expected in played:
        result = shell(command, first_start)
        assert result.returncode == 0, f"$ {command}\n{result.stderr}"
        assert normal(result.stdout) == normal(expected), f"$ {command}\n{result.stderr}"


@pytest.mark.model
@pytest.mark.slow
def test_the_quickstart_runs_as_it_stands(first_start: dict[str, str]) -> None:
    assert "examples/quickstart.py" in README
    first = shell(f"python '{ROOT / 'examples' / 'quickstart.py'}'", first_start)
    assert first.returncode == 0, first.stderr
    assert "creating the demo store" in first.stdout
    assert "Desk Lamp: " in first.stdout and "I'll cancel order #W4382745" in first.stdout
    assert first.stdout.rstrip().endswith("nothing was changed."), "it leaves the demo shop as it was"
    second = shell(f"python '{ROOT / 'examples' / 'quickstart.py'}'", first_start)
    assert second.stdout == first.stdout.partition("\n")[2], f"nothing is made twice\n{second.stderr}"


@pytest.mark.model
@pytest.mark.slow
def test_the_programs_of_the_embedding_page_run(first_start: dict[str, str], tmp_path: Path) -> None:
    page = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    in_python, in_asyncio, _in_fastapi = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    header, _, body = in_asyncio.partition("\n\n")
    program = tmp_path / "program.py"
    coroutine = "async def main():\n" + textwrap.indent(body, "    ")
    program.write_text(f"{in_python}\nimport asyncio\n{header}\n{coroutine}\nasyncio.run(main())\n", encoding="utf-8")
    result = shell(f"python '{program}'", first_start)
    assert result.returncode == 0, result.stderr
    assert "e-mail address" in result.stdout and "ReplyEvent(" in result.stdout


def test_the_quickstart_says_what_is_missing(tmp_path: Path) -> None:
    """A box without a network and without a model: the remedy, no traceback."""
    environ = {**os.environ, "SHOPBOT_HOME": str(tmp_path), "SHOPBOT_OFFLINE": "1"}
    result = shell(f"python '{ROOT / 'examples' / 'quickstart.py'}'", environ)
    assert result.returncode == 1
    assert "quickstart: " in result.stderr and "Traceback" not in result.stderr


def test_there_is_something_to_run() -> None:
    assert blocks("console"), "README.md has no console block"
    strangers = [command for command, _ in steps() if "shopbot" not in command]
    assert not strangers, f"these lines run no shopbot: {strangers}"


def commands(page: str = README) -> list[str]:
    """Every ``shopbot …`` of the sh blocks, without ``shopbot``."""
    found = []
    for block in blocks("sh", page):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].rpartition("/")[2] == "shopbot":
                found.append(" ".join(words[1:]))
    return sorted(set(found))


@pytest.mark.parametrize("line", commands())
def test_each_command_parses(line: str) -> None:
    parse(line)


def parse(line: str) -> None:
    """Read by the command line's own parser: command and options must exist. Nothing runs."""
    import click

    from shopbot.cli import main

    words = shlex.split(line)
    command: click.Command = main
    context = click.Context(main, info_name="shopbot")
    while isinstance(command, click.Group) and words:
        name, found, words = command.resolve_command(context, words)
        assert found is not None, f"there is no '{name}' in 'shopbot {line}'"
        command, context = found, click.Context(found, info_name=name, parent=context)
    command.make_parser(context).parse_args(words)
    assert command.get_help(context)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)\b(?=`|\s+#|\s*$)", README, re.MULTILINE))))
def test_each_target_exists(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"the Makefile has no target '{target}'"


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", README)
    dead = [target for target in targets if not (ROOT / target).exists()]
    assert not dead, f"README.md links to what is not there: {dead}"
