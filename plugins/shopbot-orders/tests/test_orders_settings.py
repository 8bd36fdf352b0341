"""``[plugins.orders]``: what a shop can set, and the errors that say what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import shopbot_orders
from shopbot_orders.settings import Settings

from shopbot.errors import ConfigError


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"allow_cancle": True}, "Did you mean 'allow_cancel'?"),
        ({"window": 3}, "Known keys: allow_address_change"),
        ({"allow_cancel": "perhaps"}, "allow_cancel"),
        ({"refund_days": ""}, "refund_days"),
        ({"currency": ""}, "currency"),
        ({"tracking_urls": {"UPS": "http://track.example/{tracking_id}"}}, "https://"),
        ({"tracking_urls": {"UPS": "https://track.example/"}}, "{tracking_id}"),
        ({"tracking_urls": {"UPS": "https://track.example/{tracking_id}{x}"}}, "{tracking_id}"),
    ],
)
def test_a_wrong_table_is_refused_when_the_bot_opens(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shopbot_orders.shopbot_register_tools(table)
    assert says in str(caught.value)
    assert "[plugins.orders]" in str(caught.value)


def test_values_from_the_environment_are_strings() -> None:
    assert Settings.of({"allow_cancel": "false"}).allow_cancel is False


def test_every_tool_can_be_routed_from_its_examples() -> None:
    for tool in shopbot_orders.shopbot_register_tools({}):
        assert 8 <= len(set(tool.examples)) <= 15, tool.name
        for example in tool.examples:
            marked = [part.partition(":")[0] for part in example.split("[")[1:]]
            unknown = [slot for slot in marked if tool.parameter(slot) is None]
            assert not unknown, f"{tool.name} has no slot {unknown}: {example}"
