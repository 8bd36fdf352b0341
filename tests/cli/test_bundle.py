"""``shopbot bundle`` as an operator of a fleet types it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

CASES = '[[case]]\nname = "hours"\n[[case.turn]]\nsay = "when do you open?"\nsays = ["From 9 to 18"]\n'


@pytest.fixture
def made(program: Any, tmp_path: Path) -> Path:
    """A bundle of the shipped checkpoint, and a box that trusts its key."""
    (tmp_path / "cases.toml").write_text(CASES)
    key, bundle = tmp_path / "acme", tmp_path / "acme-1.bundle"
    keygen = program.run("bundle", "keygen", str(key))
    assert keygen.returncode == 0 and keygen.stdout.startswith("ssh-ed25519 ")
    assert program.run("bundle", "trust", f"{key}.pub").returncode == 0
    options = ("--key", str(key), "--golden", str(tmp_path / "cases.toml"), "--output", str(bundle))
    built = program.run("bundle", "build", "acme", "1", *options)
    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith(f"Built: {bundle} (4.9 MB, 1 golden cases)")
    return bundle


def test_the_way_of_a_bundle(program: Any, made: Path) -> None:
    verified = program.run("bundle", "verify", str(made))
    assert "acme 1: signature and 4 files are right." in verified.stdout
    assert json.loads(program.run("bundle", "verify", str(made), "--json").stdout)["version"] == "1"
    installed = program.run("bundle", "install", str(made), "--json")
    assert (installed.returncode, json.loads(installed.stdout)) == (0, {"current": "acme-1"}), installed.stderr
    assert "1 of 1 golden cases passed." in installed.stderr
    assert "Not baked: The backend 'puppet' runs no baked checkpoint." in installed.stderr
    assert program.run("bundle", "list").stdout == "* acme 1  1 golden cases\n"
    assert json.loads(program.run("checkpoint", "show", "--json").stdout)["name"] == "acme-1"
    again = program.run("bundle", "install", str(made))
    assert (again.returncode, again.stdout) == (0, "In force: acme 1\n") and "already" in again.stderr
    back = program.run("bundle", "rollback", "--json")
    assert json.loads(back.stdout) == {"current": None} and "no bundle is in force now" in back.stderr
    assert json.loads(program.run("checkpoint", "show", "--json").stdout)["is_shipped"]
    nothing = program.run("bundle", "rollback")
    assert (nothing.returncode, nothing.stdout) == (1, "") and "nothing to roll back" in nothing.stderr


def test_bad_input_is_told_in_one_line(program: Any, made: Path, tmp_path: Path) -> None:
    made.write_bytes(made.read_bytes()[:-1])
    for command in ("verify", "install"):
        refused = program.run("bundle", command, str(made))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"shopbot: '{made}' is truncated: 1 bytes are missing. Fetch it again.\n"
    key = str(tmp_path / "acme")
    name = program.run("bundle", "build", "Acme", "1", "--key", key)
    assert name.returncode == 2 and "is no bundle's name" in name.stderr
    version = program.run("bundle", "build", "acme", "one", "--key", key)
    assert version.returncode == 2 and "is no version" in version.stderr
    public = program.run("bundle", "build", "acme", "1", "--key", f"{key}.pub")
    assert public.returncode == 1 and "holds no private key" in public.stderr
    assert program.run("bundle", "keygen", key).returncode == 1
    assert program.run("bundle", "trust", key).returncode == 1
    (tmp_path / "cases.toml").write_text(CASES.replace("From 9", "From 7"))
    failing = program.run("bundle", "build", "acme", "2", "--key", key, "--golden", str(tmp_path / "cases.toml"))
    assert failing.returncode == 3 and "'hours' first" in failing.stderr


def commands_of_the_handbook() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("shopbot ")]


@pytest.mark.parametrize("line", commands_of_the_handbook())
def test_each_command_of_the_handbook_exists(line: str) -> None:
    """Command and options are read by the command line's own parser; nothing runs."""
    from click.testing import CliRunner

    from shopbot.cli import main

    files = re.compile(r"(?<=\s)\S+\.(?:bundle|toml|pub)\b|(?<=--key )\S+")
    words = shlex.split(files.sub(__file__, line), comments=True)
    asked = CliRunner().invoke(main, [*words[1:], "--help"])
    assert asked.exit_code == 0 and "Usage:" in asked.stdout, asked.output
