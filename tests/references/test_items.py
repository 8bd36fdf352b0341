"""Which items of an order the customer means."""

from __future__ import annotations

from dataclasses import replace
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
        (["the boots", "my boots"], ["Hiking Boots"]),
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


#: Two equal blenders, jeans, a tent, a wool sweater; two equal plant pots; a floor lamp, a pen, a cable, a desk lamp.
BEN, CLARA, MATEO = "#W5613618", "#W6474689", "#W9794904"
BLENDERS, JEANS, TENT, SWEATER = ["Blender", "Blender"], ["Jeans"], ["Tent"], ["Wool Sweater"]


@pytest.fixture(scope="module")
def orders(records_of: Any) -> dict[str, Any]:
    customers = ("ada", "ben.ito", "clara.vega", "mateo.zhang", "rosa.singh")
    return {order.id: order for name in customers for order in records_of(f"{name}@example.com").orders}


@pytest.mark.parametrize(
    "words",
    [
        "everything from #W5613618 except the tent",
        "everything except the tent",
        "everything except for the green tent, please",
        "everything excluding the tent",
        "everything apart from the tent",
        "everything other than the tent",
        "everything but the tent",
        "everything, but not the tent",
        "everything, I'll keep the tent",
        "all but the tent",
        "all except the tent",
        "all of it, not the tent",
        "all items but the tent",
        "the whole order without the tent",
        "the entire order w/o the tent",
        "the whole order. Keep the tent",
        "the whole order minus the tent",
        "my order without the tent",
        "except the tent",
        "all but the third one",
    ],
)
def test_everything_but_one_thing(orders: Any, words: str) -> None:
    assert sorted(names(orders[BEN], words)) == sorted([*BLENDERS, *JEANS, *SWEATER])
    assert item_matches(orders[BEN], words)


@pytest.mark.parametrize(
    ("order_id", "words", "expected"),
    [
        (BEN, "everything except the tent and the jeans", [*BLENDERS, *SWEATER]),
        (BEN, "everything but the jeans, the tent and the sweater", BLENDERS),
        (BEN, "all but the tent, not the jeans", [*BLENDERS, *SWEATER]),
        (BEN, "everything except the blender", [*JEANS, *TENT, *SWEATER]),
        (BEN, "everything except one blender", ["Blender", *JEANS, *TENT, *SWEATER]),
        (BEN, "everything but one of the blenders", ["Blender", *JEANS, *TENT, *SWEATER]),
        (MATEO, "all the lamps except the desk lamp", ["Floor Lamp"]),
        (MATEO, "both lamps but not the white one", ["Floor Lamp"]),
        (BEN, "the jeans, not the tent", JEANS),
        (BEN, "the jeans and the sweater but not the tent", [*JEANS, *SWEATER]),
        (BEN, "not everything, just the tent", TENT),
        (BEN, "not the whole order, only the jeans and the tent", [*JEANS, *TENT]),
        (BEN, "nothing but the tent", TENT),
    ],
)
def test_what_is_left_out(orders: Any, order_id: str, words: str, expected: list[str]) -> None:
    assert sorted(names(orders[order_id], words)) == sorted(expected)


@pytest.mark.parametrize(
    ("order_id", "words", "part"),
    [
        (BEN, "everything except the piano", "the piano"),
        (BEN, "the whole order without the boots", "the boots"),
        (BEN, "everything but one", "name what you do mean"),
        (MATEO, "everything except the lamp", "name what you do mean"),
        (BEN, "everything except the blenders, jeans, tent and sweater", "nothing is left"),
        (CLARA, "everything but the plant pots", "nothing is left"),
    ],
)
def test_what_cannot_be_left_out_is_said(orders: Any, order_id: str, words: str, part: str) -> None:
    outcome = resolve_items(orders[order_id], [words])
    assert isinstance(outcome, Unknown), "a list to pick from would turn the meaning round"
    assert part in outcome.text


def test_a_name_may_have_such_a_word(orders: Any) -> None:
    cup = replace(orders[BEN].items[0], name="Keep Cup", variant_id="1", product_id="2")
    order = replace(orders[BEN], items=(cup, *orders[BEN].items))
    assert names(order, "the keep cup") == ["Keep Cup"]


def test_a_message_that_leaves_a_thing_out_does_not_name_it(orders: Any) -> None:
    assert items_in(orders[BEN], "please take everything back except the tent") is None
    assert items_in(orders[BEN], "I'm not happy with the tent, please take it back") == (orders[BEN].items[2],)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the jeans that do not fit", JEANS),
        ("the blender that's not working", ["Blender"]),
        ("the tent without poles", TENT),
        ("the sweater, no longer wanted", SWEATER),
        ("the sweater but the burgundy one", SWEATER),
    ],
)
def test_not_and_without_may_just_describe(orders: Any, words: str, expected: list[str]) -> None:
    assert names(orders[BEN], words) == expected


@pytest.mark.parametrize(
    ("order_id", "words", "expected"),
    [
        ("#W8345598", "both umbrellas", ["Umbrella", "Umbrella"]),
        ("#W8345598", "all the umbrellas", ["Umbrella", "Umbrella"]),
        ("#W8345598", "the two umbrellas", ["Umbrella", "Umbrella"]),
        ("#W8345598", "both", ["Umbrella", "Umbrella"]),
        ("#W8345598", "both of them", ["Umbrella", "Umbrella"]),
        ("#W8345598", "two of them", ["Umbrella", "Umbrella"]),
        ("#W8345598", "my umbrellas", ["Umbrella", "Umbrella"]),
        ("#W8345598", "the umbrella", ["Umbrella"]),
        (CLARA, "one of the two plant pots", ["Plant Pot"]),
        (CLARA, "one of the plant pots", ["Plant Pot"]),
        (CLARA, "just one of my plant pots", ["Plant Pot"]),
        (CLARA, "only one plant pot", ["Plant Pot"]),
        (CLARA, "either of the pots", ["Plant Pot"]),
        (CLARA, "one of them", ["Plant Pot"]),
        (CLARA, "one plant pot", ["Plant Pot"]),
        (CLARA, "2 plant pots", ["Plant Pot", "Plant Pot"]),
        (MATEO, "both lamps", ["Floor Lamp", "Desk Lamp"]),
        (MATEO, "every lamp", ["Floor Lamp", "Desk Lamp"]),
        (BEN, "all the tents", TENT),
        (BEN, "the 4 person tent", TENT),
        (BEN, "both the tent and the jeans", [*JEANS, *TENT]),
        (BEN, "both blenders and the tent", [*BLENDERS, *TENT]),
    ],
)
def test_pieces_are_counted(orders: Any, order_id: str, words: str, expected: list[str]) -> None:
    assert names(orders[order_id], words) == expected


@pytest.mark.parametrize("words", ["one of the lamps", "just one of the two lamps", "one lamp"])
def test_one_of_two_different_things_is_asked_about(orders: Any, words: str) -> None:
    outcome = resolve_items(orders[MATEO], [words])
    assert isinstance(outcome, Choose)
    assert [choice.label.split(" (")[0] for choice in outcome.choices] == ["Floor Lamp", "Desk Lamp"]


@pytest.mark.parametrize(
    "words", ["both umbrellas", "all the umbrellas", "all umbrellas", "every umbrella", "table clock"]
)
def test_things_that_are_not_there_are_not_everything(orders: Any, words: str) -> None:
    for order_id in (BEN, MATEO, "#W3723455"):
        assert not item_matches(orders[order_id], words), order_id


WORDS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            (
                "the boots bottle black and , both all second 2 {'color': 'black'} one it everything but except not of"
            ).split()
        )
    ).map(" ".join),
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
