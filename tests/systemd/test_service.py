"""``shopbot service``: how the unit gets into force and out again, and what is said where that cannot be.

Where the tests run, systemd seldom does, so a program that writes down what it is asked stands in for ``systemctl``.
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from shopbot.config import Config
from shopbot.errors import ShopbotError
from shopbot.systemd.account import prepare_home
from shopbot.systemd.control import NAME, Systemd
from shopbot.systemd.unit import Service

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no systemd")
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$CALLS"
if [ "$2" = "$REFUSED" ]; then echo "Failed to $2 unit: Access denied" >&2; exit 1; fi
if [ "$2" = status ]; then echo "shopbot.service - inactive"; exit 3; fi
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was asked of systemctl, line by line."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("REFUSED", "nothing")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "calls"


def test_install_and_uninstall(calls: Path) -> None:
    systemd = Systemd(is_system=False)
    systemd.install("[Unit]\n")
    assert systemd.file.read_text(encoding="utf-8") == "[Unit]\n"
    assert calls.read_text().splitlines() == [f"--user {asked}" for asked in _INSTALLED]
    calls.unlink()
    assert systemd.uninstall()
    assert not systemd.file.exists()
    assert calls.read_text().splitlines() == [f"--user disable --now {NAME}", "--user daemon-reload"]
    assert not systemd.uninstall()


_INSTALLED = ["daemon-reload", f"enable {NAME}", f"restart {NAME}"]


def test_what_is_refused_leaves_the_old_unit(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(is_system=False)
    monkeypatch.setenv("REFUSED", "enable")
    with pytest.raises(ShopbotError, match="refuses 'enable': Failed to enable unit: Access denied"):
        systemd.install("new")
    assert not systemd.file.exists()
    monkeypatch.setenv("REFUSED", "nothing")
    systemd.install("old")
    monkeypatch.setenv("REFUSED", "enable")
    with pytest.raises(ShopbotError):
        systemd.install("new")
    assert systemd.file.read_text(encoding="utf-8") == "old"


def test_a_service_that_does_not_start_stays_installed(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "restart")
    systemd = Systemd(is_system=False)
    with pytest.raises(ShopbotError, match=f"journalctl --user -u {NAME}"):
        systemd.install("new")
    assert systemd.file.read_text(encoding="utf-8") == "new", "so that it can be looked at and mended"


def test_status_is_systemds(calls: Path) -> None:
    assert Systemd(is_system=False).status() == ("shopbot.service - inactive\n", 3)


@pytest.mark.parametrize("arguments", [("install",), ("uninstall",), ("status",), ("install", "--system")])
def test_without_systemd_it_is_said_what_to_do(program: Any, arguments: tuple[str, ...]) -> None:
    result = program.run("service", *arguments, PATH="/nowhere")
    assert result.returncode == 1
    assert "systemd does not run this machine." in result.stderr and "Traceback" not in result.stderr
    assert not program.home.exists(), "nothing was made"


def test_the_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    service = Service(Config(), tmp_path / "a" / "home")
    prepare_home(service)
    prepare_home(service)
    assert stat.S_IMODE(service.home.stat().st_mode) == 0o700


def test_a_user_who_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ShopbotError, match="useradd --system"):
        prepare_home(Service(Config(), tmp_path / "home", user="no-such-user-here"))
    assert not (tmp_path / "home").exists()


def test_an_interpreter_that_the_user_cannot_reach(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "python").touch()
    with pytest.raises(ShopbotError, match="is closed to others"):
        prepare_home(Service(Config(), tmp_path / "home", user="nobody", interpreter=closed / "python"))
    assert not (tmp_path / "home").exists()


def test_a_user_goes_with_the_system(program: Any) -> None:
    result = program.run("service", "install", "--dry-run", "--user", "kim")
    assert result.returncode == 2 and "--system" in result.stderr
    printed = program.run("service", "install", "--dry-run", "--system", "--user", "nobody").stdout
    assert "User=nobody\n" in printed and "ProtectSystem=strict" in printed


def test_show_prints_what_is_installed(program: Any, tmp_path: Path) -> None:
    before = program.run("service", "show", XDG_CONFIG_HOME=str(tmp_path))
    assert (before.returncode, before.stdout) == (1, "") and "shopbot service install" in before.stderr
    file = tmp_path / "systemd" / "user" / NAME
    file.parent.mkdir(parents=True)
    file.write_text("[Unit]\n", encoding="utf-8")
    assert program.run("service", "show", XDG_CONFIG_HOME=str(tmp_path)).stdout == "[Unit]\n"
