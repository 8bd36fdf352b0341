"""Tools that tell customers about their own orders and account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from shopbot import (
    CANCELLED,
    DELIVERED,
    PROCESSED,
    Answer,
    Context,
    Found,
    Fulfillment,
    Order,
    OrderItem,
    Slot,
    item_matches,
    resolve_items,
    tool,
)
from shopbot_orders.money import outstanding
from shopbot_orders.settings import Settings
from shopbot_orders.wording import day, listing, method_name, money, paid_through, status, things

#: Longer lists help nobody in a chat.
MAX_LISTED = 10

_SENTENCES = {
    "pending": "is pending: it hasn't been shipped yet",
    "pending (item modified)": "is pending, with its items changed: it hasn't been shipped yet",
    PROCESSED: "has been processed",
    "return requested": "was delivered, and a return has been requested",
    "exchange requested": "was delivered, and an exchange has been requested",
}


@tool(
    effect="read",
    identity="customer",
    examples=[
        "list everything I've bought",
        "which of my orders are [status: pending]",
        "did I already order a [item: standing desk]?",
        "show me my purchase history",
        "what have I got open with you right now",
        "which order has the [item: yoga mat] in it",
        "what's my order number for the [item: headphones]",
        "I can't remember what I bought from you",
        "give me all [status: delivered] orders",
        "any [status: cancelled] orders in my account?",
    ],
)
def find_orders(
    ctx: Context,
    item: str | None = None,
    status: Literal["pending", "processed", "delivered", "cancelled"] | None = None,
) -> Answer:
    """List the customer's orders, newest first."""
    mine = list(reversed(ctx.store.orders(ctx.me.id)))
    found = [order for order in mine if _has_status(order, status) and (not item or item_matches(order, item))]
    if not mine:
        return Answer("You have no orders with us yet.", {"orders": []})
    if not found:
        kind = f"{status} " if status else ""
        thing = f" with \u201c{item}\u201d" if item else ""
        return Answer(f"I find no {kind}order{thing} in your account.", {"orders": []})
    listed = found[:MAX_LISTED]
    head = "Here is what I found:" if len(found) == len(listed) else f"You have {len(found)}; the newest {MAX_LISTED}:"
    lines = [f"{place}. {_line(ctx, order)}" for place, order in enumerate(listed, 1)]
    return Answer(
        "\n".join([head, *lines]),
        {"orders": [_summary(order) for order in listed], "found": len(found)},
        tuple(f"order:{order.id}" for order in listed),
    )


@tool(
    effect="read",
    identity="customer",
    examples=[
        "where's [order: #W3350981]",
        "has the [item: coffee grinder] shipped yet?",
        "when will [order: my last order] get here",
        "tracking number for [order: 7719034] please",
        "my parcel still isn't here, what's going on",
        "any news on [order: order C-20781]?",
        "which carrier is bringing my [item: monitor]",
        "is [order: it] still on time",
        "what's the status of my delivery",
        "should've had the [item: speakers] by now, where are they",
    ],
)
def order_status(
    ctx: Context,
    order: Annotated[Order, Slot("Which order would you like to know about?")],
    item: str | None = None,
) -> Answer:
    """Where an order is: status, tracking, expected or delivered date."""
    parcels = _parcels(order, item)
    lines = [_headline(ctx, order), *(_parcel_line(ctx, order, parcel) for parcel in parcels)]
    return Answer(
        "\n".join(line for line in lines if line),
        {
            "order": order.id,
            "status": order.status,
            "tracking_ids": [tracking_id for parcel in parcels for tracking_id in parcel.tracking_ids],
            "carriers": [parcel.carrier for parcel in parcels if parcel.carrier],
            "expected_on": [str(parcel.expected_on) for parcel in parcels if parcel.expected_on],
            "delivered_on": str(order.delivered_on) if order.delivered_on else None,
        },
        (f"order:{order.id}",),
    )


@tool(
    effect="read",
    identity="customer",
    examples=[
        "what's in [order: #W5529170]",
        "which color did I pick for the [item: rug]",
        "where is [order: 3308126] being sent to",
        "show me the details of [order: my last order]",
        "how did I pay for [order: the order with the tent]",
        "what size [item: jacket] did I order?",
        "which items were part of [order: #E-11902]",
        "what address did I put on my order",
        "what was the most expensive thing in [order: that order]",
    ],
)
def order_details(
    ctx: Context,
    order: Annotated[Order, Slot("Which order would you like to see?")],
    item: str | None = None,
) -> Answer:
    """What is in an order, with options and prices, its address and how it is paid."""
    del item
    # a cancelled order has nothing outstanding: then the method it was paid with at first
    methods = list(outstanding(order)) or ([order.paid_with] if order.paid_with else [])
    placed = f", placed {day(ctx, order.placed_on)}" if order.placed_on else ""
    lines = [
        f"Order {order.id} ({status(order)}{placed}):",
        *(f"- {piece}: {money(ctx, piece.price)}" for piece in order.items),
        f"Total: {money(ctx, order.total)}",
        f"Address: {order.address}",
        f"Paid with {listing([paid_through(ctx.me, method_id) for method_id in methods])}" if methods else "",
    ]
    return Answer(
        "\n".join(line for line in lines if line),
        {
            **_summary(order),
            "items": [_item_content(piece) for piece in order.items],
            "address": str(order.address),
            "payments": methods,
        },
        (f"order:{order.id}", *(f"item:{piece.variant_id}" for piece in order.items)),
    )


@tool(
    effect="read",
    identity="customer",
    examples=[
        "what do you have on file about me",
        "how much is left on my gift card",
        "which cards are saved in my account",
        "what's my default address",
        "which e-mail am I registered with",
        "show my profile",
        "what payment methods do I have",
        "gift card balance?",
        "is my visa still stored with you",
    ],
)
def customer_profile(ctx: Context) -> Answer:
    """The customer's name, e-mail, default address and payment methods with gift-card balance."""
    me = ctx.me
    methods = [
        f"- {method_name(me, method)}" + (f": {money(ctx, method.balance)} left" if method.balance is not None else "")
        for method in me.payment_methods
    ]
    lines = [
        f"Name: {me.first_name} {me.last_name}",
        f"E-mail: {me.email}",
        f"Default address: {me.address}",
        "Payment methods:" if methods else "No payment method is saved.",
        *methods,
    ]
    return Answer(
        "\n".join(lines),
        {
            "name": f"{me.first_name} {me.last_name}",
            "email": me.email,
            "address": str(me.address),
            "payment_methods": [
                {
                    "id": method.id,
                    "kind": method.kind,
                    "balance": None if method.balance is None else str(method.balance),
                }
                for method in me.payment_methods
            ],
        },
    )


def _has_status(order: Order, wanted: str | None) -> bool:
    """Orders with changed items are pending still; what is being returned or exchanged was delivered."""
    if wanted is None or order.status.split(" ")[0] == wanted:
        return True
    return wanted == DELIVERED and order.status in ("return requested", "exchange requested")


def _line(ctx: Context, order: Order) -> str:
    placed = f", placed {day(ctx, order.placed_on)}" if order.placed_on else ""
    return f"{order.id} ({status(order)}{placed}): {things(order)}, {money(ctx, order.total)}"


def _summary(order: Order) -> Mapping[str, Any]:
    return {
        "order": order.id,
        "status": order.status,
        "placed_on": str(order.placed_on) if order.placed_on else None,
        "items": [piece.name for piece in order.items],
        "total": str(order.total),
    }


def _item_content(piece: OrderItem) -> Mapping[str, Any]:
    return {
        "item": piece.variant_id,
        "product": piece.product_id,
        "name": piece.name,
        "options": dict(piece.options),
        "price": str(piece.price),
    }


def _headline(ctx: Context, order: Order) -> str:
    if order.status == CANCELLED:
        reason = f" ({order.cancel_reason})" if order.cancel_reason else ""
        return f"Order {order.id} is cancelled{reason}."
    if order.status == DELIVERED:
        when = f" on {day(ctx, order.delivered_on)}" if order.delivered_on else ""
        return f"Order {order.id} was delivered{when}."
    return f"Order {order.id} {_SENTENCES.get(order.status, f'is {order.status}')}."


def _parcels(order: Order, item: str | None) -> tuple[Fulfillment, ...]:
    """All parcels, or those with the item that is asked about."""
    outcome = resolve_items(order, [item]) if item else None
    if not isinstance(outcome, Found):
        return order.fulfillments
    wanted = {piece.variant_id for piece in outcome.value}
    return tuple(parcel for parcel in order.fulfillments if wanted & set(parcel.variant_ids)) or order.fulfillments


def _parcel_line(ctx: Context, order: Order, parcel: Fulfillment) -> str:
    names = listing(list(dict.fromkeys(piece.name for piece in order.items if piece.variant_id in parcel.variant_ids)))
    subject = f"{names}: " if len(order.fulfillments) > 1 and names else ""
    facts = []
    if parcel.tracking_ids:
        carrier = f" ({parcel.carrier})" if parcel.carrier else ""
        facts.append(f"tracking number {', '.join(parcel.tracking_ids)}{carrier}")
    if parcel.delivered_on and len(order.fulfillments) > 1:
        facts.append(f"delivered {day(ctx, parcel.delivered_on)}")
    elif parcel.expected_on and not parcel.delivered_on and order.status != CANCELLED:
        facts.append(f"expected {day(ctx, parcel.expected_on)}")
    text = f"{subject}{', '.join(facts)}" if facts else ""
    links = [_link(ctx, parcel.carrier, tracking_id) for tracking_id in parcel.tracking_ids]
    return " ".join([f"{text[:1].upper()}{text[1:]}." if text else "", *(link for link in links if link)]).strip()


def _link(ctx: Context, carrier: str, tracking_id: str) -> str:
    template = Settings.of(ctx.config).tracking_urls.get(carrier, "")
    return template.replace("{tracking_id}", quote(tracking_id, safe=""))
