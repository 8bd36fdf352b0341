"""Returning and exchanging what has been delivered: the two tools that write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any

from shopbot import (
    EXCHANGE_REQUESTED,
    RETURN_REQUESTED,
    Answer,
    ConflictError,
    Context,
    Exchange,
    Order,
    OrderItem,
    PaymentMethod,
    Return,
    Slot,
    Variant,
    tool,
)
from shopbot_returns.rules import (
    may_exchange,
    may_exchange_order,
    may_return,
    may_return_order,
    price_difference,
    refund_amount,
)
from shopbot_returns.settings import Settings, read_settings
from shopbot_returns.wording import item_lines, method_name, money, refund_speed, swap_lines

_BY_MAIL = "You will get an e-mail that explains how to send"


def original_method(ctx: Context, arguments: Mapping[str, Any]) -> PaymentMethod | None:
    """The method the order was paid with, if the customer still has it on file."""
    order = arguments.get("order")
    return ctx.me.payment_method(order.paid_with or "") if isinstance(order, Order) else None


def return_readback(
    ctx: Context, order: Order, item: Sequence[OrderItem], payment: PaymentMethod, amount: Decimal | None = None
) -> str:
    """What the customer says yes to."""
    del amount
    settings = read_settings(ctx.config)
    refund, method = money(refund_amount(order, item), settings), method_name(ctx.me, payment)
    return (
        f"Return from order {order.id}:\n{item_lines(item, settings)}\n"
        f"Refund: {refund} to your {method}, once we have received the parcel.\n"
        "Only one return is possible per order, so please check that this is everything."
    )


@tool(
    effect="write",
    identity="customer",
    policy=may_return,
    confirm=return_readback,
    examples=[
        "i'd like to send the [item: standing desk] back",
        "return [item: yoga mat and the dumbbells] from [order: 88310]",
        "the [item: raincoat] doesn't fit, can i get my money back",
        "want to return everything in [order: the order that came on Monday]",
        "these [item: earbuds] are terrible!! refund me",
        "pls take back the [item: coffee grinder] and put the money on my [payment: gift card]",
        "how do I return [order: order A-2210]?",
        "I changed my mind about the [item: tent], I want to give it back",
        "refund for the [item: blender], it cost [amount: 74.90]",
        "my [item: lamp] arrived broken and i want a refund to [payment: paypal]",
        "need to ship back two things",
    ],
)
def return_items(
    ctx: Context,
    order: Annotated[Order, Slot("Which order would you like to return something from?", only=may_return_order)],
    item: Annotated[
        list[OrderItem], Slot("Which items would you like to return? (You can say \u201ceverything\u201d.)")
    ],
    payment: Annotated[
        PaymentMethod, Slot("Where should the refund go: the way you paid, or a gift card?", default=original_method)
    ],
    amount: Annotated[Decimal | None, Slot()] = None,
) -> Answer:
    """Send back items of a delivered order and get the money back."""
    refusal = may_return(ctx, order, item, payment, amount)
    if refusal:
        raise ConflictError(refusal.text)
    locked = ctx.write.order(order.id)
    refund = refund_amount(locked, item)
    returned = Return(tuple(sorted(piece.variant_id for piece in item)), payment.id, requested_on=ctx.today)
    ctx.write.save_order(replace(locked, status=RETURN_REQUESTED, returned=returned))
    settings = read_settings(ctx.config)
    method = method_name(ctx.me, payment)
    return Answer(
        f"Your return for order {order.id} is requested. {_BY_MAIL} it back. When the parcel has reached us, "
        f"{money(refund, settings)} goes to your {method} {refund_speed(payment, settings)}.",
        {
            "order": order.id,
            "item": list(returned.variant_ids),
            "payment": payment.id,
            "refund": str(refund),
            "status": RETURN_REQUESTED,
        },
    )


def exchange_readback(
    ctx: Context, order: Order, item: Sequence[OrderItem], want: Sequence[Variant], payment: PaymentMethod
) -> str:
    """What the customer says yes to."""
    settings = read_settings(ctx.config)
    difference = _difference(price_difference(item, want), method_name(ctx.me, payment), settings)
    return (
        f"Exchange in order {order.id}:\n{swap_lines(item, want, settings)}\n{difference}\n"
        "Only one exchange is possible per order, so please check that this is everything you want to swap."
    )


@tool(
    effect="write",
    identity="customer",
    policy=may_exchange,
    confirm=exchange_readback,
    examples=[
        "swap the [item: sneakers] for [want: size 9]",
        "can you exchange my [item: office chair] for [want: the leather one]",
        "got the [item: backpack] in grey but [want: a green one] would be better",
        "[order: 70412]: exchange [item: keyboard], [want: quieter switches], difference on my [payment: visa]",
        "the [item: jacket] you sent is too small, please replace it with [want: an XL]",
        "I received a faulty [item: kettle], send me [want: the same one] again",
        "want to trade the [item: monitor] in [order: my last order] for [want: the cheapest one]",
        "exchange [item: t-shirt] -> [want: v-neck, black]",
        "need a different colour for the [item: suitcase] that arrived yesterday",
        "id like to exchange something",
    ],
)
def exchange_items(
    ctx: Context,
    order: Annotated[Order, Slot("Which order would you like to exchange something from?", only=may_exchange_order)],
    item: Annotated[list[OrderItem], Slot("Which item would you like to exchange?")],
    want: Annotated[list[Variant], Slot("What would you like instead?")],
    payment: Annotated[
        PaymentMethod,
        Slot("Which payment method should we use for the price difference?", default=original_method),
    ],
) -> Answer:
    """Swap delivered items for other options of the same products."""
    refusal = may_exchange(ctx, order, item, want, payment)
    if refusal:
        raise ConflictError(refusal.text)
    locked = ctx.write.order(order.id)
    exchanged = Exchange(
        tuple(sorted(piece.variant_id for piece in item)),
        tuple(sorted(variant.id for variant in want)),
        payment.id,
        price_difference(item, want),
        ctx.today,
    )
    ctx.write.save_order(replace(locked, status=EXCHANGE_REQUESTED, exchanged=exchanged))
    settings = read_settings(ctx.config)
    method = method_name(ctx.me, payment)
    return Answer(
        f"Your exchange for order {order.id} is requested. {_BY_MAIL} the old items back; you need not order again. "
        f"{_difference(exchanged.price_difference, method, settings)}",
        {
            "order": order.id,
            "item": [piece.variant_id for piece in item],
            "want": [variant.id for variant in want],
            "payment": payment.id,
            "price_difference": str(exchanged.price_difference),
            "status": EXCHANGE_REQUESTED,
        },
    )


def _difference(difference: Decimal, method: str, settings: Settings) -> str:
    if difference > 0:
        return f"Price difference: you pay {money(difference, settings)} with your {method}."
    if difference < 0:
        return f"Price difference: you get back {money(difference, settings)} to your {method}."
    return f"Price difference: none; your {method} is not charged."
