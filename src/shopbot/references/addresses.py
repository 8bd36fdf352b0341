"""Addresses: a postal address, "my default address", "same as my other order"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shopbot.references.address_lines import parse_address, what_is_missing
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.words import compact, contains_words, identifiers
from shopbot.store import Address, Customer, Order
from shopbot.textindex import fold

_REFERENCE = re.compile(
    r"\b(default|profile|account|home|usual|billing|registered|file|same|other|previous|last|old|original)\b|\border\b|\baddress\b"
)
_DEFAULT = re.compile(r"\b(default|profile|account|home|usual|registered|on file)\b")
_NICKNAMES = {
    "la": "los angeles",
    "nyc": "new york",
    "sf": "san francisco",
    "dc": "washington",
    "philly": "philadelphia",
}


def resolve_address(
    customer: Customer, orders: Sequence[Order], words: str, *, current: Address | None = None
) -> Outcome:
    """The address that the words give or refer to. ``current`` is the one about to be changed, which is not meant."""
    given = parse_address(words, home=customer.address.country)
    if given is not None:
        return Found(given)
    known = _known(customer, orders)
    referred = _referred(customer, orders, words, current, known)
    if len(referred) == 1:
        return Found(referred[0])
    if len(referred) > 1:
        return Choose(
            "Which address do you mean?", tuple(Choice(str(address), str(address)) for address in referred[:6])
        )
    if _REFERENCE.search(fold(words)):
        return Unknown("I'm not sure which address you mean.")
    return Unknown(what_is_missing(words))


def _known(customer: Customer, orders: Sequence[Order]) -> list[Address]:
    return list(dict.fromkeys([customer.address, *(order.address for order in reversed(orders))]))


def _referred(
    customer: Customer, orders: Sequence[Order], words: str, current: Address | None, known: Sequence[Address]
) -> list[Address]:
    text = fold(words)
    for short, full in _NICKNAMES.items():
        text = re.sub(rf"\b{short}\b", full, text)
    numbers = [compact(identifier) for identifier in identifiers(words)]
    by_number = [order.address for order in orders if any(compact(order.id).endswith(number) for number in numbers)]
    if by_number:
        return list(dict.fromkeys(by_number))
    others = [address for address in known if address != current]
    by_place = [address for address in others if address.city and contains_words(text, fold(address.city))]
    if by_place:
        defaults = [address for address in by_place if address == customer.address]
        return defaults if defaults and _DEFAULT.search(text) else by_place
    by_line = [address for address in others if contains_words(text, fold(address.line1))]
    if by_line:
        return by_line
    if _DEFAULT.search(text) and customer.address != current:
        return [customer.address]
    return others if _REFERENCE.search(text) else []
