"""Postal addresses as customers write them, and those they refer to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.references import Choose, Found, Unknown, parse_address, resolve_address
from shopbot.store import Address

SALEM = Address("9 Oak Road", "", "Salem", "OR", "97301", "USA")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("9 Oak Road, Salem, OR 97301", SALEM),
        ("9 Oak Road, Salem, OR, 97301, USA", SALEM),
        ("9 Oak Road, Salem, Oregon 97301", SALEM),
        ("9 Oak Road, Salem OR 97301", SALEM),
        ("9 Oak Road, salem, 97301", SALEM),
        ("9 Oak Road\nSalem, OR 97301\nUnited States", SALEM),
        ("please to 9 Oak Road; Salem; OR; zip 97301", SALEM),
        ("9 Oak Road, Apt 4, Salem, OR 97301", Address("9 Oak Road", "Apt 4", "Salem", "OR", "97301", "USA")),
        ("9 Oak Road Suite 210, Salem, OR 97301", Address("9 Oak Road", "Suite 210", "Salem", "OR", "97301", "USA")),
        (
            "1 King Street, London, SW1A 1AA, UK",
            Address("1 King Street", "", "London", "", "SW1A 1AA", "United Kingdom"),
        ),
        ("Hauptstr. 5, Berlin, 10115, Germany", Address("Hauptstr. 5", "", "Berlin", "", "10115", "Germany")),
        (
            "{'address1': '9 Oak Road', 'address2': 'Apt 4', 'city': 'Salem', 'state': 'OR', 'zip': '97301'}",
            Address("9 Oak Road", "Apt 4", "Salem", "OR", "97301", "USA"),
        ),
        ('street: "9 Oak Road", city: "Salem", state: "oregon", postcode: "97301", country: "USA"', SALEM),
    ],
)
def test_an_address_is_read(words: str, expected: Address) -> None:
    assert parse_address(words) == expected


@pytest.mark.parametrize(
    "words", ["", "9 Oak Road", "Salem, OR", "somewhere else", "9 Oak Road, Salem", "{'city': 'Salem'}", "97301"]
)
def test_part_of_an_address_is_none(ada: Any, words: str) -> None:
    assert parse_address(words) is None
    assert not isinstance(resolve_address(ada.customer, ada.orders, words), Found)


@pytest.mark.parametrize(
    ("words", "current", "city"),
    [
        ("my default address", "Chicago", "Boston"),
        ("the address in my profile", "Chicago", "Boston"),
        ("same address as my other order", "Boston", "Chicago"),
        ("same as order #W4471333", "Boston", "Chicago"),
        ("the one in Chicago", "Boston", "Chicago"),
        ("200 Harbor Drive", "Boston", "Chicago"),
        ("9 Oak Road, Salem, OR 97301", "Boston", "Salem"),
    ],
)
def test_a_known_address_is_referred_to(ada: Any, words: str, current: str, city: str) -> None:
    here = next(order.address for order in ada.orders if order.address.city == current)
    outcome = resolve_address(ada.customer, ada.orders, words, current=here)
    assert isinstance(outcome, Found), outcome
    assert outcome.value.city == city


def test_several_that_fit_are_offered(ada: Any) -> None:
    outcome = resolve_address(ada.customer, ada.orders, "the same address as before, my usual order")
    assert isinstance(outcome, Found | Choose)
    outcome = resolve_address(ada.customer, ada.orders, "the address of the other order")
    assert isinstance(outcome, Choose), outcome
    for choice in outcome.choices:
        picked = resolve_address(ada.customer, ada.orders, choice.words)
        assert isinstance(picked, Found) and str(picked.value) == choice.words, "a choice resolves to itself"


def test_somebody_elses_order_gives_no_address(ada: Any) -> None:
    assert isinstance(resolve_address(ada.customer, ada.orders, "where #W4186801 goes"), Unknown)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from("9 Oak St, Salem, OR 97301 USA my other default Chicago order \n".split(" "))).map(
            " ".join
        ),
    )
)
def test_only_their_own_or_what_they_wrote(ada: Any, words: str) -> None:
    own = {ada.customer.address, *(order.address for order in ada.orders)}
    outcome = resolve_address(ada.customer, ada.orders, words)
    if isinstance(outcome, Found):
        assert outcome.value in own or outcome.value == parse_address(words)
    if isinstance(outcome, Choose):
        assert {choice.words for choice in outcome.choices} <= {str(address) for address in own}
