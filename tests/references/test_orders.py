"""Which order the customer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.references import Choose, Found, Outcome, Unknown, resolve_order
from shopbot.references.orders import own_orders

TODAY = date(2026, 6, 15)
OLD, DELIVERED, SHIPPED, PENDING = "#W9358693", "#W5947477", "#W4471333", "#W4382745"


def ids(outcome: Outcome) -> list[str]:
    """The orders found, or offered; none if nothing fits."""
    if isinstance(outcome, Found):
        return [order.id for order in outcome.value]
    return [choice.words for choice in outcome.choices] if isinstance(outcome, Choose) else []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (PENDING, PENDING),
        ("W4382745", PENDING),
        ("4382745", PENDING),
        ("#w 4382745", PENDING),
        ("order number w-4382745 please", PENDING),
        ("745", PENDING),
        ("the one that ends in 45", PENDING),
        ("ends in 77", DELIVERED),
        ("ending with 333", SHIPPED),
        ("my last order", PENDING),
        ("the most recent one", PENDING),
        ("the order I just placed", PENDING),
        ("my first order", OLD),
        ("the oldest", OLD),
        ("my pending order", PENDING),
        ("the one that hasn't shipped, not yet shipped", PENDING),
        ("the one on its way", SHIPPED),
        ("my last delivered order", DELIVERED),
        ("the one with the lamp", PENDING),
        ("the desk lamp and the pillow", PENDING),
        ("hikng boots", DELIVERED),
        ("keybord", SHIPPED),
        ("the coffee maker", OLD),
        ("my Chicago order", SHIPPED),
        ("yesterday's order", PENDING),
        ("the order from four days ago", SHIPPED),
        ("the one i placed 9 days ago", DELIVERED),
    ],
)
def test_one_order_is_meant(ada: Any, words: str, expected: str) -> None:
    outcome = resolve_order(ada.orders, words, today=TODAY)
    assert isinstance(outcome, Found), outcome
    assert ids(outcome) == [expected]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, [PENDING, SHIPPED, DELIVERED, OLD]),
        ("my order", [PENDING, SHIPPED, DELIVERED, OLD]),
        ("the delivered one", [DELIVERED, OLD]),
        ("my Boston order", [PENDING, DELIVERED, OLD]),
    ],
)
def test_several_are_offered_newest_first(ada: Any, words: str | None, expected: list[str]) -> None:
    outcome = resolve_order(ada.orders, words, today=TODAY)
    assert isinstance(outcome, Choose), outcome
    assert ids(outcome) == expected
    assert all(choice.words in choice.label for choice in outcome.choices)


@pytest.mark.parametrize("words", ["#W4186801", "#W0000000", "ends in 99", "the piano", "order 12345678901234567890"])
def test_what_is_not_there_is_not_found(ada: Any, words: str) -> None:
    assert isinstance(resolve_order(ada.orders, words, today=TODAY), Unknown)


def test_no_orders_at_all() -> None:
    assert isinstance(resolve_order([], "my last order", today=TODAY), Unknown)


@pytest.mark.parametrize(
    ("words", "expected"), [("the second one", DELIVERED), ("2", DELIVERED), ("the last one", OLD)]
)
def test_places_in_the_list_that_was_shown(ada: Any, words: str, expected: str) -> None:
    outcome = resolve_order(ada.orders, words, shown=[PENDING, DELIVERED, OLD], today=TODAY)
    assert ids(outcome) == [expected]


@pytest.mark.parametrize(
    ("words", "expected"),
    [("it", [SHIPPED]), ("that order", [SHIPPED]), (None, [SHIPPED]), ("the other order", [PENDING, DELIVERED, OLD])],
)
def test_the_order_talked_about(ada: Any, words: str | None, expected: list[str]) -> None:
    assert ids(resolve_order(ada.orders, words, focus=SHIPPED, today=TODAY)) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("all my orders", [OLD, DELIVERED, SHIPPED, PENDING]),
        (f"{PENDING} and {SHIPPED}", [PENDING, SHIPPED]),
        (f"both {OLD}, {OLD}", [OLD]),
        ("both delivered orders", [OLD, DELIVERED]),
    ],
)
def test_several_are_meant(ada: Any, words: str, expected: list[str]) -> None:
    outcome = resolve_order(ada.orders, words, today=TODAY)
    assert isinstance(outcome, Found), outcome
    assert ids(outcome) == expected


def test_eligibility_decides_where_the_words_do_not(ada: Any) -> None:
    def is_pending(order: Any) -> bool:
        return bool(order.status == "pending")

    assert ids(resolve_order(ada.orders, None, eligible=is_pending, today=TODAY)) == [PENDING]
    assert ids(resolve_order(ada.orders, OLD, eligible=is_pending, today=TODAY)) == [OLD], "named outright"


def test_things_and_amounts_tell_orders_apart(ada: Any) -> None:
    assert ids(resolve_order(ada.orders, None, item_words=["the boots", "backpack"], today=TODAY)) == [DELIVERED]
    found = resolve_order(ada.orders, None, item_words=["lamp", "keyboard"], today=TODAY)
    assert isinstance(found, Found) and ids(found) == [PENDING, SHIPPED], "one order each"
    assert isinstance(resolve_order(ada.orders, None, item_words=["piano"], today=TODAY), Unknown)
    assert ids(resolve_order(ada.orders, None, amount=Decimal("85.74"), today=TODAY)) == [OLD]


def is_in(*statuses: str) -> Any:
    return lambda order: order.status in statuses


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("table clock", "#W2259006"),
        ("the table clock", "#W2259006"),
        ("tabel clock", "#W2259006"),
        ("my clock", "#W2259006"),
        ("wooden table clock", "#W2259006"),
        ("tablet", "#W3723455"),
        ("the gold tablets", "#W3723455"),
        ("tablett", "#W3723455"),
    ],
)
def test_a_misspelling_never_outdoes_what_is_written(records_of: Any, words: str, expected: str) -> None:
    """Rosa has a pending tablet and a processed table clock; only the tablet can be cancelled."""
    orders = records_of("rosa.singh@example.com").orders
    for said, items in ((None, [words]), (words, []), (f"the order with the {words}", [])):
        outcome = resolve_order(orders, said, item_words=items, eligible=is_in("pending"), today=TODAY)
        assert isinstance(outcome, Found), outcome
        assert ids(outcome) == [expected]


def test_the_whole_name_outdoes_its_last_word(records_of: Any) -> None:
    """Mateo's desk lamp is delivered; a pending floor lamp is no desk lamp."""
    orders = records_of("mateo.zhang@example.com").orders
    lamps = next(order for order in orders if order.id == "#W9794904")
    floor, *_, desk = lamps.items
    pending = replace(lamps, id="#W1000001", status="pending", items=(floor,))
    delivered = replace(lamps, items=(desk,))
    for words in ("desk lamp", "dessk lamp", "the white lamp"):
        outcome = resolve_order([delivered, pending], None, item_words=[words], eligible=is_in("pending"), today=TODAY)
        assert ids(outcome) == [delivered.id], words
    outcome = resolve_order([delivered, pending], None, item_words=["lamp"], eligible=is_in("pending"), today=TODAY)
    assert ids(outcome) == [pending.id], "eligibility decides where the words do not"


@pytest.mark.parametrize(
    ("customer", "words", "expected"),
    [
        ("mateo.zhang", "both umbrellas", ["#W8345598"]),
        ("mateo.zhang", "both my umbrellas", ["#W8345598"]),
        ("mateo.zhang", "all the umbrellas", ["#W8345598"]),
        ("mateo.zhang", "one of the umbrellas", ["#W8345598"]),
        ("mateo.zhang", "both lamps", ["#W9794904"]),
        ("clara.vega", "both coffee makers", ["#W6636268", "#W9863033"]),
        ("clara.vega", "all coffee makers", ["#W6636268", "#W9863033"]),
        ("clara.vega", "all my coffee makers", ["#W6636268", "#W9863033"]),
        ("clara.vega", "both keyboards", ["#W9863033"]),
        ("clara.vega", "one of the two plant pots", ["#W6474689"]),
        ("clara.vega", "the coffee maker with a timer", ["#W6636268"]),
        ("clara.vega", "the coffee maker without a timer", ["#W9863033"]),
        ("ben.ito", "everything except the tent", ["#W5613618"]),
        ("ben.ito", "everything from #W2803801", ["#W2803801"]),
    ],
)
def test_things_tell_the_order(records_of: Any, customer: str, words: str, expected: list[str]) -> None:
    orders = records_of(f"{customer}@example.com").orders
    outcome = resolve_order(orders, None, item_words=[words], today=TODAY)
    assert isinstance(outcome, Found), outcome
    assert ids(outcome) == expected


def test_all_of_a_kind_in_several_orders(records_of: Any) -> None:
    orders = records_of("clara.vega@example.com").orders

    def found(*items: str, **more: Any) -> list[str]:
        return ids(resolve_order(orders, None, item_words=items, today=TODAY, **more))

    assert found("all coffee makers", eligible=is_in("delivered")) == ["#W6636268"]
    assert found("both coffee makers", eligible=is_in("delivered")) == ["#W6636268", "#W9863033"], "one of them refused"
    assert found("all coffee makers", focus="#W9863033") == ["#W9863033"]
    assert found("all coffee makers", "the plant pots") == ["#W6636268", "#W9863033", "#W6474689"]
    assert isinstance(resolve_order(orders, None, item_words=["a coffee maker"], today=TODAY), Choose)
    assert isinstance(resolve_order(orders, None, item_words=["everything"], today=TODAY), Choose), "of which order?"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (f"all my orders except {PENDING}", [OLD, DELIVERED, SHIPPED]),
        (f"all but {OLD} and {SHIPPED}", [DELIVERED, PENDING]),
        ("all my orders but the last one", [OLD, DELIVERED, SHIPPED]),
        ("all my orders, not the one with the keyboard", [OLD, DELIVERED, PENDING]),
    ],
)
def test_all_orders_but_one(ada: Any, words: str, expected: list[str]) -> None:
    assert ids(resolve_order(ada.orders, words, today=TODAY)) == expected


@pytest.mark.parametrize("words", ["all my orders except the delivered one", "both delivered orders but not the piano"])
def test_an_order_to_leave_out_is_not_asked_for(ada: Any, words: str) -> None:
    assert isinstance(resolve_order(ada.orders, words, today=TODAY), Unknown)


@pytest.mark.parametrize("words", ["the whole order", "my entire order", "one of my orders"])
def test_a_whole_order_is_one_order(ada: Any, words: str) -> None:
    assert isinstance(resolve_order(ada.orders, words, today=TODAY), Choose)
    assert ids(resolve_order(ada.orders, words, focus=SHIPPED, today=TODAY)) == [SHIPPED]


def test_full_numbers_in_a_message(ada: Any) -> None:
    assert own_orders(ada.orders, f"where is {PENDING}, W4471333, #W4186801 and 745?") == [PENDING, "W4471333"]


WORDS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            (
                "my last first other order orders the all both lamp 745 #W ends in 2 days ago LA it and "
                "lamps one of but except"
            ).split()
        )
    ).map(" ".join),
)


@settings(max_examples=150, deadline=None)
@given(WORDS, st.lists(WORDS, max_size=2), st.sampled_from([None, SHIPPED, "#W4186801"]))
def test_only_their_own_whatever_they_say(ada: Any, words: str, items: list[str], focus: str | None) -> None:
    outcome = resolve_order(ada.orders, words, item_words=items, shown=[PENDING, "#W4186801"], focus=focus, today=TODAY)
    assert set(ids(outcome)) <= {order.id for order in ada.orders}
    assert isinstance(outcome, Unknown) or ids(outcome)
