"""How money, days, things and payment methods read. Facts only; every text of the plugin is put together from these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from shopbot import Context, Customer, Order, OrderItem, PaymentMethod, Variant
from shopbot_orders.settings import Settings


def money(ctx: Context, amount: Decimal) -> str:
    """``$1,234.50`` in the shop's currency."""
    return f"{Settings.of(ctx.config).currency}{amount:,.2f}"


def day(ctx: Context, when: date) -> str:
    """``June 3``, with the year where it is not this year's."""
    text = f"{when:%B} {when.day}"
    return text if when.year == ctx.today.year else f"{text}, {when.year}"


def listing(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join((", ".join(texts[:-1]), texts[-1])) if len(texts) > 1 else "".join(texts)


def options(thing: OrderItem | Variant) -> str:
    """``color blue, size M``."""
    return ", ".join(f"{option} {value}" for option, value in thing.options.items())


def things(order: Order) -> str:
    """``Desk Lamp, Kettle x2``: what is in the order, without options."""
    counts: dict[str, int] = {}
    for item in order.items:
        counts[item.name] = counts.get(item.name, 0) + 1
    return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in counts.items())


def method_name(customer: Customer, method: PaymentMethod) -> str:
    """``PayPal``, ``visa ending in 4242``; with its id where the customer has two that read alike."""
    alike = [other for other in customer.payment_methods if str(other) == str(method)]
    return f"{method} ({method.id})" if len(alike) > 1 else str(method)


def paid_through(customer: Customer, method_id: str) -> str:
    """``your PayPal``; a method that is gone from the account is "the payment method you used"."""
    method = customer.payment_method(method_id)
    return f"your {method_name(customer, method)}" if method else "the payment method you used"


def refund(ctx: Context, customer: Customer, amount: Decimal, method_id: str) -> str:
    """``$12.00 goes back to your PayPal within 5 to 7 business days.``"""
    method = customer.payment_method(method_id)
    when = "at once" if method and method.kind == "gift_card" else f"within {Settings.of(ctx.config).refund_days}"
    return f"{money(ctx, amount)} goes back to {paid_through(customer, method_id)} {when}."


def status(order: Order) -> str:
    """The status as it reads in a list."""
    return "pending, items changed" if order.status.startswith("pending (") else order.status
