"""A new plugin installs, answers and passes its own tests; what is there is never touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shopbot import scaffold
from shopbot.errors import PluginError
from shopbot.scaffold import write_plugin


def test_the_new_plugins_own_tests_pass(tmp_path: Path) -> None:
    folder = write_plugin("gift-wrapping", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed" in result.stdout


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    folder = write_plugin("points", tmp_path / "new" / "place")
    assert folder == tmp_path / "new" / "place" / "shopbot-points"
    assert list(folder.parent.iterdir()) == [folder]
    assert "$" not in "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))


@pytest.mark.parametrize(
    "name", ["", "Points", "1up", "a--b", "-a", "a-", "a_b", "../x", "a/b", "class", "x" * 31, "é", "a\n"]
)
def test_bad_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError, match="cannot be a plugin's name"):
        write_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "shopbot-points").mkdir()
    with pytest.raises(PluginError, match="is there already"):
        write_plugin("points", tmp_path)
    assert list((tmp_path / "shopbot-points").iterdir()) == []


def test_all_of_it_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaffold, "_TEST", "$unknown")  # a failure after most files are written
    with pytest.raises(KeyError):
        write_plugin("points", tmp_path)
    assert list(tmp_path.iterdir()) == []
