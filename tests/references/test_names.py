"""How well words name a product and its options."""

from __future__ import annotations

from typing import Any

import pytest

from shopbot.references import Choose, Found, resolve_product
from shopbot.references.names import name_score, option_hits

NAMED = 0.6


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("hikng boots", "Hiking Boots"),
        ("backpak", "Backpack"),
        ("back pack", "Backpack"),
        ("keybord", "Keyboard"),
        ("tablt", "Tablet"),
        ("umbrela", "Umbrella"),
        ("ohodie", "Hoodie"),
        ("eadphones", "Headphones"),
        ("coffeemaker", "Coffee Maker"),
    ],
)
def test_slips_are_put_right(words: str, name: str) -> None:
    assert name_score(words, name) >= NAMED


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("table clock", "Tablet"),
        ("make a return", "Coffee Maker"),
        ("a blend", "Blender"),
        ("clean it", "Vacuum Cleaner"),
        ("the clear one", "Vacuum Cleaner"),
        ("I am able to", "USB Cable"),
        ("my hair", "Office Chair"),
        ("my house", "Garden Hose"),
        ("my sneakers", "Bluetooth Speaker"),
        ("my pants", "Plant Pot"),
        ("I want entire order", "Tent"),
        ("the contents", "Tent"),
        ("my intention", "Tent"),
    ],
)
def test_other_words_are_no_slips(words: str, name: str) -> None:
    assert name_score(words, name) < NAMED


def test_a_product_as_it_is_written(ada: Any) -> None:
    products = list(ada.products.values())
    for words, name in (("table clock", "Table Clock"), ("tabel clock", "Table Clock"), ("tablets", "Tablet")):
        outcome = resolve_product(products, words)
        assert isinstance(outcome, Found), words
        assert outcome.value.name == name
    assert isinstance(resolve_product(products, "a lamp"), Choose)


@pytest.mark.parametrize(
    ("words", "hits"),
    [
        ("the steel one without a timer", (2, 0)),
        ("the steel one with a timer", (1, 1)),
        ("no timer", (1, 0)),
        ("timer", (0, 1)),
        ("12 cups", (1, 0)),
        ("no idea", (0, 0)),
        ("{'color': 'steel', 'timer': 'yes'}", (1, 1)),
    ],
)
def test_options_named_and_contradicted(words: str, hits: tuple[int, int]) -> None:
    assert option_hits(words, {"color": "steel", "capacity": "12 cups", "timer": "no"}) == hits
