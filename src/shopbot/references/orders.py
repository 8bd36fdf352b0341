"""Orders: an id or part of one, "my last order", "the second one", "the one with the lamp", "my Chicago order"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from shopbot.references.items import item_matches
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.words import (
    compact,
    contains_words,
    digits,
    identifiers,
    is_everything,
    is_pronoun,
    ordinal,
)
from shopbot.store import CANCELLED, DELIVERED, PENDING, PROCESSED, Order
from shopbot.textindex import fold

_LATEST = re.compile(r"\b(last|latest|newest|most recent|recent|just (placed|ordered|bought|made))\b")
_OTHER = re.compile(r"\bother\b")
_STATUS = {
    PENDING: re.compile(r"\b(pending|open|not (yet )?shipped|unshipped|waiting)\b"),
    PROCESSED: re.compile(r"\b(processed|shipped|on (its|the) way|in transit)\b"),
    DELIVERED: re.compile(r"\b(delivered|arrived|received|got)\b"),
    CANCELLED: re.compile(r"\b(cancelled|canceled)\b"),
}
_ENDS = re.compile(r"\b(?:end(?:s|ing)?|finish\w*)\b\D*(\d{2,})")
_DAYS_AGO = re.compile(r"\b(\d+|a|two|three|four|five) (day|week|month)s? ago\b")
_SMALL = {"a": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_NICKNAMES = {
    "la": "los angeles",
    "nyc": "new york",
    "sf": "san francisco",
    "dc": "washington",
    "philly": "philadelphia",
    "vegas": "las vegas",
}
_GENERIC = frozenset(
    "a an the my of one some something order orders purchase purchases parcel package delivery thing things stuff "
    "item items product products old current existing online with from you i bought ordered made have".split()
)
#: More choices than this are not listed; the newest are.
MAX_CHOICES = 6


def resolve_order(
    orders: Sequence[Order],
    words: str | None,
    *,
    item_words: Sequence[str] = (),
    eligible: Callable[[Order], bool] = lambda order: True,
    shown: Sequence[str] = (),
    focus: str | None = None,
    today: date,
    amount: Decimal | None = None,
    question: str = "Which order do you mean?",
) -> Outcome:
    """Which of the customer's ``orders`` (oldest first) is meant.

    ``eligible`` narrows what can be meant when the words leave it open; an order that is named outright is found even
    if it is not eligible, so that the policy can say why not. ``shown`` are the ids of the orders listed last,
    ``focus`` the one talked about last. ``Found.value`` is a tuple: one order, or several where the customer said
    "both" or "all".
    """
    if not orders:
        return Unknown("You have no orders with us yet.")
    if words and not item_words and _is_generic(words):
        words = None
    named = _by_identifier(orders, words or "")
    if named is not None:
        return named
    fitting = _by_description(orders, words, shown, focus, today) if words else list(orders)
    if words and not fitting and item_words:
        fitting = list(orders)
    if words and not fitting:
        with_item = [order for order in orders if item_matches(order, words)]
        if not with_item:
            return Unknown(f"I can't find \u201c{words}\u201d among your orders.")
        fitting = with_item
    if item_words:
        with_items = [order for order in fitting if all(item_matches(order, phrase) for phrase in item_words)]
        if not with_items and not words:
            return _items_elsewhere(orders, item_words, eligible, question)
        fitting = with_items or fitting
    if amount is not None:
        fitting = [order for order in fitting if _has_amount(order, amount)] or fitting
    possible = [order for order in fitting if eligible(order)] or fitting
    if words and len(possible) > 1 and _wants_all(words):
        return Found(tuple(possible))
    if len(possible) == 1:
        return Found((possible[0],))
    if not words and focus and any(order.id == focus for order in possible):
        return Found(tuple(order for order in possible if order.id == focus))
    newest = list(reversed(possible))[:MAX_CHOICES]
    return Choose(question, tuple(Choice(label(order), order.id) for order in newest))


def own_orders(orders: Sequence[Order], message: str) -> list[str]:
    """The stretches of the message that are the full number of one of ``orders``."""
    known = {digits(order.id) for order in orders}
    return list(dict.fromkeys(number for number in identifiers(message) if digits(number) in known))


def _is_generic(words: str) -> bool:
    """ "my purchases", "one of my orders", "my old order": an order, but not which."""
    return all(word in _GENERIC for word in fold(words).split())


def label(order: Order) -> str:
    """One line that tells an order from others."""
    things = ", ".join(dict.fromkeys(item.name for item in order.items))
    placed = f", placed {order.placed_on:%B} {order.placed_on.day}" if order.placed_on else ""
    return f"{order.id} ({order.status}{placed}): {things}"


def _by_identifier(orders: Sequence[Order], words: str) -> Outcome | None:
    """By number. A number that is none of this customer's orders is not found, whoever else's it may be."""
    whole = next((order for order in orders if order.id.casefold() == words.strip().casefold()), None)
    if whole is not None:
        return Found((whole,))
    ends = _ENDS.search(fold(words))
    if ends:
        ending = tuple(order for order in orders if digits(order.id).endswith(ends[1]))
        if not ending:
            return Unknown(f"None of your orders ends in {ends[1]}.")
        return Found(ending) if len(ending) == 1 else None
    given = identifiers(words)
    if not given:
        return None
    found: list[Order] = []
    for identifier in given:
        wanted = compact(identifier)
        exact = [order for order in orders if wanted == compact(order.id) or digits(wanted) == digits(order.id)]
        part = [order for order in orders if digits(order.id).endswith(digits(wanted))]
        if not exact and len(part) != 1:
            return Unknown(f"I can't find an order {identifier} in your account.")
        found += (exact or part)[:1]
    return Found(_once(found))


def _by_description(
    orders: Sequence[Order], words: str, shown: Sequence[str], focus: str | None, today: date
) -> list[Order]:
    """The orders that the words describe; empty if they describe none."""
    text = fold(words)
    listed = [order for order_id in shown for order in orders if order.id == order_id]
    if is_pronoun(words):
        return [order for order in orders if order.id == focus] or list(orders)
    place = ordinal(words, len(listed))
    if place is not None and "last order" not in text:
        return [listed[place]]
    if is_everything(words) and not _describes_items(orders, words):
        return _of_status(orders, text) or list(orders)
    fitting = _of_status(orders, text)
    fitting = _of_day(fitting or list(orders), text, today) or fitting
    fitting = _of_place(fitting or list(orders), text) or fitting
    if _OTHER.search(text) and focus:
        return [order for order in (fitting or orders) if order.id != focus]
    if _LATEST.search(text):
        return [(fitting or list(orders))[-1]]
    if contains_words(text, "first order") or contains_words(text, "oldest"):
        return [(fitting or list(orders))[0]]
    if fitting:
        return fitting
    return [order for order in orders if item_matches(order, words)]


def _describes_items(orders: Sequence[Order], words: str) -> bool:
    return any(item_matches(order, words) for order in orders) and not re.search(r"\border", fold(words))


def _of_status(orders: Sequence[Order], text: str) -> list[Order]:
    for status, pattern in _STATUS.items():
        if pattern.search(text):
            return [order for order in orders if order.status.split(" ")[0] == status.split(" ")[0]]
    return []


def _of_day(orders: Sequence[Order], text: str, today: date) -> list[Order]:
    span = _span(text, today)
    if span is None:
        return []
    return [order for order in orders if order.placed_on and span[0] <= order.placed_on <= span[1]]


def _span(text: str, today: date) -> tuple[date, date] | None:
    if "yesterday" in text:
        return today - timedelta(1), today - timedelta(1)
    if "today" in text or "this morning" in text:
        return today, today
    if "last week" in text:
        return today - timedelta(13), today - timedelta(4)
    if "this week" in text:
        return today - timedelta(6), today
    if "last month" in text:
        return today - timedelta(62), today - timedelta(20)
    ago = _DAYS_AGO.search(text)
    if ago:
        count = int(ago[1]) if ago[1].isdecimal() else _SMALL[ago[1]]
        days = min(count, 1000) * {"day": 1, "week": 7, "month": 30}[ago[2]]
        slack = {"day": 1, "week": 4, "month": 16}[ago[2]]
        return today - timedelta(days + slack), today - timedelta(max(0, days - slack))
    return None


def _of_place(orders: Sequence[Order], text: str) -> list[Order]:
    for short, full in _NICKNAMES.items():
        text = re.sub(rf"\b{short}\b", full, text)
    return [order for order in orders if order.address.city and contains_words(text, fold(order.address.city))]


def _wants_all(words: str) -> bool:
    text = fold(words)
    return is_everything(words) or bool(re.search(r"\borders\b", text))


def _has_amount(order: Order, amount: Decimal) -> bool:
    amounts = [order.total, *(payment.amount for payment in order.payments), *(item.price for item in order.items)]
    return any(abs(value - amount) < 1 for value in amounts)


def _items_elsewhere(
    orders: Sequence[Order], item_words: Sequence[str], eligible: Callable[[Order], bool], question: str
) -> Outcome:
    """No order has all the things named: say so, or let the caller split over the orders that have one each."""
    holders: list[Order] = []
    for phrase in item_words:
        found = [order for order in orders if item_matches(order, phrase)]
        fitting = [order for order in found if eligible(order)] or found
        if not fitting:
            return Unknown(f"I can't find \u201c{phrase}\u201d in your orders.")
        if len(fitting) > 1:
            return Choose(question, tuple(Choice(label(order), order.id) for order in reversed(fitting)))
        holders += fitting
    return Found(_once(holders))


def _once(orders: Sequence[Order]) -> tuple[Order, ...]:
    return tuple({order.id: order for order in orders}.values())
