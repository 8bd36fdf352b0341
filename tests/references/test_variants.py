"""Which option of a product the customer wishes for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.references import Choose, Found, Unknown, resolve_variant
from shopbot.references.options import wished_options
from shopbot.references.variants import has_wish, matching_variants
from shopbot.store import OrderItem

#: Ada's lamp: color black, power USB, brightness low. Her pillow: mustard, 40 cm. Her boots: brown, 6, waterproof.
LAMP, PILLOW, BOOTS = ("#W4382745", 0), ("#W4382745", 1), ("#W5947477", 0)


def resolve(ada: Any, thing: tuple[str, int], words: str) -> Any:
    item = ada.order(thing[0]).items[thing[1]]
    return resolve_variant(ada.products[item.name], words, item)


@pytest.mark.parametrize(
    ("thing", "words", "expected"),
    [
        (LAMP, "brighter", "black USB high"),
        (LAMP, "high brightness", "black USB high"),
        (LAMP, "the brightest", "black USB high"),
        (LAMP, "mains power", "black mains low"),
        (LAMP, "the cheapest that is available", "white USB medium"),
        (LAMP, "the most expensive one", "white battery high"),
        (LAMP, "the cheapest blue one", "blue mains low"),
        (LAMP, "blue, battery powered, medium", "blue battery medium"),
        (LAMP, "{'color': 'blue', 'power': 'mains', 'brightness': 'low'}", "blue mains low"),
        (LAMP, "color: 'white', power: 'battery', brightness: 'high'", "white battery high"),
        (LAMP, "8256679441", "blue battery high"),
        (LAMP, "USB, high, blue instead of black", "blue USB high"),
        (PILLOW, "a bigger one", "mustard 50 cm"),
        (PILLOW, "teal", "teal 40 cm"),
        (PILLOW, "TEAL please", "teal 40 cm"),
        (PILLOW, "mustrd 50cm", "mustard 50 cm"),
        (PILLOW, "grey", "gray 40 cm"),
        (PILLOW, "the same one", "mustard 40 cm"),
        (PILLOW, "rose 50 cm", "rose 50 cm"),
        (BOOTS, "size 8", "brown 8 yes"),
        (BOOTS, "size 10, black", "black 10 yes"),
        (BOOTS, "black, size 9, not waterproof", "black 9 no"),
    ],
)
def test_a_wish_is_understood(ada: Any, thing: tuple[str, int], words: str, expected: str) -> None:
    outcome = resolve(ada, thing, words)
    assert isinstance(outcome, Found), outcome
    assert " ".join(outcome.value.options.values()) == expected
    assert outcome.value.available


@pytest.mark.parametrize(
    ("thing", "words", "first"),
    [
        (LAMP, "the blue lamp", "color blue"),
        (LAMP, "something else", "color black"),
        (LAMP, "6185753974", ""),
        (LAMP, "blue, mains, high", "color blue"),
        (PILLOW, "a smaller one", ""),
        (PILLOW, "purple", ""),
        (BOOTS, "under 115", "color black, size 7"),
    ],
)
def test_what_is_left_open_is_asked(ada: Any, thing: tuple[str, int], words: str, first: str) -> None:
    outcome = resolve(ada, thing, words)
    assert isinstance(outcome, Choose), outcome
    assert outcome.choices[0].label.startswith(first), outcome.choices
    for choice in outcome.choices:
        picked = resolve(ada, thing, choice.words)
        assert isinstance(picked, Found) and picked.value.id == choice.words, "a choice resolves to itself"


#: Isabel's running shoes: black, 8.
SHOES = ("black", "8")


def variant_of(ada: Any, name: str, *options: str) -> Any:
    """A piece of the product, with these options, as it would be in an order."""
    product = ada.products[name]
    variant = next(one for one in product.variants if tuple(one.options.values()) == options)
    return OrderItem(variant.id, product.id, name, variant.options, variant.price)


@pytest.mark.parametrize(
    ("name", "options", "words", "expected"),
    [
        ("Running Shoes", SHOES, "one size bigger", "black 9"),
        ("Running Shoes", SHOES, "a size bigger", "black 9"),
        ("Running Shoes", SHOES, "half a size up", "black 9"),
        ("Running Shoes", SHOES, "\u00bd size up", "black 9"),
        ("Running Shoes", SHOES, "the next size up please", "black 9"),
        ("Running Shoes", SHOES, "up one size, in orange", "orange 9"),
        ("Running Shoes", SHOES, "two sizes down", "black 6"),
        ("Running Shoes", SHOES, "3 sizes up", "black 11"),
        ("Running Shoes", SHOES, "one size bigger, size 9", "black 9"),
        ("Running Shoes", ("black", "9"), "a size smaller", "black 8"),
        ("Leather Belt", ("black", "95 cm"), "one size longer", "black 105 cm"),
        ("Suitcase", ("silver", "cabin", "hard"), "one size larger", "silver medium hard"),
        ("Hiking Boots", ("brown", "6", "yes"), "two sizes up", "brown 8 yes"),
        ("Hiking Boots", ("black", "8", "yes"), "not waterproof, one size up", "black 9 no"),
    ],
)
def test_steps_on_the_scale_of_sizes(ada: Any, name: str, options: tuple[str, ...], words: str, expected: str) -> None:
    outcome = resolve_variant(ada.products[name], words, variant_of(ada, name, *options))
    assert isinstance(outcome, Found), outcome
    assert " ".join(outcome.value.options.values()) == expected
    assert outcome.value.available


@pytest.mark.parametrize(
    ("options", "words", "least"),
    [
        (SHOES, "a size smaller", {"6", "7"}),  # black 7 is sold out
        (SHOES, "two sizes up", {"9", "10", "11", "12"}),  # there is no black 10
        (SHOES, "bigger", {"9", "11"}),
        (("black", "11"), "two sizes up", {"12"}),
    ],
)
def test_a_step_that_leads_nowhere_is_not_made_longer(
    ada: Any, options: tuple[str, ...], words: str, least: set[str]
) -> None:
    product = ada.products["Running Shoes"]
    outcome = resolve_variant(product, words, variant_of(ada, product.name, *options))
    assert isinstance(outcome, Choose), outcome
    offered = [product.variant(choice.words) for choice in outcome.choices]
    assert {variant.options["size"] for variant in offered if variant} == least


def test_the_end_of_the_scale(ada: Any) -> None:
    product = ada.products["Running Shoes"]
    assert isinstance(resolve_variant(product, "a size bigger", variant_of(ada, product.name, "white", "12")), Choose)


@pytest.mark.parametrize(
    ("name", "options", "words", "said", "expected"),
    [
        (
            "Smart Watch",
            ("gold", "metal", "1.3 inch"),
            "silicone band, 1.6 inch",
            "Wanted: silver, silicone band, 1.6 inch",
            "silver silicone 1.6 inch",
        ),
        (
            "Smart Watch",
            ("gold", "metal", "1.3 inch"),
            "silicone",
            "silicone for my gold watch",
            "gold silicone 1.3 inch",
        ),
        (
            "Leather Belt",
            ("black", "95 cm"),
            "10 cm shorter",
            "10 cm shorter? brown would be nice, 85 cm",
            "brown 85 cm",
        ),
        ("Leather Belt", ("black", "95 cm"), "brown", "I have the black one, 95 cm, make it brown", "brown 95 cm"),
        ("Leather Belt", ("black", "95 cm"), "105 cm", "105 cm, not brown", "black 105 cm"),
    ],
)
def test_what_is_said_around_the_words(
    ada: Any, name: str, options: tuple[str, ...], words: str, said: str, expected: str
) -> None:
    outcome = resolve_variant(ada.products[name], words, variant_of(ada, name, *options), said=said)
    assert isinstance(outcome, Found), outcome
    assert " ".join(outcome.value.options.values()) == expected


def test_nothing_is_available(ada: Any) -> None:
    from dataclasses import replace

    product = ada.products["Desk Lamp"]
    sold_out = replace(product, variants=tuple(replace(variant, available=False) for variant in product.variants))
    for words in ("", "blue", "the cheapest", "a brighter one", "the same one", product.variants[0].id):
        assert isinstance(resolve_variant(sold_out, words, ada.order(LAMP[0]).items[0]), Unknown), words


def test_without_an_item_everything_must_be_said(ada: Any) -> None:
    product = ada.products["Throw Pillow"]
    assert isinstance(resolve_variant(product, "teal"), Choose)
    found = resolve_variant(product, "teal, 50 cm")
    assert isinstance(found, Found) and found.value.id == "6861458349"


def test_wishes_in_a_whole_message(ada: Any) -> None:
    product, item = ada.products["Throw Pillow"], ada.order(PILLOW[0]).items[PILLOW[1]]
    assert has_wish(product, "can I have the pillow in teal?", item)
    assert has_wish(product, "give me the cheapest", item)
    assert has_wish(product, "could I get it one size bigger?", item)
    assert not has_wish(product, "I want to change the mustard pillow", item)
    assert not has_wish(product, "I don't want the mustard pillow", item)
    assert wished_options(product, "rose and 50 cm", {}) == {"color": "rose", "size": "50 cm"}
    assert {variant.options["size"] for variant in matching_variants(product, "rose")} == {"40 cm", "50 cm"}
    without = matching_variants(ada.products["Coffee Maker"], "coffee makers without a timer")
    assert {variant.options["timer"] for variant in without} == {"no"}
    assert all(variant.price <= 16 for variant in matching_variants(product, "under 16"))


WORDS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            "a bigger smaller cheapest blue black size 10 40cm not instead of most least under 1e9 "
            "one two sizes up without waterproof "
            "{'color': 'x'} color: 'blue' same 99999999999 5TB first".split()
        )
    ).map(" ".join),
)


@settings(max_examples=150, deadline=None)
@given(WORDS, st.sampled_from([LAMP, PILLOW, BOOTS]), st.booleans())
def test_only_what_the_product_has(ada: Any, words: str, thing: tuple[str, int], has_item: bool) -> None:
    item = ada.order(thing[0]).items[thing[1]]
    product = ada.products[item.name]
    outcome = resolve_variant(product, words, item if has_item else None)
    if isinstance(outcome, Found):
        assert outcome.value in product.variants and outcome.value.available
    if isinstance(outcome, Choose):
        assert outcome.choices
        assert {choice.words for choice in outcome.choices} <= {variant.id for variant in product.variants}
    has_wish(product, words, item)
    assert all(variant in product.variants for variant in matching_variants(product, words))
