"""The real program in a home of its own, with a plugin that brings a scripted backend and one tool."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PUPPET = """
from shopbot import Answer, hookimpl, tool
from shopbot.backends.scripted import ScriptedBackend

@tool(effect="read", examples=["when do you open?", "are you open on sunday"])
def puppet_hours(ctx):
    "When the shop is open."
    return Answer("From 9 to 18.\\x1b[31m")

@hookimpl
def shopbot_register_tools(config):
    return [puppet_hours]

@hookimpl
def shopbot_register_backends():
    return {"puppet": lambda settings: ScriptedBackend({"when do you open?": "puppet_hours()", "": "out_of_scope()"})}
"""


@dataclass(frozen=True)
class Program:
    """Runs ``shopbot`` as a user does."""

    home: Path
    environment: dict[str, str]
    command: tuple[str, ...] = (sys.executable, "-c", "from shopbot.cli import main; main(prog_name='shopbot')")

    def run(self, *arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            env={**self.environment, **environment},
            input=typed,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )


@pytest.fixture
def install_plugin(tmp_path: Path) -> Callable[[str, str], Path]:
    """``install_plugin(name, source)``: a plugin as an installed distribution looks, in the folder that is returned."""

    def install(name: str, source: str) -> Path:
        folder = tmp_path / "site"
        metadata = folder / f"{name}_plugin-1.0.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{name}_plugin.py").write_text(source, encoding="utf-8")
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n", encoding="utf-8"
        )
        (metadata / "entry_points.txt").write_text(f"[shopbot]\n{name} = {name}_plugin\n", encoding="utf-8")
        return folder

    return install


@pytest.fixture
def program(tmp_path: Path, install_plugin: Any) -> Program:
    """``shopbot`` with the scripted backend and an empty store."""
    home = tmp_path / "home"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOPBOT_")}
    own = {
        "PYTHONPATH": str(install_plugin("puppet", PUPPET)),
        "PYTHONUTF8": "1",
        "SHOPBOT_HOME": str(home),
        "SHOPBOT_MODEL__BACKEND": "puppet",
        "SHOPBOT_STORE__URL": f"sqlite:///{tmp_path / 'empty.db'}",
    }
    return Program(home, {**kept, **own})
