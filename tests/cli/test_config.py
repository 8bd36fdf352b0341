"""``shopbot config``: what holds, where it comes from, and a file that starts one off."""

from __future__ import annotations

import json
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli
from click.testing import CliRunner, Result

from shopbot.cli import main
from shopbot.config import Config, check
from shopbot.config_file import effective, mask, template


@pytest.fixture(autouse=True)
def _nobodys_settings(shopbot_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, list(arguments))


def test_show_names_the_origin_and_hides_secrets(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(
        '[shop]\nname = "Lamp & Co"\n[identity]\ntoken_secret = "hush"\n'
        '[store]\nurl = "postgresql://bot:pass@db/shop"\n'
        '[plugins.refine]\napi_key = "hush"\nrounds = 3\n[plugins.orders.mail]\npassword = "hush"\n',
        encoding="utf-8",
    )
    shown = call("--config", str(file), "config", "show", "--json", SHOPBOT_SERVER__PORT="8123")
    assert shown.exit_code == 0, shown.stderr
    settings = {setting["key"]: (setting["value"], setting["origin"]) for setting in json.loads(shown.stdout)}
    assert settings["shop.name"] == ("Lamp & Co", str(file))
    assert settings["server.port"] == (8123, "environment")
    assert settings["server.host"] == ("127.0.0.1", "default")
    assert settings["identity.token_secret"][0] == "********"
    assert settings["store.url"][0] == "postgresql://bot:********@db/shop"
    assert settings["plugins.refine"] == ({"api_key": "********", "rounds": 3}, str(file))
    plain = call("--config", str(file), "config", "show")
    assert "hush" not in plain.stdout + shown.stdout
    assert "pass@" not in plain.stdout + shown.stdout


def test_every_key_of_the_schema_is_shown_and_written() -> None:
    keys = {setting.key for setting in effective(Config(), None, {})}
    sections = [(name, field.annotation) for name, field in Config.model_fields.items()]
    expected = {f"{name}.{key}" for name, section in sections for key in getattr(section, "model_fields", {})}
    assert keys == expected
    written = uncommented(template())
    assert check(written) == Config()
    assert {f"{section}.{key}" for section, table in written.items() for key in table} == expected


def uncommented(text: str) -> dict[str, Any]:
    """The template with its keys in force."""
    return tomli.loads(re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE))


def test_init_writes_once_and_for_the_owner_only(shopbot_home: Path) -> None:
    written = call("config", "init")
    assert written.exit_code == 0, written.stderr
    file = Path(written.stdout.strip())
    assert file == shopbot_home / "shopbot.toml"
    assert tomli.loads(file.read_text(encoding="utf-8"))["server"] == {}
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert call("config", "show").exit_code == 0

    file.write_text("[server]\nport = 1\n", encoding="utf-8")
    again = call("config", "init")
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert "port = 1" in file.read_text(encoding="utf-8")
    assert call("config", "init", "--force").exit_code == 0
    assert "# port = 8000" in file.read_text(encoding="utf-8")


def test_path(shopbot_home: Path, tmp_path: Path) -> None:
    missing = call("config", "path")
    assert (missing.exit_code, missing.stdout.strip()) == (0, str(shopbot_home / "shopbot.toml"))
    assert "no configuration file" in missing.stderr
    (tmp_path / "shopbot.toml").write_text("", encoding="utf-8")
    found = json.loads(call("config", "path", "--json").stdout)
    assert found == {"path": str(tmp_path / "shopbot.toml"), "exists": True}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[server]\nprot = 1\n", "'port'"),
        ("[sever]\nport = 1\n", "'server'"),
        ("[server]\nport = 'x'\n", "server.port"),
        ("[server\n", "cannot be read"),
        ("server = 1\n", "server"),
    ],
)
def test_a_wrong_file_is_a_usage_error(tmp_path: Path, text: str, hint: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    result = call("--config", str(file), "config", "show")
    assert result.exit_code == 2
    assert hint in result.stderr
    assert result.stdout == ""


def test_masking_reaches_into_tables_and_lists() -> None:
    value = {"outer": [{"apiKey": "a", "token": "b", "name": "c"}], "url": "https://u:p@h/x", "empty_secret": ""}
    masked = mask("plugin", value)
    assert masked["outer"] == [{"apiKey": "********", "token": "********", "name": "c"}]
    assert masked["url"] == "https://u:********@h/x"
    assert masked["empty_secret"] == ""
