"""The shop's rules. Each returns a Refusal that tells the customer why, or None.

They run before the customer is asked to confirm and again inside the write's transaction; there they judge the locked
records, not the ones that were read earlier.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from shopbot import (
    CANCELLED,
    DELIVERED,
    EXCHANGE_REQUESTED,
    PENDING,
    PENDING_MODIFIED,
    PROCESSED,
    RETURN_REQUESTED,
    Context,
    Customer,
    Order,
    OrderItem,
    PaymentMethod,
    Refusal,
    Return,
    Variant,
)
from shopbot_returns.settings import Settings, read_settings
from shopbot_returns.wording import day, method_name, money, pieces


def may_return_order(ctx: Context, order: Order) -> Refusal | None:
    """Delivered, inside the window, and nothing under way yet."""
    if order.status == PENDING:
        text = f"Order {order.id} has not been shipped yet, so there is nothing to send back."
        text += " The whole order can be cancelled instead."
        return Refusal(text, instead="cancel_order")
    return _refuse_status(ctx, order, "return") or _refuse_late(ctx, order, "return")


def may_exchange_order(ctx: Context, order: Order) -> Refusal | None:
    """Delivered, inside the window, and nothing under way yet."""
    if order.status == PENDING:
        text = f"Order {order.id} has not been shipped yet, so its items can still be changed; no exchange is needed."
        return Refusal(text, instead="change_items")
    return _refuse_status(ctx, order, "exchange") or _refuse_late(ctx, order, "exchange")


def may_return(
    ctx: Context, order: Order, item: Sequence[OrderItem], payment: PaymentMethod, amount: Decimal | None = None
) -> Refusal | None:
    """The policy of ``return_items``. ``amount`` only helps to find the order; the refund is the items' price."""
    del amount
    order, customer = current_order(ctx, order), current_customer(ctx)
    return (
        may_return_order(ctx, order)
        or _refuse_items(order, item, "return")
        or _refuse_method(customer, payment)
        or _refuse_refund_to(ctx, order, customer, payment)
    )


def may_exchange(
    ctx: Context, order: Order, item: Sequence[OrderItem], want: Sequence[Variant], payment: PaymentMethod
) -> Refusal | None:
    """The policy of ``exchange_items``."""
    order, customer = current_order(ctx, order), current_customer(ctx)
    return (
        may_exchange_order(ctx, order)
        or _refuse_items(order, item, "exchange")
        or _refuse_wishes(ctx, item, want)
        or _refuse_method(customer, payment)
        or _refuse_balance(ctx, customer, payment, price_difference(item, want))
    )


def current_order(ctx: Context, order: Order) -> Order:
    """The order as it is now: locked while a write runs."""
    return ctx.unit.order(order.id) if ctx.unit else order


def current_customer(ctx: Context) -> Customer:
    """The customer as they are now: locked while a write runs."""
    return ctx.unit.customer(ctx.me.id) if ctx.unit else ctx.me


def last_day(order: Order, days: int) -> date | None:
    """The last day of the window; None where the shop does not know when the order arrived."""
    return order.delivered_on + timedelta(days) if order.delivered_on else None


def net_paid(order: Order) -> Decimal:
    """What the customer paid for the order so far, less what came back."""
    return sum(
        (payment.amount if payment.kind == "payment" else -payment.amount for payment in order.payments), Decimal(0)
    )


def refund_amount(order: Order, items: Sequence[OrderItem]) -> Decimal:
    """What a return of these items gives back: their price, never more than is still paid."""
    price = sum((item.price for item in items), Decimal(0))
    return max(Decimal(0), min(price, net_paid(order)))


def return_amount(order: Order, returned: Return) -> Decimal:
    """What a return that is under way, or finished, gives back."""
    items = pieces(order, returned.variant_ids)
    if returned.state != "refunded":
        return refund_amount(order, items)
    given_back = [payment.amount for payment in order.payments if payment.kind == "refund"]
    return given_back[-1] if given_back else refund_amount(order, items)


def price_difference(items: Sequence[OrderItem], wanted: Sequence[Variant]) -> Decimal:
    """What the customer pays (positive) or gets back (negative) for the swap."""
    return sum((new.price for new in wanted), Decimal(0)) - sum((old.price for old in items), Decimal(0))


def _refuse_status(ctx: Context, order: Order, what: str) -> Refusal | None:
    if order.customer_id != ctx.me.id:
        return Refusal("I can't find that order in your account.")
    if order.status == DELIVERED and order.returned is None and order.exchanged is None:
        return None
    why = {
        PENDING_MODIFIED: f"has not been shipped yet. You can {what} it when it has arrived.",
        PROCESSED: f"is on its way. You can {what} it when it has arrived.",
        CANCELLED: f"was cancelled, so there is nothing to {what}.",
        RETURN_REQUESTED: "already has a return under way, and only one return or exchange is possible per order.",
        EXCHANGE_REQUESTED: "already has an exchange under way, and only one return or exchange is possible per order.",
        DELIVERED: "was returned or exchanged before, and only one return or exchange is possible per order.",
    }
    reason = why.get(order.status, f"is {order.status}; only delivered orders can be {what}ed.")
    return Refusal(f"Order {order.id} {reason}")


def _refuse_late(ctx: Context, order: Order, what: str) -> Refusal | None:
    settings = read_settings(ctx.config)
    days = settings.window_days if what == "return" else settings.exchange_days
    last = last_day(order, days)
    if last is None or order.delivered_on is None or ctx.today <= last:
        return None
    arrived = day(order.delivered_on)
    return Refusal(
        f"Order {order.id} arrived on {arrived}. We take {what}s for {days} days, so the last day was {day(last)}."
    )


def _refuse_items(order: Order, items: Sequence[OrderItem], what: str) -> Refusal | None:
    if not items:
        return Refusal(f"Please tell me which items of order {order.id} you would like to {what}.")
    left = Counter((item.variant_id, item.price) for item in order.items)
    left.subtract((item.variant_id, item.price) for item in items)
    missing = next((item for item in items if left[item.variant_id, item.price] < 0), None)
    if missing is None:
        return None
    there = sum(item.variant_id == missing.variant_id for item in order.items)
    how_many = f"only {there} × {missing}" if there else f"no {missing}"
    return Refusal(f"There is {how_many} in order {order.id}.")


def _refuse_method(customer: Customer, payment: PaymentMethod | None) -> Refusal | None:
    if payment is not None and customer.payment_method(payment.id) is not None:
        return None
    return Refusal("That payment method is not on file in your account.")


def _refuse_refund_to(ctx: Context, order: Order, customer: Customer, payment: PaymentMethod) -> Refusal | None:
    settings = read_settings(ctx.config)
    if "original" in settings.refund_to and payment.id == order.paid_with:
        return None
    if "gift_card" in settings.refund_to and payment.kind == "gift_card":
        return None
    allowed = refund_methods(order, customer, settings)
    places = " or ".join(f"your {method_name(customer, method)}" for method in allowed)
    if not places:
        rule = {"original": "the payment method you paid with", "gift_card": "a gift card of yours"}
        places = " or ".join(rule[place] for place in settings.refund_to)
    return Refusal(
        f"I can't refund order {order.id} to your {method_name(customer, payment)}. The money can go to {places}.",
        slot="payment",
    )


def refund_methods(order: Order, customer: Customer, settings: Settings) -> list[PaymentMethod]:
    """Where the refund of a return may go, the original method first."""
    paid_with = customer.payment_method(order.paid_with or "")
    original = [paid_with] if paid_with and "original" in settings.refund_to else []
    cards = [method for method in customer.payment_methods if method.kind == "gift_card"]
    return list(dict.fromkeys(original + (cards if "gift_card" in settings.refund_to else [])))


def _refuse_wishes(ctx: Context, items: Sequence[OrderItem], wanted: Sequence[Variant | None]) -> Refusal | None:
    if len(items) != len(wanted):
        return Refusal("Please tell me for each item what you would like instead.")
    refusals = (_refuse_wish(ctx, old, new) for old, new in zip(items, wanted, strict=True))
    return next((refusal for refusal in refusals if refusal), None)


def _refuse_wish(ctx: Context, old: OrderItem, new: Variant | None) -> Refusal | None:
    settings = read_settings(ctx.config)
    if new is None:  # taken out of the catalogue since it was chosen
        return Refusal(f"The {old.name} you chose is no longer in our shop. Please choose another option.")
    if new.product_id != old.product_id:
        return Refusal(f"A {old.name} can only be exchanged for another option of the same product, not for {new}.")
    if new.id == old.variant_id and not settings.allow_replacement:
        return Refusal(f"{new} is what you have already. Please choose another option.")
    product = ctx.unit.product(new.product_id) if ctx.unit else ctx.store.product(new.product_id)
    now = product.variant(new.id) if product else None
    if now is None or not now.available:
        return Refusal(f"{new} is not available at the moment.")
    if now.price != new.price:
        price = money(now.price, settings)
        return Refusal(f"The price of {new} has just changed to {price}, so I have not exchanged anything.")
    return None


def _refuse_balance(ctx: Context, customer: Customer, payment: PaymentMethod, difference: Decimal) -> Refusal | None:
    method = customer.payment_method(payment.id)
    if method is None or method.kind != "gift_card" or difference <= (method.balance or Decimal(0)):
        return None
    settings = read_settings(ctx.config)
    balance, more = money(method.balance or Decimal(0), settings), money(difference, settings)
    return Refusal(
        f"Your {method_name(customer, method)} has {balance} left, which does not cover the difference of {more}.",
        slot="payment",
    )
