"""The shop's rules for orders. Every function is a policy in the sense of ``@tool``: a refusal, or None.

``is_…`` judges an order alone and tells which orders can be meant; ``may_…`` judges the whole call. They run before the
customer is asked to confirm and again inside the write's transaction; there they look at the locked records, not at the
ones that the conversation remembers. A record that is gone in the meantime arrives as None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from shopbot import (
    CANCELLED,
    DELIVERED,
    EXCHANGE_REQUESTED,
    PENDING,
    PENDING_MODIFIED,
    PROCESSED,
    RETURN_REQUESTED,
    Address,
    Context,
    Customer,
    NotFoundError,
    Order,
    OrderItem,
    PaymentMethod,
    Product,
    Refusal,
    Variant,
)
from shopbot_orders.money import covers, outstanding
from shopbot_orders.settings import Settings
from shopbot_orders.wording import method_name, money, options

Reason = Literal["no longer needed", "ordered by mistake"]
REASONS = ("no longer needed", "ordered by mistake")

_LONGEST_LINE = 120
_WHY_CLOSED = {
    PENDING_MODIFIED: "had its items changed already",
    PROCESSED: "has been processed already",
    DELIVERED: "has been delivered already",
    CANCELLED: "has been cancelled",
    RETURN_REQUESTED: "is being returned",
    EXCHANGE_REQUESTED: "is being exchanged",
}


def is_cancellable(ctx: Context, order: Order) -> Refusal | None:
    """Pending, and its items were never changed."""
    if not Settings.of(ctx.config).allow_cancel:
        return Refusal("I can't cancel orders in this shop.")
    return _closed(ctx, order, "cancelled", instead="return_items")


def may_cancel(ctx: Context, order: Order, item: str | None, reason: str) -> Refusal | None:
    """A cancellable order, for one of two reasons. ``item`` only helped to find the order."""
    del item
    refusal = is_cancellable(ctx, order)
    if refusal is None and reason not in REASONS:
        return Refusal("I can cancel an order only if it is no longer needed or was ordered by mistake.")
    return refusal


def is_redirectable(ctx: Context, order: Order) -> Refusal | None:
    """Pending, and its items were never changed."""
    if not Settings.of(ctx.config).allow_address_change:
        return Refusal("I can't change the address of orders in this shop.")
    return _closed(ctx, order, "sent to another address")


def may_change_address(ctx: Context, order: Order, address: Address) -> Refusal | None:
    """A redirectable order and a whole address that is not the one it goes to already."""
    refusal = is_redirectable(ctx, order) or _unusable(address)
    if refusal is None and address == current_order(ctx, order).address:
        return Refusal(f"Order {order.id} goes to that address already.")
    return refusal


def may_change_default_address(ctx: Context, address: Address) -> Refusal | None:
    """A whole address that is not the default already."""
    if not Settings.of(ctx.config).allow_default_address_change:
        return Refusal("I can't change the default address in this shop.")
    refusal = _unusable(address)
    if refusal is None and address == current_customer(ctx).address:
        return Refusal("That is your default address already.")
    return refusal


def is_repayable(ctx: Context, order: Order) -> Refusal | None:
    """Pending, items never changed, something paid; paid with the first method, unless the shop allows more changes."""
    settings = Settings.of(ctx.config)
    if not settings.allow_payment_change:
        return Refusal("I can't change the payment method of orders in this shop.")
    refusal = _closed(ctx, order, "paid in another way")
    if refusal is not None:
        return refusal
    locked = current_order(ctx, order)
    if not outstanding(locked):
        return Refusal(f"Nothing has been paid for order {order.id} yet, so there is no payment to change.")
    was_changed = any(entry.kind == "refund" for entry in locked.payments)
    if was_changed and not settings.allow_repeated_payment_change:
        return Refusal(f"The payment method of order {order.id} was changed before; that is possible only once.")
    return None


def may_change_payment(ctx: Context, order: Order, payment: PaymentMethod) -> Refusal | None:
    """A repayable order and one other method of this customer; a gift card must cover the total."""
    refusal = is_repayable(ctx, order)
    if refusal is not None:
        return refusal
    customer, paid = current_customer(ctx), outstanding(current_order(ctx, order))
    method = customer.payment_method(payment.id) if payment else None
    if method is None:
        return _NO_METHOD
    if method.id in paid:
        text = f"Order {order.id} is paid with your {method_name(customer, method)} already."
        return Refusal(text, slot="payment")
    return _uncovered(ctx, method, sum(paid.values(), Decimal(0)))


def is_changeable(ctx: Context, order: Order) -> Refusal | None:
    """Pending, and its items were never changed."""
    if not Settings.of(ctx.config).allow_item_change:
        return Refusal("I can't change the items of orders in this shop.")
    return _closed(ctx, order, "changed", instead="exchange_items")


def may_change_items(
    ctx: Context, order: Order, item: Sequence[OrderItem], want: Sequence[Variant], payment: PaymentMethod
) -> Refusal | None:
    """A changeable order; each item to another available option of its own product; a gift card must cover the rest."""
    refusal = is_changeable(ctx, order) or _not_in(current_order(ctx, order), item) or _not_swappable(ctx, item, want)
    if refusal is not None:
        return refusal
    method = current_customer(ctx).payment_method(payment.id) if payment else None
    if method is None:
        return _NO_METHOD
    difference = price_difference(item, want)
    return _uncovered(ctx, method, difference) if difference > 0 else None


def price_difference(item: Sequence[OrderItem], want: Sequence[Variant]) -> Decimal:
    """What the new options cost more than was charged for the old ones; negative where they cost less."""
    return sum((new.price - old.price for old, new in zip(item, want, strict=True)), Decimal(0))


def current_order(ctx: Context, order: Order) -> Order:
    """Inside a write the locked order, else the order as it was given."""
    return ctx.unit.order(order.id) if ctx.unit else order


def current_customer(ctx: Context) -> Customer:
    """Inside a write the locked customer, else the customer as identified."""
    return ctx.unit.customer(ctx.me.id) if ctx.unit else ctx.me


def current_product(ctx: Context, product_id: str) -> Product | None:
    """Inside a write the locked product, else the catalogue's; None if there is none."""
    try:
        return ctx.unit.product(product_id) if ctx.unit else ctx.store.product(product_id)
    except NotFoundError:
        return None


_NO_METHOD = Refusal("I can't find that payment method in your account.")


def _closed(ctx: Context, order: Order, participle: str, *, instead: str | None = None) -> Refusal | None:
    """Why the order cannot be changed any more; ``instead`` holds for delivered orders."""
    try:
        locked = current_order(ctx, order) if order else None
    except NotFoundError:
        locked = None
    if locked is None or locked.customer_id != ctx.me.id:
        return Refusal("I can't find that order in your account.")
    if locked.status == PENDING:
        return None
    if locked.status == CANCELLED and participle == "cancelled":
        return Refusal(f"Order {order.id} is cancelled already.")
    why = _WHY_CLOSED.get(locked.status, f"is {locked.status}")
    text = f"Order {order.id} {why}, so it can't be {participle} any more."
    return Refusal(text, instead if locked.status == DELIVERED else None)


def _unusable(address: Address) -> Refusal | None:
    lines = (address.line1, address.line2, address.city, address.state, address.postcode, address.country)
    if any(len(line) > _LONGEST_LINE or not line.isprintable() for line in lines):
        return Refusal("That address doesn't look right to me.")
    if not (address.line1.strip() and address.city.strip() and address.postcode.strip()):
        return Refusal("I need the full address: street and number, city, postcode, and state or country.")
    return None


def _not_in(order: Order, item: Sequence[OrderItem]) -> Refusal | None:
    if not item:
        return Refusal(f"I don't know which item of order {order.id} you mean.")
    there = Counter(piece.variant_id for piece in order.items)
    for piece in item:
        there[piece.variant_id] -= 1
        charged = {known.price for known in order.items if known.variant_id == piece.variant_id}
        if there[piece.variant_id] < 0 or piece.price not in charged:
            return Refusal(f"I can't find that many of {piece} in order {order.id}.")
    return None


def _not_swappable(ctx: Context, item: Sequence[OrderItem], want: Sequence[Variant]) -> Refusal | None:
    if len(item) != len(want):
        return Refusal("I need one wish for each item that you want to change.")
    for old, new in zip(item, want, strict=True):
        product = current_product(ctx, old.product_id)
        offered = product.variant(new.id) if product and new else None
        if product is None or offered is None:
            return Refusal(f"I can change {old.name} only to another option of the same product.")
        if offered.id == old.variant_id:
            return Refusal(f"{old} is what you have ordered already.")
        if not offered.available:
            return Refusal(f"{product.name} with {options(offered)} is not available at the moment.")
        if offered.price != new.price:
            # The customer's yes was to the old price.
            return Refusal(f"The price of {offered} has changed to {money(ctx, offered.price)} in the meantime.")
    return None


def _uncovered(ctx: Context, method: PaymentMethod, amount: Decimal) -> Refusal | None:
    if covers(method, amount):
        return None
    balance = money(ctx, method.balance or Decimal(0))
    text = f"Your gift card has {balance} on it, which doesn't cover {money(ctx, amount)}."
    return Refusal(text, slot="payment")
