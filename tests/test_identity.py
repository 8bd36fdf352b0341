"""Who the customer is: their own words, exactly, or a signed token."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shopbot.errors import TokenError
from shopbot.identity import identify, read_token, sign_token
from shopbot.store import Store

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
