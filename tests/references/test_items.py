"""Which items of an order the customer means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.references import Choose, Found, Unknown, resolve_items
from shopbot.references.items import item_matches, items_in

DELIVERED = "#W5947477"  # Hiking Boots, Water Bottle, Backpack


def names(order: Any, *words: str) -> list[str]:
    outcome = resolve_items(order, words)
    assert isinstance(outcome, Found), outcome
    return [item.name for item in outcome.value]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["the boots"], ["Hiking Boots"]),
        (["hikng boot"], ["Hiking Boots"]),
        (["backpak"], ["Backpack"]),
        (["back pack"], ["Backpack"]),
        (["the bottle and the boots"], ["Water Bottle", "Hiking Boots"]),
        (["the bottle", "the boots"], ["Water Bottle", "Hiking Boots"]),
        (["boots, bottle & backpack"], ["Hiking Boots", "Water Bottle", "Backpack"]),
        (["everything"], ["Hiking Boots", "Water Bottle", "Backpack"]),
        (["all of it"], ["Hiking Boots", "Water Bottle", "Backpack"]),
        (["the second one"], ["Water Bottle"]),
        (["the last one"], ["Backpack"]),
        (["number 1"], ["Hiking Boots"]),
        (["the brown one"], ["Hiking Boots"]),
        (["9375012581"], ["Backpack"]),
        (["Backpack {'color': 'black', 'capacity': '20 L'}"], ["Backpack"]),
        (["the steel one"], ["Water Bottle"]),
    ],
)
def test_items_are_found(ada: Any, words: list[str], expected: list[str]) -> None:
    assert names(ada.order(DELIVERED), *words) == expected


@pytest.mark.parametrize("words", ["it", "the item", "that"])
def test_the_only_item_is_it(ada: Any, words: str) -> None:
    assert names(ada.order("#W4471333"), words) == ["Keyboard"]


def test_a_colour_that_two_things_have_is_asked_about(ada: Any) -> None:
    outcome = resolve_items(ada.order(DELIVERED), ["the black one"])
    assert isinstance(outcome, Choose)
    assert [choice.label.split(" (")[0] for choice in outcome.choices] == ["Water Bottle", "Backpack"]
    for choice in outcome.choices:
        assert len(names(ada.order(DELIVERED), choice.words)) == 1, "a choice resolves to itself"


def test_what_is_not_in_the_order_is_said(ada: Any) -> None:
    outcome = resolve_items(ada.order(DELIVERED), ["the piano"])
    assert isinstance(outcome, Unknown)
    for part in ("the piano", DELIVERED, "Hiking Boots", "Backpack"):
        assert part in outcome.text


@pytest.mark.parametrize(
    ("words", "count"),
    [(["the blender"], 1), (["both blenders"], 2), (["a blender", "a blender"], 2), (["blenders"], 1)],
)
def test_equal_pieces_are_counted(records_of: Any, words: list[str], count: int) -> None:
    order = records_of("ben.ito@example.com").order("#W5613618")  # two equal blenders among other things
    found = names(order, *words)
    assert found == ["Blender"] * len(found)
    assert len(found) >= count


def test_an_item_that_a_message_names_in_full(ada: Any) -> None:
    order = ada.order(DELIVERED)
    assert [item.name for item in items_in(order, "please take the water bottle back") or ()] == ["Water Bottle"]
    assert items_in(order, "please take the water bottle and the backpack back") is None
    assert items_in(order, "please take it back") is None
    assert item_matches(order, "boots") and not item_matches(order, "piano")


WORDS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from("the boots bottle black and , both all second 2 {'color': 'black'} one it".split())).map(
        " ".join
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=3))
def test_only_what_is_in_the_order(ada: Any, words: list[str]) -> None:
    order = ada.order(DELIVERED)
    outcome = resolve_items(order, words)
    if isinstance(outcome, Found):
        assert all(item in order.items for item in outcome.value)
    if isinstance(outcome, Choose):
        assert outcome.choices
        assert {choice.words for choice in outcome.choices} <= {item.variant_id for item in order.items}
    for phrase in words:
        item_matches(order, phrase)
        items_in(order, phrase)
