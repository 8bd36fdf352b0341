"""The Containerfile, as far as it can be tested without building it: its style, what it copies, its commands."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shopbot.server.run import MAX_STOP_S
from tests.cli.conftest import install_plugin, program  # noqa: F401 - fixtures

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def instructions(name: str) -> list[str]:
    """What stands behind an instruction, each time that it is there."""
    return [line.strip().removeprefix(f"{name} ").strip() for line in LINES if line.strip().startswith(f"{name} ")]


def test_hadolint_has_no_complaint() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    linter = str(beside) if beside.exists() else shutil.which("hadolint")
    if linter is None:
        pytest.skip("there is no hadolint on this machine")
    result = subprocess.run([linter, "--no-color", str(ROOT / "Containerfile")], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_what_it_copies_is_there_and_sent_along() -> None:
    copied = [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert copied and all((ROOT / name).exists() for name in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == allowed


def test_it_does_not_run_as_root() -> None:
    assert instructions("USER") == ["10001"]
    assert "--uid 10001" in " ".join(instructions("RUN"))


def test_its_extras_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r'"\.\[([a-z,]+)\]"', " ".join(instructions("RUN")))[0].split(",")
    assert extras and all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras)


def test_its_commands_run_and_its_health_check_tells(program: Any) -> None:  # noqa: F811
    """Entry point, command and health check as they stand, but for the port."""
    entry, command = json.loads(instructions("ENTRYPOINT")[0]), json.loads(instructions("CMD")[-1])
    assert entry == ["shopbot"] and command[-1] == "8000"
    check = ast.literal_eval(instructions("HEALTHCHECK")[0].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    with program.start(*command[:-1], "0") as process:
        try:
            port = process.stdout.readline().strip().rpartition(":")[2]
            own = [sys.executable, "-c", check[2].replace("8000", port)]
            assert subprocess.run(own, check=False).returncode == 0
            process.terminate()
            process.communicate(timeout=60)
            assert process.returncode == 0
            assert subprocess.run(own, check=False, capture_output=True).returncode != 0
        finally:
            process.kill()


def test_it_is_given_time_to_stop() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    told = [int(seconds) for seconds in re.findall(r"--stop-timeout (\d+)", page)]
    assert told and min(told) > MAX_STOP_S
