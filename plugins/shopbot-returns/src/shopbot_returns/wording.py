"""How amounts, days, items and payment methods are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from shopbot import Customer, Order, OrderItem, PaymentMethod, Variant
from shopbot_returns.settings import Settings


def money(amount: Decimal, settings: Settings) -> str:
    """``$1,204.50``; the sign is left to the sentence around it."""
    return f"{settings.currency}{abs(amount):,.2f}"


def day(when: date) -> str:
    """``June 5, 2026``."""
    return f"{when:%B} {when.day}, {when.year}"


def method_name(customer: Customer, method: PaymentMethod) -> str:
    """The method in the customer's words; with its id where two of theirs would read the same."""
    twins = [other for other in customer.payment_methods if str(other) == str(method)]
    return f"{method} ({method.id})" if len(twins) > 1 else str(method)


def method_named(customer: Customer, method_id: str) -> str:
    """Like :func:`method_name` for an id that the customer may no longer have on file."""
    method = customer.payment_method(method_id)
    return f"your {method_name(customer, method)}" if method else "the payment method you used"


def item_lines(items: Sequence[OrderItem], settings: Settings) -> str:
    """One line an item, equal pieces counted: ``- 2 × Desk Lamp (color black), $20.00 each``."""
    counted = Counter((item.variant_id, item.price) for item in items)
    first = {(item.variant_id, item.price): item for item in reversed(items)}
    lines = []
    for key, pieces in counted.items():
        price = money(key[1], settings)
        lines.append(f"- {pieces} × {first[key]}, {price} each" if pieces > 1 else f"- {first[key]}, {price}")
    return "\n".join(lines)


def swap_lines(items: Sequence[OrderItem], wanted: Sequence[Variant], settings: Settings) -> str:
    """One line a swap: ``- Desk Lamp (color black), $20.00 → Desk Lamp (color white), $22.00``."""
    return "\n".join(
        f"- {old}, {money(old.price, settings)} → {new}, {money(new.price, settings)}"
        for old, new in zip(items, wanted, strict=True)
    )


def names(things: Iterable[object]) -> str:
    """``A``, ``A and B``, ``A, B and C``."""
    texts = [str(thing) for thing in things]
    return " and ".join(part for part in (", ".join(texts[:-1]), texts[-1] if texts else "") if part)


def pieces(order: Order, variant_ids: Iterable[str]) -> list[OrderItem]:
    """The order's items with these variant ids, one for each id. Ids that are not in the order are left out."""
    left = list(order.items)
    found = []
    for variant_id in variant_ids:
        item = next((item for item in left if item.variant_id == variant_id), None)
        if item is not None:
            left.remove(item)
            found.append(item)
    return found


def refund_speed(method: PaymentMethod | None, settings: Settings) -> str:
    """How long a refund takes once it has been made."""
    if method is not None and method.kind == "gift_card":
        return "at once"
    fewest, most = settings.refund_days
    return f"within {fewest} to {most} business days" if fewest != most else f"within {most} business days"


def business_day(start: date, days: int) -> date:
    """The day that is ``days`` working days (Monday to Friday) after ``start``."""
    current = start
    while days:
        current += timedelta(1)
        days -= current.weekday() < 5
    return current
