"""Options in prose: what is there and what is not, what is wished and what is turned down."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shopbot.references.options import wished_options
from shopbot.store import Product, Variant

COFFEE, BUDS, GLOVES, BOOTS = "Coffee Maker", "Wireless Earbuds", "Winter Gloves", "Hiking Boots"


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        (COFFEE, "coffee makers without a timer", {"timer": "no"}),
        (COFFEE, "without timers", {"timer": "no"}),
        (COFFEE, "no timer", {"timer": "no"}),
        (COFFEE, "with no timer", {"timer": "no"}),
        (COFFEE, "black but no timer", {"color": "black", "timer": "no"}),
        (COFFEE, "w/o timer, 8 cups", {"timer": "no", "capacity": "8 cups"}),
        (COFFEE, "one that doesn't have a timer", {"timer": "no"}),
        (COFFEE, "timer no", {"timer": "no"}),
        (BUDS, "white earbuds without noise cancelling", {"color": "white", "noise cancelling": "no"}),
        (BUDS, "white, no noise-canceling", {"color": "white", "noise cancelling": "no"}),
        (BUDS, "without any noise cancellation", {"noise cancelling": "no"}),
        (GLOVES, "gloves without touchscreen", {"touchscreen": "no"}),
        (GLOVES, "without the touch screen thing, size S", {"touchscreen": "no", "size": "S"}),
        (BOOTS, "not waterproof", {"waterproof": "no"}),
        (BOOTS, "non-waterproof", {"waterproof": "no"}),
        (BOOTS, "nonwaterproof, brown", {"waterproof": "no", "color": "brown"}),
        (BOOTS, "not waterproof size 9", {"waterproof": "no", "size": "9"}),
        (BOOTS, "that aren't waterproof", {"waterproof": "no"}),
        (BOOTS, "from waterproof to not waterproof", {"waterproof": "no"}),
        ("Vacuum Cleaner", "bagless", {"bag": "no"}),
        ("Hoodie", "no zipper", {"zip": "no"}),
        ("Backpack", "without the laptop sleeve", {"laptop sleeve": "no"}),
        ("Backpack", "without a sleeve", {"laptop sleeve": "no"}),
        ("Keyboard", "no backlight, compact", {"backlight": "none", "size": "compact"}),
        ("Office Chair", "without any armrests", {"armrest": "none"}),
    ],
)
def test_what_is_not_to_be_there(ada: Any, name: str, words: str, expected: dict[str, str]) -> None:
    assert wished_options(ada.products[name], words, {}) == expected


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        (COFFEE, "with a timer", {"timer": "yes"}),
        (COFFEE, "a steel one that has a timer", {"color": "steel", "timer": "yes"}),
        (GLOVES, "with touchscreen", {"touchscreen": "yes"}),
        (GLOVES, "gray touchscreen gloves", {"color": "gray", "touchscreen": "yes"}),
        (BUDS, "noise cancelling ones", {"noise cancelling": "yes"}),
        (BOOTS, "no, waterproof please", {"waterproof": "yes"}),
        (BOOTS, "waterproof instead of non-waterproof", {"waterproof": "yes"}),
        ("Backpack", "with a sleeve", {"laptop sleeve": "yes"}),
        (COFFEE, "with or without a timer", {}),
        (BOOTS, "they need not be waterproof", {}),
        (BOOTS, "it doesn't have to be waterproof, size 8", {"size": "8"}),
    ],
)
def test_what_is_to_be_there_or_left_open(ada: Any, name: str, words: str, expected: dict[str, str]) -> None:
    assert wished_options(ada.products[name], words, {}) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("not the black one but the brown one", {"color": "brown"}),
        ("not black but brown", {"color": "brown"}),
        ("brown instead of black", {"color": "brown"}),
        ("gray rather than the old black", {"color": "gray"}),
        ("from black to brown, size 9", {"color": "brown", "size": "9"}),
        ("not black, brown", {"color": "brown"}),
        ("no. 9", {"size": "9"}),
        ("no 9, waterproof", {"size": "9", "waterproof": "yes"}),
        ("size no. 11", {"size": "11"}),
        ("no, size 9", {"size": "9"}),
        ("not black", {}),
        ("anything but not the black ones", {}),
        ("why not brown", {"color": "brown"}),
        ("{'color': 'gray', 'waterproof': 'no'}", {"color": "gray", "waterproof": "no"}),
    ],
)
def test_what_is_turned_down_is_not_wished(ada: Any, words: str, expected: dict[str, str]) -> None:
    assert wished_options(ada.products[BOOTS], words, {}) == expected


def thermostat_with(maker: str) -> Variant:
    return Variant(maker, "1", "Thermostat", {"works with": maker}, Decimal(10), available=True)


def test_a_word_that_only_one_value_has_stands_for_it() -> None:
    makers = ("Google Assistant", "Apple HomeKit", "Amazon Alexa")
    variants = tuple(
        Variant(str(n), "1", "Thermostat", {"works with": maker}, Decimal(10), available=True)
        for n, maker in enumerate(makers)
    )
    thermostat = Product("1", "Thermostat", variants)
    wanted = wished_options(thermostat, "one for Google Home instead of Apple HomeKit", {"works with": "Apple HomeKit"})
    assert wanted == {"works with": "Google Assistant"}
    assert wished_options(thermostat, "my assistant at home", {}) == {"works with": "Google Assistant"}
    assert wished_options(thermostat, "one that works", {}) == {}
