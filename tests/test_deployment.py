"""docs/deployment.md: its commands exist, its settings are settings, its numbers are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomli

from shopbot.config import Config, check
from shopbot.server.run import MAX_STOP_S
from shopbot.systemd.unit import Service, unit_text
from tests.test_readme import blocks, commands, parse

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", commands(PAGE))
def test_each_command_parses(line: str) -> None:
    parse(line)


def test_its_settings_fit_its_nginx() -> None:
    [settings] = [check(tomli.loads(block)) for block in blocks("toml", PAGE)]
    nginx = (ROOT / "examples" / "nginx" / "shopbot.conf").read_text(encoding="utf-8")
    assert f"server {settings.server.host}:{settings.server.port};" in nginx
    assert f"server_name {settings.server.allowed_hosts[0]};" in nginx


def test_how_long_a_stop_takes() -> None:
    told = re.search(r"up to (\d+) seconds; systemd waits for (\d+)\.", PAGE)
    assert told is not None
    assert int(told[1]) == MAX_STOP_S
    assert f"TimeoutStopSec={told[2]}s" in unit_text(Service(Config(), Path("/srv/shop")))


def test_the_metrics_that_are_to_be_watched_exist() -> None:
    contract = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    names = set(re.findall(r"shopbot_[a-z_]+(?=[{`])", PAGE))
    assert names and all(name in contract for name in names)
