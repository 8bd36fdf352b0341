"""The shop's rules, one row a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from shopbot_returns.requests import exchange_items, exchange_readback, return_items, return_readback
from shopbot_returns.rules import may_exchange, may_exchange_order, may_return, may_return_order, refund_amount
from shopbot_returns.settings import Settings
from shopbot_returns.wording import money, refund_speed

from shopbot.store import (
    CANCELLED,
    DELIVERED,
    EXCHANGE_REQUESTED,
    PENDING,
    PENDING_MODIFIED,
    PROCESSED,
    RETURN_REQUESTED,
    Exchange,
    Fulfillment,
    Order,
    OrderItem,
    PaymentMethod,
    Return,
    Variant,
)
from shopbot.tools import Context

POLICIES = {"return": may_return_order, "exchange": may_exchange_order}


def delivered(order: Order, when: date | None) -> Order:
    return replace(order, fulfillments=(Fulfillment(("1",), (), delivered_on=when),))


def paid_with(ctx: Context, order: Order) -> PaymentMethod:
    method = ctx.me.payment_method(order.paid_with or "")
    assert method is not None
    return method


def with_methods(ctx: Context, *methods: PaymentMethod) -> Context:
    return replace(ctx, customer=replace(ctx.me, payment_methods=(*ctx.me.payment_methods, *methods)))


def other_option(ctx: Context, item: OrderItem) -> Variant | None:
    product = ctx.store.product(item.product_id)
    assert product is not None
    return next((new for new in product.variants if new.available and new.id != item.variant_id), None)


def swap(ctx: Context, order: Order) -> tuple[OrderItem, Variant]:
    for item in order.items:
        new = other_option(ctx, item)
        if new is not None:
            return item, new
    raise AssertionError("the demo order has nothing that can be exchanged")


@pytest.mark.parametrize("what", ["return", "exchange"])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (PENDING, "has not been shipped yet"),
        (PENDING_MODIFIED, "when it has arrived"),
        (PROCESSED, "is on its way. You can {what} it when it has arrived"),
        (CANCELLED, "was cancelled"),
        (RETURN_REQUESTED, "already has a return under way"),
        (EXCHANGE_REQUESTED, "already has an exchange under way"),
        ("lost at sea", "only delivered orders"),
    ],
)
def test_only_delivered_orders(ctx: Context, order: Order, what: str, status: str, said: str) -> None:
    refusal = POLICIES[what](ctx, replace(order, status=status))
    assert refusal is not None, f"a {status} order was let through"
    assert said.format(what=what) in refusal.text
    assert order.id in refusal.text


def test_a_pending_order_is_passed_on(ctx: Context, order: Order) -> None:
    pending = replace(order, status=PENDING)
    returned, exchanged = may_return_order(ctx, pending), may_exchange_order(ctx, pending)
    assert returned is not None and returned.instead == "cancel_order"
    assert exchanged is not None and exchanged.instead == "change_items"
    modified = may_return_order(ctx, replace(order, status=PENDING_MODIFIED))
    assert modified is not None and modified.instead is None


@pytest.mark.parametrize("what", ["return", "exchange"])
@pytest.mark.parametrize(
    ("days_ago", "config", "is_allowed"),
    [
        (0, {}, True),
        (30, {}, True),
        (31, {}, False),
        (14, {"window_days": 14}, True),
        (15, {"window_days": 14}, False),
        (None, {}, True),
    ],
)
def test_the_window(
    ctx: Context, order: Order, what: str, days_ago: int | None, config: Mapping[str, Any], is_allowed: bool
) -> None:
    when = None if days_ago is None else ctx.today - timedelta(days_ago)
    refusal = POLICIES[what](replace(ctx, config=config), delivered(order, when))
    assert (refusal is None) == is_allowed, f"{what} after {days_ago} days with {dict(config)}: {refusal}"


def test_exchanges_can_have_a_window_of_their_own(ctx: Context, order: Order) -> None:
    late = delivered(order, ctx.today - timedelta(40))
    longer = replace(ctx, config={"exchange_window_days": 60})
    assert may_exchange_order(longer, late) is None
    assert may_return_order(longer, late) is not None


def test_once_per_order_even_if_the_status_was_set_back(ctx: Context, order: Order) -> None:
    returned = replace(order, returned=Return((order.items[0].variant_id,), "x"))
    exchanged = replace(order, exchanged=Exchange(("1",), ("2",), "x", Decimal(0)))
    for touched in (returned, exchanged):
        assert touched.status == DELIVERED
        assert may_return_order(ctx, touched) is not None
        assert may_exchange_order(ctx, touched) is not None


def test_nobody_elses_order(ctx: Context, order: Order) -> None:
    foreign = replace(order, customer_id="somebody_else")
    for policy in POLICIES.values():
        refusal = policy(ctx, foreign)
        assert refusal is not None
        assert foreign.id not in refusal.text, "the refusal confirms that somebody else's order exists"


@pytest.mark.parametrize(
    ("config", "kind", "is_allowed"),
    [
        ({}, "original", True),
        ({}, "gift_card", True),
        ({}, "paypal", False),
        ({"refund_to": ["original"]}, "gift_card", False),
        ({"refund_to": ["gift_card"]}, "original", False),
    ],
)
def test_where_a_refund_may_go(
    ctx: Context, order: Order, config: Mapping[str, Any], kind: str, is_allowed: bool
) -> None:
    card = PaymentMethod("gift_card_777", "gift_card", balance=Decimal(3))
    paypal = PaymentMethod("paypal_777", "paypal")
    ctx = replace(with_methods(ctx, card, paypal), config=config)
    payment = {"original": paid_with(ctx, order), "gift_card": card, "paypal": paypal}[kind]
    refusal = may_return(ctx, order, order.items[:1], payment)
    assert (refusal is None) == is_allowed, f"{kind} with {dict(config)}: {refusal}"
    if refusal:
        assert "can go to" in refusal.text


def test_a_method_that_is_not_on_file(ctx: Context, order: Order) -> None:
    stranger = PaymentMethod("gift_card_999", "gift_card", balance=Decimal(1000))
    assert may_return(ctx, order, order.items[:1], stranger) is not None
    item, new = swap(ctx, order)
    assert may_exchange(ctx, order, [item], [new], stranger) is not None


def test_items_must_be_in_the_order_as_often(ctx: Context, order: Order) -> None:
    payment = paid_with(ctx, order)
    first = order.items[0]
    pieces = sum(item.variant_id == first.variant_id for item in order.items)
    assert may_return(ctx, order, [first] * (pieces + 1), payment) is not None
    assert may_return(ctx, order, [replace(first, variant_id="0000000000")], payment) is not None
    assert may_return(ctx, order, [], payment) is not None
    assert may_return(ctx, order, order.items, payment) is None


def test_wishes(ctx: Context, order: Order) -> None:
    item, new = swap(ctx, order)
    payment = paid_with(ctx, order)
    assert may_exchange(ctx, order, [item], [new], payment) is None
    stranger = next(
        product.variants[0] for product in ctx.store.products() if product.id != item.product_id and product.variants
    )
    foreign = may_exchange(ctx, order, [item], [stranger], payment)
    assert foreign is not None and "same product" in foreign.text
    assert may_exchange(ctx, order, [item], [], payment) is not None
    vanished = may_exchange(ctx, order, [item], [replace(new, id="0000000000")], payment)
    assert vanished is not None and "not available" in vanished.text
    cheaper = may_exchange(ctx, order, [item], [replace(new, price=new.price - 1)], payment)
    assert cheaper is not None and "has just changed" in cheaper.text


def test_an_option_that_is_sold_out(ctx: Context, order: Order) -> None:
    for found in ctx.store.products():
        gone = next((variant for variant in found.variants if not variant.available), None)
        if gone is not None:
            item = OrderItem("1", found.id, found.name, {}, Decimal(10))
            refusal = may_exchange(ctx, replace(order, items=(item,)), [item], [gone], paid_with(ctx, order))
            assert refusal is not None and "not available" in refusal.text
            return
    raise AssertionError("the demo store has nothing sold out")


def test_the_same_option_as_a_replacement(ctx: Context, order: Order) -> None:
    _, new = swap(ctx, order)
    same = OrderItem(new.id, new.product_id, new.product_name, new.options, new.price)
    order = replace(order, items=(same,))
    assert may_exchange(ctx, order, [same], [new], paid_with(ctx, order)) is None
    strict = replace(ctx, config={"allow_replacement": False})
    assert may_exchange(strict, order, [same], [new], paid_with(ctx, order)) is not None


@pytest.mark.parametrize(("balance", "is_allowed"), [("0", False), ("9.99", False), ("10.00", True), ("50", True)])
def test_a_gift_card_covers_the_difference(ctx: Context, order: Order, balance: str, is_allowed: bool) -> None:
    item, new = swap(ctx, order)
    item = replace(item, price=new.price - 10)
    order = replace(order, items=(item,))
    card = PaymentMethod("gift_card_777", "gift_card", balance=Decimal(balance))
    refusal = may_exchange(with_methods(ctx, card), order, [item], [new], card)
    assert (refusal is None) == is_allowed, f"a balance of {balance} for a difference of 10: {refusal}"


def test_a_refund_needs_no_balance(ctx: Context, order: Order) -> None:
    item, new = swap(ctx, order)
    item = replace(item, price=new.price + 10)
    card = PaymentMethod("gift_card_777", "gift_card", balance=Decimal(0))
    assert may_exchange(with_methods(ctx, card), replace(order, items=(item,)), [item], [new], card) is None


def test_the_readback_names_every_argument(ctx: Context, order: Order) -> None:
    payment = paid_with(ctx, order)
    text = return_readback(ctx, order, order.items, payment)
    for part in (order.id, str(payment), money(refund_amount(order, order.items), Settings())):
        assert part in text
    assert all(str(item) in text for item in order.items)
    item, new = swap(ctx, order)
    text = exchange_readback(ctx, order, [item], [new], payment)
    for part in (order.id, f"{item}, {money(item.price, Settings())} → {new}, {money(new.price, Settings())}"):
        assert part in text
    if new.price != item.price:
        assert money(new.price - item.price, Settings()) in text


def test_two_methods_that_read_alike_are_told_apart(ctx: Context, order: Order) -> None:
    one, two = (PaymentMethod(f"gift_card_{number}", "gift_card", balance=Decimal(5)) for number in (771, 772))
    text = return_readback(with_methods(ctx, one, two), order, order.items[:1], two)
    assert "gift_card_772" in text and "gift_card_771" not in text


def test_the_original_method_is_the_default(ctx: Context, order: Order) -> None:
    for tool in (return_items, exchange_items):
        parameter = tool.parameter("payment")
        assert parameter is not None and parameter.slot.default is not None
        assert parameter.slot.default(ctx, {"order": order}) == paid_with(ctx, order)
        assert parameter.slot.default(ctx, {"order": replace(order, payments=())}) is None


def test_how_long_a_refund_takes() -> None:
    card, gift = PaymentMethod("c", "credit_card"), PaymentMethod("g", "gift_card")
    assert refund_speed(card, Settings()) == "within 5 to 7 business days"
    assert refund_speed(card, Settings(refund_days=(3, 3))) == "within 3 business days"
    assert refund_speed(gift, Settings()) == "at once"
    assert money(Decimal("-1204.5"), Settings(currency="€")) == "€1,204.50"
