"""The table [plugins.returns]."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import shopbot_returns
import tomli
from shopbot_returns.settings import Settings, read_settings

from shopbot.errors import ConfigError


def test_no_table_is_fine() -> None:
    names = [tool.name for tool in shopbot_returns.shopbot_register_tools({})]
    assert names == ["exchange_items", "refund_status", "return_items", "return_status", "returnable_items"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"window_day": 14}, "Did you mean 'window_days'?"),
        ({"colour": "red"}, "Known: "),
        ({"window_days": 0}, "window_days"),
        ({"window_days": "thirty"}, "window_days"),
        ({"window_days": True}, "window_days"),
        ({"refund_to": []}, "refund_to"),
        ({"refund_to": ["bitcoin"]}, "refund_to"),
        ({"refund_days": [7, 5]}, "the fewest days come first"),
        ({"allow_replacement": 1}, "allow_replacement"),
        ({"currency": ""}, "currency"),
    ],
)
def test_a_wrong_table_is_named_before_any_customer_meets_it(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shopbot_returns.shopbot_register_tools(table)
    assert said in str(caught.value)
    assert "[plugins.returns]" in str(caught.value)


def test_every_tool_has_enough_examples_and_marks_known_slots() -> None:
    for tool in shopbot_returns.shopbot_register_tools({}):
        assert 8 <= len(tool.examples) <= 15, f"{tool.name} has {len(tool.examples)} examples"
        assert len(set(tool.examples)) == len(tool.examples)
        marked = {slot for example in tool.examples for slot in re.findall(r"\[(\w+):", example)}
        assert marked <= {parameter.name for parameter in tool.spoken}, f"{tool.name}: {marked}"


def test_the_readme_shows_every_setting() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    table = tomli.loads(block[1])["plugins"]["returns"]
    assert set(table) == set(Settings.model_fields), "the README and the settings differ"
    read_settings(table)
