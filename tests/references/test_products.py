"""Product types by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.references import Choose, Found, Unknown, resolve_product


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("desk lamps", "Desk Lamp"),
        ("Desk Lamp", "Desk Lamp"),
        ("tshirt", "T-Shirt"),
        ("t shirts", "T-Shirt"),
        ("dessk lamp", "Desk Lamp"),
        ("hikng boots", "Hiking Boots"),
        ("a watch for the wrist, wristwatch", "Wristwatch"),
        ("e-reader", "E-Reader"),
        ("1258278968", "Desk Lamp"),
        ("6719597153", "Desk Lamp"),
        ("keyboard", "Keyboard"),
    ],
)
def test_a_product_is_found(ada: Any, words: str, name: str) -> None:
    outcome = resolve_product(list(ada.products.values()), words)
    assert isinstance(outcome, Found), outcome
    assert outcome.value.name == name


def test_a_name_that_two_bear_is_asked_about(ada: Any) -> None:
    products = list(ada.products.values())
    outcome = resolve_product(products, "a lamp")
    assert isinstance(outcome, Choose)
    assert {choice.label for choice in outcome.choices} == {"Desk Lamp", "Floor Lamp"}
    for choice in outcome.choices:
        picked = resolve_product(products, choice.words)
        assert isinstance(picked, Found) and picked.value.name == choice.label, "a choice resolves to itself"


@pytest.mark.parametrize("words", ["", "a piano", "12345678901", "the", "{'color': 'blue'}"])
def test_what_the_shop_does_not_have(ada: Any, words: str) -> None:
    assert isinstance(resolve_product(list(ada.products.values()), words), Unknown)


def test_an_empty_shop() -> None:
    assert isinstance(resolve_product([], "lamp"), Unknown)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_words(ada: Any, words: str) -> None:
    products = list(ada.products.values())
    outcome = resolve_product(products, words)
    if isinstance(outcome, Found):
        assert outcome.value in products
