"""Orders: an id or part of one, "my last order", "the second one", "the one with the lamp", "my Chicago order"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

from shopbot.references.items import descriptions, item_matches, naming, resolve_items
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.quantities import ALL, AllBut, all_but, means_everything, pieces_meant
from shopbot.references.words import compact, contains_words, digits, identifiers, is_everything, is_pronoun, ordinal
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
    "item items product products old current existing online with from you i bought ordered made have whole entire "
    "full complete".split()
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
    "both" or "all". A thing that is named as it is written is never outdone by a misspelt one, and found in an order
    that is not eligible, too.
    """
    if not orders:
        return Unknown("You have no orders with us yet.")
    cut = all_but(words) if words else None
    if cut is not None and _excepts_orders(cut):
        resolve = partial(resolve_order, orders, shown=shown, focus=focus, today=today)
        return _orders_but(resolve(cut.head, eligible=eligible, question=question), resolve(cut.excepted))
    if words and not item_words and _is_generic(words):
        words = None
    words = words or " ".join(own_orders(orders, " ".join(item_words))) or None
    named = _by_identifier(orders, words or "")
    if named is not None:
        return named
    fitting = _by_description(orders, words, shown, focus, today) if words else list(orders)
    if words and not fitting and item_words:
        fitting = list(orders)
    if words and not fitting:
        fitting = _holders(orders, words, orders)
        if not fitting:
            return Unknown(f"I can't find \u201c{words}\u201d among your orders.")
    if item_words:
        holders = [_holders(fitting, phrase, orders) for phrase in item_words]
        with_items = [order for order in fitting if all(order in holding for holding in holders)]
        if not with_items and not words:
            return _items_elsewhere(orders, item_words, eligible, question)
        fitting = with_items or fitting
    if amount is not None:
        fitting = [order for order in fitting if _has_amount(order, amount)] or fitting
    possible = [order for order in fitting if eligible(order)] or fitting
    counted = _holding_all(item_words[0], fitting, possible, focus) if len(item_words) == 1 else None
    if counted is not None:
        return Found(counted)
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
    if _wants_all(words) and not _describes_items(orders, words):
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
    return _holders(orders, words, orders)


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
    """ "all my orders", "both", "everything"; not "the whole order", nor "one of my orders"."""
    text = fold(words)
    if re.search(r"\borders\b|\b(?:every|each)(?: \w+)? order\b", text):
        return pieces_meant(words) != 1
    return is_everything(words) and not re.search(r"\b(?:order|whole|entire)\b", text)


def _excepts_orders(cut: AllBut) -> bool:
    """ "all my orders except the last one", "all but #W1234567"; not "everything except the tent"."""
    is_about_orders = re.search(r"\borders\b", fold(cut.head)) or identifiers(cut.excepted)
    return _wants_all(cut.head) and bool(is_about_orders) and not identifiers(cut.head)


def _orders_but(meant: Outcome, excepted: Outcome) -> Outcome:
    """The answer to a question here will name what is meant, so it is not asked which order to leave out."""
    if not isinstance(meant, Found) or isinstance(excepted, Unknown):
        return excepted if isinstance(excepted, Unknown) else meant
    if isinstance(excepted, Choose):
        return Unknown("I'm not sure which order to leave out; please name the ones you do mean.")
    left = tuple(order for order in meant.value if order not in excepted.value)
    return Found(left) if left else Unknown("That leaves none of your orders.")


def _holders(among: Sequence[Order], phrase: str, orders: Sequence[Order]) -> list[Order]:
    """Those of ``among`` in which the phrase names something, and names it best.

    Misspelt words name nothing if an item of any of ``orders`` is named as it is written.
    """
    fits = {order.id: fit for order in orders if (fit := naming(order, phrase)) is not None}
    is_written = any(exact for exact, _, _ in fits.values())
    left = [order for order in among if order.id in fits and (fits[order.id][0] or not is_written)]
    best = max((fits[order.id] for order in left), default=None)
    return [order for order in left if fits[order.id] == best]


def _holding_all(
    phrase: str, fitting: Sequence[Order], possible: Sequence[Order], focus: str | None
) -> tuple[Order, ...] | None:
    """The orders that hold "both umbrellas" or "all the lamps", if need be together; None if that is left open."""
    count = pieces_meant(phrase, descriptions(item for order in fitting for item in order.items))
    if count is None or count == 1 or means_everything(phrase) or all_but(phrase):
        return None
    found = {order.id: resolve_items(order, [phrase]) for order in fitting}
    held = {order_id: len(one.value) for order_id, one in found.items() if isinstance(one, Found)}
    in_focus = tuple(order for order in possible if order.id == focus)
    if in_focus and (count == ALL or held.get(in_focus[0].id, 0) >= count):
        return in_focus
    if count == ALL:
        return tuple(possible)
    for group in (possible, fitting):
        enough = tuple(order for order in group if held.get(order.id, 0) >= count)
        if enough:
            return enough if len(enough) == 1 else None
        if sum(held.get(order.id, 0) for order in group) == count:
            return tuple(group)
    return None


def _has_amount(order: Order, amount: Decimal) -> bool:
    amounts = [order.total, *(payment.amount for payment in order.payments), *(item.price for item in order.items)]
    return any(abs(value - amount) < 1 for value in amounts)


def _items_elsewhere(
    orders: Sequence[Order], item_words: Sequence[str], eligible: Callable[[Order], bool], question: str
) -> Outcome:
    """No order has all the things named: say so, or let the caller split over the orders that have one each."""
    holders: list[Order] = []
    for phrase in item_words:
        found = _holders(orders, phrase, orders)
        fitting = [order for order in found if eligible(order)] or found
        if not fitting:
            return Unknown(f"I can't find \u201c{phrase}\u201d in your orders.")
        counted = _holding_all(phrase, found, fitting, None)
        if counted is None and len(fitting) > 1:
            return Choose(question, tuple(Choice(label(order), order.id) for order in reversed(fitting)))
        holders += fitting if counted is None else counted
    return Found(_once(holders))


def _once(orders: Sequence[Order]) -> tuple[Order, ...]:
    return tuple({order.id: order for order in orders}.values())
