"""Who the customer is: their own words, exactly, or a signed token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopbot.errors import TokenError
from shopbot.evals import demo_stores
from shopbot.identity import identify, is_only_identity, read_token, sign_token
from shopbot.postcodes import COUNTRIES
from shopbot.store import Address, Customer, Store
from shopbot.stores.sql import Contents, open_store

ALL = ("email", "name_postcode", "token")


def test_an_email_identifies(demo_store: Store) -> None:
    found = identify(demo_store, "hi, it's ADA@example.com.", {}, ALL)
    assert found.customer is not None
    assert found.customer.first_name == "Ada"
    assert found.verified_by == "email"


@pytest.mark.parametrize("message", ["Ada Example, 02139", "my zip is 02139 and I'm ada example", "EXAMPLE ADA 02139"])
def test_name_and_postcode_identify_together(demo_store: Store, message: str) -> None:
    found = identify(demo_store, message, {}, ALL)
    assert found.customer is not None, found
    assert found.customer.email == "ada@example.com"


@pytest.mark.parametrize(
    "message", ["Ada Example", "02139", "Ada 02139", "Example 02139", "Adam Example 02139", "ada@example.co"]
)
def test_part_of_it_does_not(demo_store: Store, message: str) -> None:
    assert identify(demo_store, message, {}, ALL).customer is None


@pytest.mark.parametrize(
    "message", ["Isabel Ueda, D02 X105", "isabel ueda d02x105", "my eircode is D02X105. I'm Isabel Ueda"]
)
def test_an_eircode_identifies_with_the_name(message: str) -> None:
    with demo_stores() as make:
        found = identify(make(), message, {}, ALL)
    assert found.customer is not None, found
    assert found.customer.email == "isabel.ueda@example.com"
    assert is_only_identity(message, found.customer)


#: One postcode for each country, and another way to write it.
POSTCODES = {
    "USA": ("02139", "02139"),
    "Canada": ("M5V 2T6", "m5v2t6"),
    "Mexico": ("06700", "06700"),
    "United Kingdom": ("SW1A 1AA", "sw1a1aa"),
    "Ireland": ("D6W X285", "d6wx285"),
    "Germany": ("10115", "D-10115"),
    "France": ("75001", "75 001"),
    "Spain": ("28013", "E-28013"),
    "Portugal": ("1100-053", "1100053"),
    "Italy": ("00184", "00184"),
    "Austria": ("1070", "A-1070"),
    "Belgium": ("1000", "B-1000"),
    "Netherlands": ("1012 LG", "1012lg"),
    "Luxembourg": ("1661", "L-1661"),
    "Switzerland": ("8001", "CH-8001"),
    "Denmark": ("1456", "1456"),
    "Sweden": ("111 51", "11151"),
    "Norway": ("0155", "0155"),
    "Finland": ("00100", "FI-00100"),
    "Poland": ("00-850", "00850"),
    "Czech Republic": ("110 00", "11000"),
    "Hungary": ("1051", "H-1051"),
    "Greece": ("105 63", "10563"),
    "Australia": ("2000", "2000"),
    "New Zealand": ("1010", "1010"),
    "Japan": ("150-0002", "1500002"),
}


@pytest.fixture(scope="module")
def namesakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with an Ada Ward in each country, told apart by the postcode alone, and two who share one."""
    customers = [
        Customer(country, "Ada", "Ward", f"{number}@example.com", Address("1 Way", "", "Town", "", code, country))
        for number, (country, (code, _)) in enumerate(
            [*POSTCODES.items(), ("twin", ("99999", "")), ("Twin", ("99999", ""))]
        )
    ]
    with closing(open_store(f"sqlite:///{tmp_path_factory.mktemp('namesakes')}/shop.db")) as store:
        store.fill(Contents(customers=tuple(customers)))
        yield store


@pytest.mark.parametrize("country", [country.name for country in COUNTRIES])
def test_a_postcode_of_every_country_identifies_however_it_is_spaced(namesakes: Store, country: str) -> None:
    for postcode in POSTCODES[country]:
        for message in (f"Ada Ward, {postcode}", f"it's ada ward from {postcode}, order 7", f"({postcode}) Ward Ada"):
            found = identify(namesakes, message, {}, ALL)
            assert found.customer is not None and found.customer.id == country, f"{message}: {found}"


@pytest.mark.parametrize("message", ["Ada Ward 99999", "Ada Ward, 10115 or 75001", "Ada Ward, 10115 and 99999"])
def test_more_than_one_customer_is_none(namesakes: Store, message: str) -> None:
    assert identify(namesakes, message, {}, ALL).customer is None


def test_an_order_number_does_not_replace_the_postcode(namesakes: Store) -> None:
    facts: dict[str, str] = {}
    for message in ("my postcode is 10115", "it's about order 4471333", "or 12345"):
        facts = identify(namesakes, message, facts, ALL).facts
    found = identify(namesakes, "Ada Ward", facts, ALL)
    assert found.customer is not None and found.customer.id == "Germany"


def test_a_long_number_beside_the_name_is_more_than_identity(namesakes: Store) -> None:
    customer = identify(namesakes, "Ada Ward 10115", {}, ALL).customer
    assert customer is not None
    assert is_only_identity("Ada Ward, 10115 please", customer)
    assert not is_only_identity("Ada Ward, 10115, cancel 4471333", customer)


def test_facts_gather_over_messages(demo_store: Store) -> None:
    first = identify(demo_store, "I'm Ada Example", {}, ALL)
    assert first.customer is None
    assert identify(demo_store, "02139", first.facts, ALL).customer is not None


def test_a_way_that_is_switched_off_does_not_count(demo_store: Store) -> None:
    assert identify(demo_store, "ada@example.com", {}, ("token",)).customer is None


def test_a_token_is_read_back() -> None:
    assert read_token(sign_token("c1", "secret", now_s=100), "secret", now_s=200) == "c1"


@pytest.mark.parametrize(
    ("token", "now_s"),
    [
        ("", 0),
        ("a.b.c", 0),
        ("é.1.x", 0),
        (sign_token("c1", "other", now_s=100), 100),
        (sign_token("c1", "secret", now_s=100), 10_000),
    ],
)
def test_a_bad_token_is_refused(token: str, now_s: float) -> None:
    with pytest.raises(TokenError):
        read_token(token, "secret", now_s=now_s)


@example(b"=", 60)
@given(st.binary(max_size=60), st.integers(0, 60))
def test_a_changed_token_is_refused(noise: bytes, at: int) -> None:
    token = sign_token("customer", "secret", now_s=0)
    changed = token[:at] + noise.decode("latin-1") + token[at + 1 :]
    if changed != token:
        with pytest.raises(TokenError):
            read_token(changed, "secret", now_s=10)
