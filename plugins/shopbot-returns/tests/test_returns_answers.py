"""What the reading tools say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from shopbot_returns.progress import refund_status, return_status, returnable_items
from shopbot_returns.wording import business_day, names

from shopbot.store import CANCELLED, RETURN_REQUESTED, Fulfillment, Order, Payment, PaymentMethod, Return
from shopbot.tools import Context

CARD = PaymentMethod("credit_card_777", "credit_card", "visa", "4242")
GIFT = PaymentMethod("gift_card_777", "gift_card", balance=Decimal(5))


@pytest.fixture
def me(ctx: Context) -> Context:
    return replace(ctx, customer=replace(ctx.me, payment_methods=(CARD, GIFT)))


def cancelled(order: Order, method: PaymentMethod, made_on: date | None) -> Order:
    paid = Payment("payment", order.total, method.id)
    return replace(
        order, status=CANCELLED, payments=(paid, Payment("refund", order.total, method.id, made_on)), fulfillments=()
    )


@pytest.mark.parametrize(
    ("method", "days_ago", "said", "unsaid"),
    [
        (CARD, 1, "usually takes 5 to 7 business days, so until", "at once"),
        (CARD, 40, "should have arrived by", "usually takes"),
        (CARD, None, "usually takes 5 to 7 business days", "should have arrived"),
        (GIFT, 1, "at once", "business days"),
    ],
)
def test_a_cancelled_order(
    me: Context, order: Order, method: PaymentMethod, days_ago: int | None, said: str, unsaid: str
) -> None:
    when = None if days_ago is None else me.today - timedelta(days_ago)
    answer = refund_status.function(me, cancelled(order, method, when))
    assert said in answer.text
    assert unsaid not in answer.text
    assert f"{order.total:,.2f}" in answer.text
    assert answer.content["refunds"][0]["is_made"] is True


@pytest.mark.parametrize(
    ("state", "said_return", "said_refund"),
    [
        ("requested", "waiting for your parcel", "when we have received your parcel"),
        ("received", "next step is the refund", "We have your parcel"),
        ("refunded", "has been made", "refunded"),
    ],
)
def test_a_return_under_way(me: Context, order: Order, state: Any, said_return: str, said_refund: str) -> None:
    item = order.items[0]
    payments: tuple[Payment, ...] = (Payment("payment", order.total, CARD.id),)
    if state == "refunded":
        payments += (Payment("refund", item.price, CARD.id, me.today),)
    returned = replace(
        order,
        status=RETURN_REQUESTED,
        returned=Return((item.variant_id,), CARD.id, state, me.today - timedelta(3)),
        payments=payments,
    )
    status, refund = return_status.function(me, returned), refund_status.function(me, returned)
    assert said_return in status.text
    assert said_refund in refund.text
    for answer in (status, refund):
        assert f"{item.price:,.2f}" in answer.text, answer.text
    assert status.content["returns"][0]["state"] == state
    assert len(refund.content["refunds"]) == 1, "the refund was told twice"


def test_no_refund_and_no_return_are_said_plainly(me: Context, order: Order) -> None:
    for tool in (return_status, refund_status):
        answer = tool.function(me, order)
        assert order.id in answer.text
        assert "There is no re" in answer.text


def test_an_amount_picks_the_refund(me: Context, order: Order) -> None:
    order = cancelled(order, CARD, me.today)
    other = refund_status.function(me, order, Decimal("1.00"))
    assert "I see no refund of $1.00" in other.text
    assert "I see no refund" not in refund_status.function(me, order, order.total).text


def test_everything_of_the_customer(ctx: Context) -> None:
    """Without an order: all of the customer's, and nobody else's."""
    mine = {order.id for order in ctx.store.orders(ctx.me.id)}
    for tool in (return_status, refund_status, returnable_items):
        answer = tool.function(ctx)
        shown = {reference.split(":")[1].split("/")[0] for reference in answer.shown}
        assert shown <= mine


def test_what_can_be_returned(ctx: Context, order: Order) -> None:
    answer = returnable_items.function(ctx)
    assert [entry["order"] for entry in answer.content["items"]].count(order.id) == len(
        {item.variant_id for item in order.items}
    )
    assert f"item:{order.id}/{order.items[0].variant_id}" in answer.shown
    assert order.delivered_on is not None
    last = order.delivered_on + timedelta(30)
    assert f"{last:%B} {last.day}, {last.year}" in answer.text
    late = replace(order, fulfillments=(Fulfillment((), (), delivered_on=ctx.today - timedelta(90)),))
    assert "the last day was" in returnable_items.function(ctx, late).text
    unknown = replace(order, fulfillments=())
    assert order.id in returnable_items.function(ctx, unknown).text


def test_business_days_skip_weekends() -> None:
    friday = date(2026, 6, 12)
    assert business_day(friday, 1) == date(2026, 6, 15)
    assert business_day(friday, 7) == date(2026, 6, 23)


def test_lists_read_like_sentences() -> None:
    assert names([]) == ""
    assert names(["a"]) == "a"
    assert names(["a", "b"]) == "a and b"
    assert names(["a", "b", "c"]) == "a, b and c"
