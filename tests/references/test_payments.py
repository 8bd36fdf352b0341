"""Which of their payment methods the customer means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.references import Choose, Found, Unknown, resolve_payment
from shopbot.references.payments import payment_choices, spoken_payment

#: Has a mastercard ending in 9885, PayPal and a gift card with 64.23 on it.
ANDERS = "anders.vega@example.com"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("my PayPal", "paypal"),
        ("pay pal please", "paypal"),
        ("paypal_7576502", "paypal"),
        ("gift card", "gift_card"),
        ("the voucher", "gift_card"),
        ("store credit", "gift_card"),
        ("gift_card_5031854", "gift_card"),
        ("my card ending in 9885", "credit_card"),
        ("9885", "credit_card"),
        ("mastercard", "credit_card"),
        ("Master Card", "credit_card"),
        ("my credit card", "credit_card"),
        ("the second one", "paypal"),
        ("the last one", "gift_card"),
    ],
)
def test_a_method_is_found(records_of: Any, words: str, kind: str) -> None:
    outcome = resolve_payment(records_of(ANDERS).customer, words)
    assert isinstance(outcome, Found), outcome
    assert outcome.value.kind == kind


@pytest.mark.parametrize("words", ["visa ending in 4242", "paypal_1234567", "bitcoin", "", "my horse"])
def test_what_they_do_not_have_is_said(records_of: Any, words: str) -> None:
    outcome = resolve_payment(records_of(ANDERS).customer, words)
    assert isinstance(outcome, Unknown), outcome
    assert "9885" in outcome.text and "64.23" in outcome.text


@pytest.mark.parametrize("words", ["the original payment method", "back where it came from", "the same", "how I paid"])
def test_the_original_method(ada: Any, words: str) -> None:
    outcome = resolve_payment(ada.customer, words, ada.orders[0])
    assert isinstance(outcome, Found) and outcome.value.last_four == "4242"


def test_two_of_a_kind_are_asked_about(ada: Any) -> None:
    from dataclasses import replace

    visa = ada.customer.payment_methods[0]
    customer = replace(ada.customer, payment_methods=(visa, replace(visa, id="credit_card_1", last_four="1111")))
    outcome = resolve_payment(customer, "my visa")
    assert isinstance(outcome, Choose)
    assert [choice.label for choice in outcome.choices] == ["visa ending in 4242", "visa ending in 1111"]
    for choice, method in zip(outcome.choices, customer.payment_methods, strict=True):
        assert resolve_payment(customer, choice.words) == Found(method), "a choice resolves to itself"


def test_choices_are_all_methods(ada: Any) -> None:
    assert [choice.label for choice in payment_choices(ada.customer)] == [
        "visa ending in 4242",
        "gift card (60.00 left)",
    ]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("refund it to my gift card", "gift card"),
        ("pay with PayPal please", "PayPal"),
        ("use the visa", "visa"),
        ("the one ending in 4242", "4242"),
        ("put it on credit_card_4022677", "credit_card_4022677"),
        ("I bought a gift card", None),
        ("paypal?", None),
    ],
)
def test_a_method_that_a_message_tells_to_use(message: str, words: str | None) -> None:
    assert spoken_payment(message) == words


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(st.sampled_from("my gift card visa 4242 original 1 one _".split())).map(" ".join)
    )
)
def test_only_their_own(ada: Any, words: str) -> None:
    spoken_payment(words)
    for order in (None, ada.orders[0]):
        outcome = resolve_payment(ada.customer, words, order)
        if isinstance(outcome, Found):
            assert outcome.value in ada.customer.payment_methods
        if isinstance(outcome, Choose):
            assert {choice.words for choice in outcome.choices} <= {one.id for one in ada.customer.payment_methods}
