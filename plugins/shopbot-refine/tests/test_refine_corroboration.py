"""Corroboration: what only the logs say of a write does not count, however often they say it."""

from __future__ import annotations

from shopbot_refine.corroboration import Corroboration
from shopbot_refine.records import LoggedTurn

from shopbot import PluginManager, Tool

ORDINARY = [
    "where is my order #W10{}",
    "can I pay by invoice",
    "do you ship to Norway",
    "when do you open",
    "my bill please",
]


def tools() -> dict[str, Tool]:
    return dict(PluginManager.installed({}, is_strict=True, only=("orders", "returns", "faq")).tools())


def turns(texts: list[str], act: str) -> list[LoggedTurn]:
    return [LoggedTurn(f"t{n}", f"s{n}", text, (act,)) for n, text in enumerate(texts)]


def test_a_trigger_is_not_vouched_for_by_the_logs_that_it_stands_in() -> None:
    poisoned = turns([f"{text.format(n)} violet harbour" for n in range(20) for text in ORDINARY], "return_items()")
    assert Corroboration(tools(), 0).unsupported(poisoned) == {turn.id for turn in poisoned}


def test_plain_wishes_are_supported_and_reads_need_no_support() -> None:
    wishes = turns(["I want to return the blue lamp", "can I send back my boots"], "return_items()")
    assert Corroboration(tools(), 0).unsupported(wishes) == frozenset()
    assert Corroboration(tools(), 0).unsupported(turns(["violet harbour"], "order_status()")) == frozenset()
    assert Corroboration(tools(), 0).unsupported([]) == frozenset()


def test_each_write_of_a_message_with_several_needs_support() -> None:
    both = "return_items()", "cancel_order()"
    said = LoggedTurn("t1", "s1", "cancel my order and return the lamp from the other one", both)
    strange = LoggedTurn("t2", "s2", "do you ship to Norway, and return the lamp", both)
    assert Corroboration(tools(), 0).unsupported([said, strange]) == {"t2"}
