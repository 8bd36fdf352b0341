"""What an operator may write, and what they are told otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import shopbot_deferral
from shopbot_deferral.settings import Settings

from shopbot import ConfigError, PluginManager

GOOD: dict[str, Any] = {
    "enabled": True,
    "base_url": "https://cloud.example/v1",
    "model": "large",
    "input_price": 1,
    "output_price": 2,
}


def test_off_is_the_default_and_asks_for_nothing() -> None:
    assert Settings.of({}).enabled is False
    assert shopbot_deferral.shopbot_register_cloud_model({}) is None


def test_what_is_right() -> None:
    settings = Settings.of(GOOD)
    assert (settings.time_budget_s, settings.at_once, settings.is_here) == (3.0, 1, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bugdet": 3}, r"plugins\.deferral\.bugdet: .* The keys .* budget"),
        ({"budget": -1}, r"plugins\.deferral\.budget"),
        ({"time_budget_s": 3600}, r"plugins\.deferral\.time_budget_s"),
        ({"input_price": float("nan")}, r"plugins\.deferral\.input_price"),
        ({"input_price": None}, r"no budget could be kept\. Give the prices"),
        ({"model": ""}, r"model is missing\. Name"),
        ({"base_url": ""}, r"no http or https address\. Give"),
        ({"base_url": "ftp://cloud.example"}, r"no http or https address"),
        ({"base_url": "https://[::1"}, r"no http or https address"),
        ({"base_url": "https://me:secret@cloud.example/v1"}, r"holds a user name\. Put the key"),
        ({"base_url": "http://cloud.example/v1"}, r"to cloud\.example unencrypted\. Use https"),
        ({"api_key_env": "NO_SUCH_KEY"}, r"no key for cloud\.example\. Set the environment variable NO_SUCH_KEY"),
        ({"api_key_env": "ODD_KEY"}, r"The key in ODD_KEY is none\. Set it anew"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.setenv("ODD_KEY", "key\nHost: elsewhere")
    with pytest.raises(ConfigError, match=message) as caught:
        Settings.of({**GOOD, **change})
    assert "secret" not in str(caught.value)


def test_a_key_in_the_file_is_an_unknown_key_and_is_not_told() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.of({**GOOD, "api_key": "sk-canary"})
    assert "sk-canary" not in str(caught.value) and "api_key_env" in str(caught.value)


def test_an_endpoint_on_this_machine_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert Settings.of({**GOOD, "base_url": f"http://{host}:8080/v1"}).is_here


def test_offline_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"SHOPBOT_OFFLINE forbids the cloud model\. Unset it"):
        shopbot_deferral.shopbot_register_cloud_model(GOOD)


def test_a_wrong_table_leaves_the_plugin_out_and_the_bot_goes_on() -> None:
    plugins = PluginManager({"deferral": {**GOOD, "model": ""}})
    plugins.register(shopbot_deferral, "deferral")
    assert plugins.cloud_model() is None
    assert "Name the endpoint's model" in plugins.failures["deferral"]
