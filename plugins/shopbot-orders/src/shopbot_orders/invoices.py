"""The invoice of an order: every line, the total, and all money that moved."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from shopbot import Answer, Context, Order, Slot, tool
from shopbot_orders.money import outstanding
from shopbot_orders.wording import day, money, paid_through, status


@tool(
    effect="read",
    identity="customer",
    examples=[
        "send me the receipt for [order: #W2204417]",
        "I need invoice [number: 5519037]",
        "how much did I pay for [order: my last order]?",
        "bill for the espresso machine please",
        "was I charged twice for [order: #F-30218]?",
        "what did [order: the order with the lamp] come to in total",
        "can you pull up my invoice for accounting, name [name: Jordan Blake]",
        "a copy of invoice [number: #44107] would be great",
        "which payments did you take for [order: 9017720]",
    ],
)
def invoice(
    ctx: Context,
    order: Annotated[Order, Slot("Which order is the invoice for?")],
    number: str | None = None,
    name: str | None = None,
) -> Answer:
    """The invoice of an order: what was bought, paid and refunded."""
    # An invoice bears its order's number; both only help to find the order, among this customer's own.
    del number, name
    placed = f" of {day(ctx, order.placed_on)}" if order.placed_on else ""
    moved = [
        f"- {'Paid' if payment.kind == 'payment' else 'Refunded'} {money(ctx, payment.amount)}"
        f" {'with' if payment.kind == 'payment' else 'to'} {paid_through(ctx.me, payment.method_id)}"
        f"{f' on {day(ctx, payment.made_on)}' if payment.made_on else ''}"
        for payment in order.payments
        if payment.amount
    ]
    kept = sum(outstanding(order).values(), Decimal(0))
    lines = [
        f"Invoice for order {order.id}{placed} ({status(order)}), {ctx.me.first_name} {ctx.me.last_name}:",
        *(f"- {piece}: {money(ctx, piece.price)}" for piece in order.items),
        f"Total: {money(ctx, order.total)}",
        *moved,
        f"Paid after refunds: {money(ctx, kept)}" if len(moved) > 1 else "",
    ]
    return Answer(
        "\n".join(line for line in lines if line),
        {
            "order": order.id,
            "total": str(order.total),
            "items": [
                {"item": piece.variant_id, "name": piece.name, "price": str(piece.price)} for piece in order.items
            ],
            "payments": [
                {"kind": payment.kind, "amount": str(payment.amount), "payment": payment.method_id}
                for payment in order.payments
            ],
            "paid_after_refunds": str(kept),
        },
        (f"order:{order.id}",),
    )
