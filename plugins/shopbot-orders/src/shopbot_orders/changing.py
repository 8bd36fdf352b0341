"""Tools that change an order or the default address. Each needs the customer's yes to the text read back."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Annotated

from shopbot import CANCELLED, Address, Answer, Context, Order, Payment, PaymentMethod, Slot, tool
from shopbot_orders.money import outstanding, settle
from shopbot_orders.policy import (
    Reason,
    is_cancellable,
    is_redirectable,
    is_repayable,
    may_cancel,
    may_change_address,
    may_change_default_address,
    may_change_payment,
)
from shopbot_orders.wording import method_name, money, refund, things

_MISTAKE = re.compile(
    r"\b(mistaken?(?:ly)?|accident(?:al|ally)?|mis-?click\w*|in error|by error|oops|didn'?t mean to|not mean to|"
    r"unintended|wrong (?:one|item|button|product)|(?:ordered|bought) (?:it )?twice|double order|duplicate)\b",
    re.IGNORECASE,
)
_NOT_NEEDED = re.compile(
    r"\b(no longer|not? (?:more|need|use)|(?:don'?t|do not|doesn'?t|won'?t|not) (?:\w+ )?(?:need\w*|want)|"
    r"changed my mind|unnecessary|not needed|isn'?t needed|any ?more|any longer|"
    r"already (?:have|got|bought))\b",
    re.IGNORECASE,
)


def _reason_in(message: str) -> Reason | None:
    """The reason that the customer's own words make plain."""
    if _MISTAKE.search(message):
        return "ordered by mistake"
    return "no longer needed" if _NOT_NEEDED.search(message) else None


def _cancel_text(ctx: Context, order: Order, item: str | None, reason: Reason) -> str:
    whole = " This cancels the whole order; single items can't be cancelled." if item and len(order.items) > 1 else ""
    refunds = [refund(ctx, ctx.me, amount, method_id) for method_id, amount in outstanding(order).items()]
    return " ".join([f"I'll cancel order {order.id} ({things(order)}). Reason: {reason}.{whole}", *refunds])


@tool(
    effect="write",
    identity="customer",
    policy=may_cancel,
    confirm=_cancel_text,
    examples=[
        "call off [order: #W4471120], I clicked buy twice",
        "please stop [order: 8830172] before it ships, don't want it anymore",
        "cancel the order with the [item: garden hose]",
        "I ordered the [item: bath towels] by accident, get rid of that order",
        "can you scrap [order: my most recent order]",
        "cancel [order: 2210948]",
        "I changed my mind about [order: yesterday's order], cancel it",
        "need to cancel something i bought this morning",
        "annul [order: #A-55310] no longer needed",
        "is it too late to cancel the [item: rice cooker]?",
    ],
)
def cancel_order(
    ctx: Context,
    order: Annotated[Order, Slot("Which order would you like to cancel?", only=is_cancellable)],
    item: str | None = None,
    *,
    reason: Annotated[
        Reason, Slot("Why would you like to cancel it: no longer needed, or ordered by mistake?", infer=_reason_in)
    ],
) -> Answer:
    """Cancel a pending order and refund what was paid."""
    del item
    before = ctx.write.order(order.id)
    paid = outstanding(before)
    refunds = tuple(Payment("refund", amount, method_id, ctx.today) for method_id, amount in paid.items())
    ctx.write.save_order(replace(before, status=CANCELLED, cancel_reason=reason, payments=before.payments + refunds))
    settle(ctx, paid)
    lines = [refund(ctx, ctx.me, amount, method_id) for method_id, amount in paid.items()]
    return Answer(
        " ".join([f"Order {order.id} is cancelled.", *lines]),
        {
            "order": order.id,
            "status": CANCELLED,
            "reason": reason,
            "refunds": {method_id: str(amount) for method_id, amount in paid.items()},
        },
        (f"order:{order.id}",),
    )


def _address_text(ctx: Context, order: Order, address: Address) -> str:
    del ctx
    return f"I'll send order {order.id} ({things(order)}) to {address} instead of {order.address}."


@tool(
    effect="write",
    identity="customer",
    policy=may_change_address,
    confirm=_address_text,
    examples=[
        "send [order: #W7718250] to [address: 14 Mill Lane, Dayton, OH 45402]",
        "wrong street on [order: my last order], it should go to [address: 9 Quay Street, Apt 3, Portland, ME 04101]",
        "can my parcel go to [address: my work address] instead",
        "update the shipping address for [order: 6620914]",
        "I need to have a package delivered somewhere else",
        "ship [order: the bookshelf order] to [address: my default address]",
        "the delivery address is wrong, please fix it",
        "redirect [order: #B-90021] to [address: 77 Hill Road, Austin, TX 78701]",
        "can you deliver it to my sister's place instead? she lives at [address: 5 Oak Court, Boise, ID 83702]",
    ],
)
def change_address(
    ctx: Context,
    order: Annotated[Order, Slot("Which order should go to another address?", only=is_redirectable)],
    address: Annotated[
        Address, Slot("What is the full address: street and number, city, postcode, and state or country?")
    ],
) -> Answer:
    """Change the delivery address of a pending order."""
    before = ctx.write.order(order.id)
    ctx.write.save_order(replace(before, address=address))
    return Answer(
        f"Order {order.id} now goes to {address}.",
        {"order": order.id, "address": str(address)},
        (f"order:{order.id}",),
    )


def _payment_text(ctx: Context, order: Order, payment: PaymentMethod) -> str:
    paid = outstanding(order)
    total = sum(paid.values(), Decimal(0))
    back = [refund(ctx, ctx.me, amount, method_id) for method_id, amount in paid.items()]
    charge = f"I'll charge {money(ctx, total)} for order {order.id} to your {method_name(ctx.me, payment)}."
    return " ".join([charge, *back])


@tool(
    effect="write",
    identity="customer",
    policy=may_change_payment,
    confirm=_payment_text,
    examples=[
        "use [payment: paypal] for [order: #W9012288] instead of my card",
        "put [order: my last order] on [payment: the visa ending in 3071]",
        "I want to pay [order: 4401873] with my [payment: gift card]",
        "charge a different card for my order",
        "switch the payment method of [order: #C-77120]",
        "oh I paid with the wrong card, can [order: it] go on [payment: mastercard]",
        "change how I pay for the order from monday",
        "please bill my [payment: store credit] rather than paypal for [order: #W1180043]",
    ],
)
def change_payment(
    ctx: Context,
    order: Annotated[Order, Slot("Which order would you like to pay in another way?", only=is_repayable)],
    payment: Annotated[PaymentMethod, Slot("Which payment method would you like to use instead?")],
) -> Answer:
    """Pay a pending order with another method; the first one is refunded."""
    before = ctx.write.order(order.id)
    paid = outstanding(before)
    total = sum(paid.values(), Decimal(0))
    moved = (
        Payment("payment", total, payment.id, ctx.today),
        *(Payment("refund", amount, method_id, ctx.today) for method_id, amount in paid.items()),
    )
    ctx.write.save_order(replace(before, payments=before.payments + moved))
    settle(ctx, {**paid, payment.id: paid.get(payment.id, Decimal(0)) - total})
    lines = [refund(ctx, ctx.me, amount, method_id) for method_id, amount in paid.items()]
    charged = f"Order {order.id} is now paid with your {method_name(ctx.me, payment)} ({money(ctx, total)})."
    return Answer(
        " ".join([charged, *lines]),
        {"order": order.id, "payment": payment.id, "amount": str(total)},
        (f"order:{order.id}",),
    )


def _default_address_text(ctx: Context, address: Address) -> str:
    return f"I'll change your default address from {ctx.me.address} to {address}. Orders placed so far keep theirs."


@tool(
    effect="write",
    identity="customer",
    policy=may_change_default_address,
    confirm=_default_address_text,
    examples=[
        "I moved, my new address is [address: 31 Fern Way, Salem, OR 97301]",
        "update the address on my profile",
        "set my default address to [address: 820 Lake Street, Apt 12, Madison, WI 53703]",
        "make [address: the address of my last order] my standard address",
        "change my account address please",
        "my home address in your system is outdated",
        "we have relocated to [address: 66 Harbor Drive, Tampa, FL 33602], change it in my account",
        "from now on everything should go to [address: 4 Vine Street, Reno, NV 89501]",
    ],
)
def change_default_address(
    ctx: Context,
    address: Annotated[
        Address, Slot("What is your new address: street and number, city, postcode, and state or country?")
    ],
) -> Answer:
    """Change the customer's default address; orders placed so far keep theirs."""
    before = ctx.write.customer(ctx.me.id)
    ctx.write.save_customer(replace(before, address=address))
    return Answer(f"Your default address is now {address}.", {"address": str(address)})
