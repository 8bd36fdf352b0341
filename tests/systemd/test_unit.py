"""The unit of ``shopbot service install``: systemd reads it without a complaint, and what it says runs."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shopbot.config import Config, check
from shopbot.errors import ConfigError, ShopbotError
from shopbot.server.run import MAX_STOP_S
from shopbot.systemd.control import NAME, Systemd
from shopbot.systemd.unit import Service, unit_text, writable_folders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no systemd")
ODD = 'a home of "50%" and $5'


def settings(text: str) -> dict[str, str]:
    """The unit's settings; of those that are there more than once, the last."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize("user", [None, "root"])
@pytest.mark.parametrize("name", ["home", ODD])
def test_systemd_takes_it(tmp_path: Path, user: str | None, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    home = tmp_path / name
    home.mkdir()
    (home / "shopbot.toml").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    text = unit_text(Service(Config(), home, home / "shopbot.toml", user))
    file = tmp_path / NAME
    file.write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "--system" if user else "--user", "--man=no", "verify", str(file)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0 and NAME not in result.stderr, result.stderr
    Systemd(is_system=user is not None).verify(text)


def test_a_unit_that_systemd_refuses_is_said_why() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    text = unit_text(Service(Config(), Path("/tmp"), interpreter=Path("/nowhere/python")))
    with pytest.raises(ShopbotError, match="/nowhere/python"):
        Systemd(is_system=False).verify(text)


def test_it_waits_for_the_turns_under_way(tmp_path: Path) -> None:
    assert int(settings(unit_text(Service(Config(), tmp_path)))["TimeoutStopSec"].rstrip("s")) > MAX_STOP_S


@pytest.mark.parametrize(
    ("config", "folders"),
    [
        ({}, ["/home/shop"]),
        ({"store": {"url": "postgresql://shop@db/shop"}}, ["/home/shop"]),
        ({"store": {"url": "sqlite:////home/shop/data/shop.db"}}, ["/home/shop"]),
        ({"store": {"url": "sqlite:////srv/data/shop.db"}}, ["/home/shop", "/srv/data"]),
        ({"transcripts": {"path": "/var/log/shop/transcripts.db"}}, ["/home/shop", "/var/log/shop"]),
    ],
)
def test_only_its_own_folders_can_be_written(
    config: dict[str, Any], folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", "/home/shop")
    service = Service(check(config), Path("/home/shop"), user="shop")
    assert [str(folder) for folder in writable_folders(service)] == folders
    assert settings(unit_text(service))["ReadWritePaths"] == " ".join(f'"{folder}"' for folder in folders)


@pytest.mark.parametrize(("port", "capability"), [(8000, ""), (0, ""), (443, "CAP_NET_BIND_SERVICE")])
def test_a_low_port_is_the_only_capability(tmp_path: Path, port: int, capability: str) -> None:
    text = unit_text(Service(check({"server": {"port": port}}), tmp_path, user="shop"))
    assert settings(text)["CapabilityBoundingSet"] == capability


@pytest.mark.parametrize("name", ["two\nlines", "a\ttab", "\x1b[31m", "\udce9"])
def test_a_home_that_no_unit_can_name(name: str) -> None:
    with pytest.raises(ConfigError, match="plain name"):
        unit_text(Service(Config(), Path(f"/srv/{name}")))


def test_what_it_says_runs_and_tells_systemd_when_it_is_ready(program: Any, tmp_path: Path) -> None:
    """The command and the environment of the printed unit, with a socket in systemd's place."""
    program.home.mkdir()
    (program.home / "shopbot.toml").write_text("[server]\nport = 0\n", encoding="utf-8")
    printed = program.run("service", "install", "--dry-run")
    assert printed.returncode == 0, printed.stderr
    assert "SHOPBOT_STORE__URL" in printed.stderr, "settings from the environment are named"
    unit = settings(printed.stdout)
    command = [word.strip('"') for word in unit["ExecStart"].split()]
    assert command[-3:] == ["--config", str(program.home / "shopbot.toml"), "serve"]
    assert unit["Environment"] == f'"SHOPBOT_HOME={program.home}"'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        environment = {**program.environment, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(
            command, cwd=unit["WorkingDirectory"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                assert systemd.recv(100) == b"READY=1"
                process.send_signal(signal.SIGTERM)
                assert systemd.recv(100) == b"STOPPING=1"
                assert process.wait(60) == 0
            finally:
                process.kill()
