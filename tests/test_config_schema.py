"""shopbot.toml and the environment: one schema, errors that name the key, secrets that stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.config import Config, check, find_file, home, load
from shopbot.errors import ConfigError

SECRET = "correct-horse-battery"


@pytest.fixture
def write(tmp_path: Path) -> object:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "shop.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[sesion]\nmax_turns = 3", ["'sesion'", "Did you mean 'session'?"]),
        ("[session]\nmax_turn = 3", ["'session.max_turn'", "Did you mean 'max_turns'?"]),
        ("[store]\nzebra = 3", ["'store.zebra'", "Known: url"]),
        ("[session]\nmax_turns = 0", ["'session.max_turns'"]),
        ("[session]\nmax_turns = 'many'", ["'session.max_turns'"]),
        ("[identity]\naccept = ['face']", ["'identity.accept.0'"]),
        ("session = 3", ["'session'"]),
        ("[server]\nport = 70000", ["'server.port'"]),
        ("[session\nmax_turns = 3", ["cannot be read"]),
        ("[session]\nmax_turns = 3\nmax_turns = 4", ["cannot be read"]),
        (b"\xff\xfe\x00", ["cannot be read"]),
    ],
)
def test_what_is_wrong_is_named(write: object, text: str | bytes, parts: list[str]) -> None:
    path = write(text)  # type: ignore[operator]
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    missing = [part for part in [str(path), *parts] if part not in str(caught.value)]
    assert not missing, f"the error does not name {missing}: {caught.value}"


def test_the_file_then_the_environment(write: object) -> None:
    path = write("[session]\nmax_turns = 3\nmax_message_chars = 99\n[plugins.orders]\nallow_cancel = false")  # type: ignore[operator]
    environ = {
        "SHOPBOT_SESSION__MAX_TURNS": "7",
        "SHOPBOT_IDENTITY__ACCEPT": '["email"]',
        "SHOPBOT_TRANSCRIPTS__ENABLED": "false",
        "SHOPBOT_PLUGINS__FAQ": '{folder = "faq"}',
        "SHOPBOT_PLUGINS__FAQ__THRESHOLD": "0.4",
        "SHOPBOT_PLUGINS__ORDERS__ALLOW_CHANGES": "true",
        "SHOPBOT_HOME": "/nowhere",
        "PATH": "/bin",
    }
    config = load(path, environ=environ)
    assert config.session.max_turns == 7
    assert config.session.max_message_chars == 99
    assert config.identity.accept == ("email",)
    assert config.transcripts.enabled is False
    assert config.plugins == {
        "orders": {"allow_cancel": False, "allow_changes": True},
        "faq": {"folder": "faq", "threshold": 0.4},
    }


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("SHOPBOT_STORE_URL", "x", "SHOPBOT_STORE_URL names no configuration key"),
        ("SHOPBOT_STORE__", "x", "SHOPBOT_STORE__ names no configuration key"),
        ("SHOPBOT_STORE__URI", "x", "Did you mean 'url'?"),
        ("SHOPBOT_STOR__URL", "x", "Did you mean 'store'?"),
        ("SHOPBOT_IDENTITY__ACCEPT", "[email", "SHOPBOT_IDENTITY__ACCEPT is no TOML value"),
        ("SHOPBOT_SESSION__MAX_TURNS", "many", "'session.max_turns'"),
    ],
)
def test_a_wrong_variable_is_named(shopbot_home: Path, name: str, value: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={name: value})
    assert part in str(caught.value)


def test_secrets_are_masked() -> None:
    config = load_secret()
    assert SECRET not in repr(config) and SECRET not in str(config) and SECRET not in config.model_dump_json()
    assert config.identity.token_secret.get_secret_value() == SECRET


def load_secret() -> Config:
    return check({"identity": {"token_secret": SECRET}})


def test_a_wrong_value_beside_a_secret_does_not_show_it() -> None:
    with pytest.raises(ConfigError) as caught:
        check({"identity": {"token_secret": SECRET, "accept": ["face"]}})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shopbot config init"):
        find_file(tmp_path / "none.toml")


def test_the_nearest_file_holds(shopbot_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file() is None
    shopbot_home.mkdir()
    own = shopbot_home / "shopbot.toml"
    own.write_text("", encoding="utf-8")
    assert find_file() == own
    (tmp_path / "shopbot.toml").write_text("", encoding="utf-8")
    assert find_file() == tmp_path / "shopbot.toml"
    monkeypatch.setenv("SHOPBOT_CONFIG", str(own))
    assert find_file() == own


def test_everything_lives_at_home(shopbot_home: Path) -> None:
    config = check({})
    assert home() == shopbot_home
    assert config.store_url == f"sqlite:///{shopbot_home / 'store.db'}"
    assert config.transcripts_path == shopbot_home / "transcripts.db"
