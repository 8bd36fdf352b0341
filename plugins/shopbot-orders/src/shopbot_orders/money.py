"""Money: what is paid and not given back, moving it, and writing it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from shopbot import ConflictError, Context, Customer, Order, PaymentMethod


def outstanding(order: Order) -> dict[str, Decimal]:
    """Method id → what was paid with it and not refunded, in the order of payment; settled methods are left out."""
    sums: dict[str, Decimal] = {}
    for payment in order.payments:
        sign = 1 if payment.kind == "payment" else -1
        sums[payment.method_id] = sums.get(payment.method_id, Decimal(0)) + sign * payment.amount
    return {method_id: amount for method_id, amount in sums.items() if amount > 0}


def payer(customer: Customer, order: Order) -> PaymentMethod | None:
    """The customer's method that the order is paid with now, if there is exactly one and it still exists."""
    paid = list(outstanding(order))
    return customer.payment_method(paid[0]) if len(paid) == 1 else None


def covers(method: PaymentMethod, amount: Decimal) -> bool:
    """Whether the method can pay ``amount``. Only a gift card's limit is known to the shop."""
    return method.kind != "gift_card" or (method.balance or Decimal(0)) >= amount


def move(customer: Customer, changes: Mapping[str, Decimal]) -> Customer:
    """The customer with gift-card balances changed: method id → amount, negative where money is taken.

    Methods without a balance are left as they are. :class:`ConflictError` if a balance would go below zero.
    """
    methods = []
    for method in customer.payment_methods:
        if method.kind == "gift_card" and changes.get(method.id):
            balance = (method.balance or Decimal(0)) + changes[method.id]
            if balance < 0:
                raise ConflictError(f"Gift card {method.id} does not cover the amount.", remedy="Use another method.")
            methods.append(replace(method, balance=balance))
        else:
            methods.append(method)
    return replace(customer, payment_methods=tuple(methods))


def settle(ctx: Context, changes: Mapping[str, Decimal]) -> None:
    """Put money on gift cards or take it off, at once. Other methods are settled by the shop's payment provider."""
    before = ctx.write.customer(ctx.me.id)
    after = move(before, changes)
    if after != before:
        ctx.write.save_customer(after)
