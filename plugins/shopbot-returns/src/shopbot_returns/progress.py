"""Looking up returns, exchanges and refunds, and what can still be returned: the tools that only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from shopbot import CANCELLED, DELIVERED, Answer, Context, Exchange, Order, Payment, Refusal, Return, Slot, tool
from shopbot_returns.rules import last_day, may_return_order, return_amount
from shopbot_returns.settings import Settings, read_settings
from shopbot_returns.wording import business_day, day, item_lines, method_named, money, names, pieces, refund_speed

#: More than this is not listed in one answer; the newest are.
MAX_LISTED = 12


def has_return(ctx: Context, order: Order) -> Refusal | None:
    """Refuses orders without a return or an exchange."""
    if order.customer_id != ctx.me.id:
        return Refusal("I can't find that order in your account.")
    if order.returned or order.exchanged:
        return None
    return Refusal(f"There is no return or exchange under way for order {order.id} ({order.status}).")


def has_refund(ctx: Context, order: Order) -> Refusal | None:
    """Refuses orders that no money comes back for."""
    if order.customer_id != ctx.me.id:
        return Refusal("I can't find that order in your account.")
    if _refunds(order):
        return None
    why = {
        CANCELLED: "It was cancelled, but no refund is recorded. A human colleague can look into it.",
        DELIVERED: "It was delivered and nothing has been sent back.",
    }
    reason = why.get(order.status, f"Its status is \u201c{order.status}\u201d.")
    return Refusal(f"There is no refund for order {order.id}. {reason}")


@tool(
    effect="read",
    identity="customer",
    examples=[
        "how far is my return",
        "did the parcel i sent back reach you yet",
        "what's happening with the exchange for [order: 45518]",
        "any news on the return of [order: the order with the toaster]?",
        "I posted it back ten days ago, have you got it",
        "when will my replacement be sent",
        "track my return pls",
        "is the exchange approved",
    ],
)
def return_status(ctx: Context, order: Annotated[Order | None, Slot(only=has_return)] = None) -> Answer:
    """How returns and exchanges under way are going."""
    if order is not None:
        refusal = has_return(ctx, order)
        if refusal:
            return Answer(refusal.text, {"returns": []}, (f"order:{order.id}",))
    chosen = [order] if order else [mine for mine in _newest(ctx) if not has_return(ctx, mine)]
    if not chosen:
        return Answer("You have no return or exchange under way.", {"returns": []})
    told = chosen[:MAX_LISTED]
    texts, entries = [], []
    for mine in told:
        if mine.returned:
            texts.append(_tell_return(ctx, mine, mine.returned))
            entries.append(_return_entry(mine, mine.returned))
        if mine.exchanged:
            texts.append(_tell_exchange(ctx, mine, mine.exchanged))
            entries.append(_exchange_entry(mine, mine.exchanged))
    return Answer("\n".join(texts), {"returns": entries}, tuple(f"order:{mine.id}" for mine in told))


@dataclass(frozen=True, slots=True)
class _Refund:
    """Money back: made on a day (None: the shop does not know which), or only promised."""

    order: Order
    amount: Decimal
    method_id: str
    is_made: bool
    made_on: date | None = None


@tool(
    effect="read",
    identity="customer",
    examples=[
        "where's my refund",
        "still waiting for my [amount: 89.99] back",
        "has the money for [order: 60217] been sent",
        "you cancelled it weeks ago and i haven't been paid back!!",
        "when does the refund for [order: my cancelled order] arrive",
        "which account did you refund me to",
        "money still not on my card for the returned boots",
        "refund status [order: 33-1097]",
    ],
)
def refund_status(
    ctx: Context,
    order: Annotated[Order | None, Slot(only=has_refund)] = None,
    amount: Annotated[Decimal | None, Slot()] = None,
) -> Answer:
    """Where a refund is, how much it is and when to expect it."""
    if order is not None:
        refusal = has_refund(ctx, order)
        if refusal:
            return Answer(refusal.text, {"refunds": []}, (f"order:{order.id}",))
    settings = read_settings(ctx.config)
    found = [refund for mine in ([order] if order else _newest(ctx)) for refund in _refunds(mine)]
    if not found:
        return Answer("There is no refund due or made on your orders.", {"refunds": []})
    alike = [refund for refund in found if amount is not None and abs(refund.amount - amount) < 1]
    texts = []
    if amount is not None and not alike:
        texts.append(f"I see no refund of {money(amount, settings)}. This is what I have:")
    told = (alike or found)[:MAX_LISTED]
    texts += [_tell_refund(ctx, refund, settings) for refund in told]
    shown = dict.fromkeys(f"order:{refund.order.id}" for refund in told)
    return Answer("\n".join(texts), {"refunds": [_refund_entry(refund) for refund in told]}, tuple(shown))


@tool(
    effect="read",
    identity="customer",
    examples=[
        "what can i still send back",
        "until when can I return [order: 91140]",
        "is it too late to return things from [order: my last order]",
        "which of my purchases are returnable",
        "how many days do i have left to bring the sofa cover back",
        "am I within the return window",
        "last date for returns on [order: the may order]?",
        "list everything I'm allowed to return",
    ],
)
def returnable_items(ctx: Context, order: Annotated[Order | None, Slot()] = None) -> Answer:
    """What can still be returned, and until when."""
    if order is not None:
        refusal = may_return_order(ctx, order)
        if refusal:
            return Answer(refusal.text, {"items": []}, (f"order:{order.id}",))
    chosen = [order] if order else [mine for mine in _newest(ctx) if not may_return_order(ctx, mine)]
    if not chosen:
        return Answer("You have nothing that can be returned at the moment.", {"items": []})
    settings = read_settings(ctx.config)
    entries: list[dict[str, Any]] = []
    texts: list[str] = []
    for mine in chosen:
        last = last_day(mine, settings.window_days)
        until = f"until {day(last)}" if last else "with no fixed last day on record"
        if len(entries) < MAX_LISTED:
            texts.append(f"From order {mine.id}, {until}:\n{item_lines(mine.items, settings)}")
            entries += _returnable_entries(mine, last)
    left = len(chosen) - len(texts)
    if left:
        texts.append(f"\u2026 and {left} more {'order' if left == 1 else 'orders'}.")
    shown = tuple(f"item:{entry['order']}/{entry['variant']}" for entry in entries)
    return Answer("You can return:\n" + "\n".join(texts), {"items": entries}, shown)


def _newest(ctx: Context) -> list[Order]:
    return list(reversed(ctx.store.orders(ctx.me.id)))


def _tell_return(ctx: Context, order: Order, returned: Return) -> str:
    settings = read_settings(ctx.config)
    items = pieces(order, returned.variant_ids)
    refund, method = money(return_amount(order, returned), settings), method_named(ctx.me, returned.method_id)
    speed = refund_speed(ctx.me.payment_method(returned.method_id), settings)
    asked = f" on {day(returned.requested_on)}" if returned.requested_on else ""
    state = {
        "requested": f"requested{asked}. We are waiting for your parcel; the e-mail we sent explains how to send it. "
        f"When it is here, {refund} goes to {method} {speed}.",
        "received": f"received. The next step is the refund of {refund} to {method}; it arrives {speed} once made.",
        "refunded": f"finished: the refund of {refund} to {method} has been made.",
    }
    return f"Return of {names(items)} from order {order.id}: {state[returned.state]}"


def _tell_exchange(ctx: Context, order: Order, exchange: Exchange) -> str:
    settings = read_settings(ctx.config)
    method = method_named(ctx.me, exchange.method_id)
    asked = f" on {day(exchange.requested_on)}" if exchange.requested_on else ""
    amount = money(exchange.price_difference, settings)
    difference = (
        f" You pay the difference of {amount} with {method}."
        if exchange.price_difference > 0
        else f" You get the difference of {amount} back to {method}."
        if exchange.price_difference < 0
        else ""
    )
    return (
        f"Exchange in order {order.id}: {_swaps(ctx, order, exchange)}, requested{asked}. "
        f"The e-mail we sent explains how to send the old items back.{difference}"
    )


def _swaps(ctx: Context, order: Order, exchange: Exchange) -> str:
    """Old for new, product by product: both lists are sorted, so a place in one says nothing about the other."""
    old: dict[str, list[object]] = {}
    for item in pieces(order, exchange.variant_ids):
        old.setdefault(item.product_id, []).append(item)
    swaps = []
    for product_id, things in old.items():
        product = ctx.store.product(product_id)
        new = [product.variant(variant_id) for variant_id in exchange.new_variant_ids] if product else []
        swaps.append(f"{names(things)} → {names(variant for variant in new if variant) or 'another option'}")
    return "; ".join(swaps)


def _refunds(order: Order) -> list[_Refund]:
    """Every refund of an order: made, or to be made when a parcel has come back."""
    made = [
        _Refund(order, payment.amount, payment.method_id, True, payment.made_on)
        for payment in order.payments
        if _is_refund(payment)
    ]
    due = []
    if order.returned and order.returned.state != "refunded":
        due.append(_Refund(order, return_amount(order, order.returned), order.returned.method_id, is_made=False))
    if order.returned and order.returned.state == "refunded" and not made:  # a shop that does not record payments back
        made.append(_Refund(order, return_amount(order, order.returned), order.returned.method_id, is_made=True))
    if order.exchanged and order.exchanged.price_difference < 0:
        due.append(_Refund(order, -order.exchanged.price_difference, order.exchanged.method_id, is_made=False))
    return made + due


def _is_refund(payment: Payment) -> bool:
    return payment.kind == "refund" and payment.amount > 0


def _tell_refund(ctx: Context, refund: _Refund, settings: Settings) -> str:
    amount, method = money(refund.amount, settings), method_named(ctx.me, refund.method_id)
    card = ctx.me.payment_method(refund.method_id)
    head = f"Order {refund.order.id}: {amount} to {method}"
    if not refund.is_made:
        speed = refund_speed(card, settings)
        returned = refund.order.returned
        if returned and returned.state == "received":
            return f"{head}. We have your parcel; the refund is the next step and arrives {speed} once made."
        return f"{head}. It is made when we have received your parcel, and then arrives {speed}."
    made = f" on {day(refund.made_on)}" if refund.made_on else ""
    if card is not None and card.kind == "gift_card":
        return f"{head}, refunded{made}. It went onto the card at once."
    fewest, most = settings.refund_days
    span = f"{fewest} to {most}" if fewest != most else str(most)
    if refund.made_on is None:
        return f"{head}, refunded. That usually takes {span} business days to arrive."
    latest = business_day(refund.made_on, most)
    if ctx.today > latest:
        return (
            f"{head}, refunded{made}. It should have arrived by {day(latest)}; if it has not, please check with your "
            "bank, or ask me for a human colleague."
        )
    return f"{head}, refunded{made}. That usually takes {span} business days, so until {day(latest)}."


def _return_entry(order: Order, returned: Return) -> dict[str, Any]:
    return {
        "order": order.id,
        "kind": "return",
        "state": returned.state,
        "item": list(returned.variant_ids),
        "payment": returned.method_id,
        "amount": str(return_amount(order, returned)),
    }


def _exchange_entry(order: Order, exchange: Exchange) -> dict[str, Any]:
    return {
        "order": order.id,
        "kind": "exchange",
        "state": "requested",
        "item": list(exchange.variant_ids),
        "want": list(exchange.new_variant_ids),
        "payment": exchange.method_id,
        "price_difference": str(exchange.price_difference),
    }


def _refund_entry(refund: _Refund) -> dict[str, Any]:
    return {
        "order": refund.order.id,
        "amount": str(refund.amount),
        "payment": refund.method_id,
        "is_made": refund.is_made,
        "made_on": refund.made_on.isoformat() if refund.made_on else None,
    }


def _returnable_entries(order: Order, last: date | None) -> Sequence[dict[str, Any]]:
    """One entry a variant, in the order shown."""
    return [
        {"order": order.id, "variant": variant_id, "until": last.isoformat() if last else None}
        for variant_id in dict.fromkeys(item.variant_id for item in order.items)
    ]
