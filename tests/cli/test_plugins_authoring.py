"""``shopbot plugins new`` and ``check``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shopbot.cli import main


def shopbot(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plugins", *arguments])


def test_new_then_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = shopbot("new", "cli-fresh", "--path", str(tmp_path), "--json")
    folder = Path(json.loads(written.stdout)["folder"])
    assert (written.exit_code, folder.name) == (0, "shopbot-cli-fresh")
    monkeypatch.chdir(folder)
    result = shopbot("check", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["plugin"]) == (1, "cli-fresh")
    assert [rung["name"] for rung in report["rungs"] if rung["state"] == "todo"] == ["cases"]
    assert "✗ cases" in shopbot("check").stdout


def test_check_is_content_with_an_exemption(tmp_path: Path) -> None:
    folder = Path(shopbot("new", "cli-exempt", "--path", str(tmp_path)).stdout.strip())
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.shopbot.check.exempt]\ncases = "a demo for docs"\n')
    result = shopbot("check", str(folder))
    assert (result.exit_code, "– cases        a demo for docs" in result.stdout) == (0, True)


def test_errors_are_one_line(tmp_path: Path) -> None:
    bad = shopbot("new", "Bad Name", "--path", str(tmp_path))
    assert (bad.exit_code, bad.stdout, len(bad.stderr.splitlines())) == (1, "", 1)
    unknown = shopbot("check", "no-such-plugin")
    assert (unknown.exit_code, "neither a folder nor installed" in unknown.stderr) == (1, True)
