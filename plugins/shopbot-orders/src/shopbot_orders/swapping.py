"""Items of a pending order against other options of the same products: once an order, all items together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any

from shopbot import (
    PENDING_MODIFIED,
    Answer,
    ConflictError,
    Context,
    Order,
    OrderItem,
    Payment,
    PaymentMethod,
    Slot,
    Variant,
    tool,
)
from shopbot_orders.money import payer, settle
from shopbot_orders.policy import is_changeable, may_change_items, price_difference
from shopbot_orders.wording import method_name, money, options, paid_through, refund


def _swap_text(
    ctx: Context, order: Order, item: Sequence[OrderItem], want: Sequence[Variant], payment: PaymentMethod
) -> str:
    swaps = [f"- {old} at {money(ctx, old.price)} → {_new(ctx, new)}" for old, new in zip(item, want, strict=True)]
    return "\n".join(
        [
            f"In order {order.id} I'll change:",
            *swaps,
            _settlement(ctx, price_difference(item, want), payment),
            "An order can be changed like this only once, and can't be cancelled or changed after that, so please make "
            "sure that nothing is missing.",
        ]
    )


def _new(ctx: Context, variant: Variant) -> str:
    return f"{options(variant) or variant.product_name} at {money(ctx, variant.price)}"


def _settlement(ctx: Context, difference: Decimal, payment: PaymentMethod) -> str:
    if difference > 0:
        name = method_name(ctx.me, payment)
        return f"The price difference of {money(ctx, difference)} is charged to your {name}."
    if difference < 0:
        return f"The price difference of {refund(ctx, ctx.me, -difference, payment.id)}"
    return f"The price stays the same ({paid_through(ctx.me, payment.id)} is on record for it)."


def _pays_now(ctx: Context, arguments: Mapping[str, Any]) -> PaymentMethod | None:
    order = arguments.get("order")
    return payer(ctx.me, order) if isinstance(order, Order) else None


@tool(
    effect="write",
    identity="customer",
    policy=may_change_items,
    confirm=_swap_text,
    examples=[
        "in [order: #W6103377] make the [item: sweater] [want: green] instead",
        "I'd like the [item: laptop] with [want: 32GB] please, it hasn't shipped",
        "swap the [item: kettle] in [order: my pending order] for [want: the cheapest one]",
        "change the size of the [item: running shoes] to [want: 9]",
        "can I get the [item: backpack] in [want: navy] rather than black",
        "modify [order: 5501298]: [item: office chair] to [want: leather]",
        "pick a different option for something in my open order",
        "edit the items of [order: #D-40917] before it goes out",
        "I want the bigger [item: tent], charge the difference to [payment: paypal]",
        "replace [item: the desk lamp] with [want: a brighter one] in the order i just placed",
    ],
)
def change_items(
    ctx: Context,
    order: Annotated[Order, Slot("Which order would you like to change?", only=is_changeable)],
    item: Annotated[list[OrderItem], Slot("Which item would you like to change?")],
    want: Annotated[list[Variant], Slot("Which option would you like instead?")],
    payment: Annotated[
        PaymentMethod, Slot("Which payment method should the price difference go to?", default=_pays_now)
    ],
) -> Answer:
    """Change items of a pending order to other options of the same products."""
    before = ctx.write.order(order.id)
    difference = price_difference(item, want)
    # Also where the difference is nothing: the row says that the change was settled, and with which method.
    settled = Payment("payment" if difference > 0 else "refund", abs(difference), payment.id, ctx.today)
    ctx.write.save_order(
        replace(
            before,
            items=_swapped(before, item, want),
            status=PENDING_MODIFIED,
            payments=(*before.payments, settled),
        )
    )
    settle(ctx, {payment.id: -difference})
    return Answer(
        f"Order {order.id} now has {', '.join(str(new) for new in want)}. "
        f"{_settlement(ctx, difference, payment)} The new total is {money(ctx, before.total + difference)}.",
        {
            "order": order.id,
            "items": [old.variant_id for old in item],
            "new_items": [new.id for new in want],
            "price_difference": str(difference),
            "payment": payment.id,
        },
        (f"order:{order.id}",),
    )


def _swapped(order: Order, item: Sequence[OrderItem], want: Sequence[Variant]) -> tuple[OrderItem, ...]:
    """The order's items, each piece replaced at most once and where it stood."""
    pieces = list(order.items)
    open_places = set(range(len(pieces)))
    for old, new in zip(item, want, strict=True):
        place = next(
            (
                at
                for at in sorted(open_places)
                if (pieces[at].variant_id, pieces[at].price) == (old.variant_id, old.price)
            ),
            None,
        )
        if place is None:
            raise ConflictError(f"{old} is not in order {order.id} any more.", remedy="Look at the order again.")
        open_places.remove(place)
        pieces[place] = OrderItem(new.id, new.product_id, old.name, new.options, new.price)
    return tuple(pieces)
