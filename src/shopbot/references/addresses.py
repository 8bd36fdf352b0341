"""Addresses: a postal address in one line, an option dictionary, "my default address", "same as my other order"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.us_states import STATE_CODES, state_of_postcode
from shopbot.references.words import compact, contains_words, identifiers, option_pairs
from shopbot.store import Address, Customer, Order
from shopbot.textindex import fold

_US = frozenset({"usa", "us", "united states", "united states of america", "america"})
_COUNTRIES = {
    "uk": "United Kingdom",
    "united kingdom": "United Kingdom",
    "great britain": "United Kingdom",
    "england": "United Kingdom",
    "germany": "Germany",
    "france": "France",
    "spain": "Spain",
    "italy": "Italy",
    "netherlands": "Netherlands",
    "austria": "Austria",
    "switzerland": "Switzerland",
    "belgium": "Belgium",
    "ireland": "Ireland",
    "canada": "Canada",
    "australia": "Australia",
}
_POSTCODE = re.compile(
    r"\b(\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}|[A-Z]\d[A-Z]\s*\d[A-Z]\d|\d{4}\s?[A-Z]{2}|\d{4})\b",
    re.IGNORECASE,
)
_UNIT = re.compile(r"(?:^|[ ,]+)((?:suite|ste|apt|apartment|unit|floor|fl|room|#)\.?\s*#?\s*[\w-]+)\s*$", re.IGNORECASE)
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
    given = parse_address(words)
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
    return Unknown("I need the full address: street and number, city, state and postcode.")


def parse_address(words: str) -> Address | None:
    """A postal address in the usual one-line forms or as a dictionary; None if street, city or postcode is missing."""
    pairs = option_pairs(words)
    if pairs:
        return _from_pairs(words)
    parts = [part.strip() for part in re.split(r"[,\n;]", words) if part.strip(" .")]
    if len(parts) < 2:
        return None
    country, parts = _take_country(parts)
    postcode, state, parts = _take_postcode_and_state(parts)
    if not postcode or not parts:
        return None
    line1, line2, rest = _take_street(parts)
    city = rest[-1].strip(" .") if rest else ""
    if not state and len(postcode) >= 5 and postcode[:5].isdecimal() and country in ("", "USA"):
        state = state_of_postcode(postcode)
    if not country:
        country = "USA" if state in STATE_CODES.values() else ""
    if not line1 or not city or not re.search(r"\d", line1 + postcode):
        return None
    return Address(line1, line2, _title(city), state, postcode.upper(), country or "USA")


def _from_pairs(words: str) -> Address | None:
    raw = {fold(key): value for key, value in re.findall(r"""['"]?(\w[\w ]*?)['"]?\s*[:=]\s*['"]([^'"]*)['"]""", words)}

    def first(*names: str) -> str:
        return next((raw[name] for name in names if raw.get(name)), "").strip()

    line1, city = first("address1", "line1", "street", "address"), first("city", "town")
    postcode = first("zip", "postcode", "zipcode", "zip code", "postal code")
    if not (line1 and city and postcode):
        return None
    state = first("state", "region")
    state = STATE_CODES.get(fold(state), state)
    return Address(line1, first("address2", "line2", "unit"), city, state, postcode, first("country") or "USA")


def _take_country(parts: list[str]) -> tuple[str, list[str]]:
    last = fold(parts[-1])
    if last in _US:
        return "USA", parts[:-1]
    if last in _COUNTRIES:
        return _COUNTRIES[last], parts[:-1]
    match = re.search(r"\s(USA|US|UK|U\.S\.A?\.)\.?$", parts[-1])
    if match:
        return ("United Kingdom" if match[1] == "UK" else "USA"), [*parts[:-1], parts[-1][: match.start()]]
    return "", parts


def _take_postcode_and_state(parts: list[str]) -> tuple[str, str, list[str]]:
    """From the end: the last part with a postcode in it, and the state beside or before it."""
    for index in range(len(parts) - 1, 0, -1):
        matches = list(_POSTCODE.finditer(parts[index]))
        if not matches:
            continue
        match = matches[-1]
        before = re.sub(
            r"\b(zip|zipcode|postcode|code)\b", "", parts[index][: match.start()], flags=re.IGNORECASE
        ).strip(" .")
        after = parts[index][match.end() :].strip(" .")
        state, rest = _take_state(before or after)
        kept = [part for part in [*parts[:index], rest] if part]
        if not state and len(kept) > 2:
            state, rest = _take_state(kept[-1])
            kept = [*kept[:-1], rest] if state and rest else kept[:-1] if state else kept
        return match[0].strip(), state, kept
    return "", "", parts


def _take_state(text: str) -> tuple[str, str]:
    """(state code, what is left) of "Denver CO" or "Texas"; a city that bears a state's name stays a city."""
    words = text.split()
    if len(words) == 1 and re.fullmatch(r"[A-Z]{2,3}", words[0]):
        return words[0], ""
    for size in (3, 2, 1):
        tail = fold(" ".join(words[-size:]))
        if len(words) >= size and tail in STATE_CODES:
            return STATE_CODES[tail], " ".join(words[:-size])
        if size == 1 and words and words[-1].strip(".").upper() in STATE_CODES.values():
            return words[-1].strip(".").upper(), " ".join(words[:-1])
    return "", text


def _take_street(parts: list[str]) -> tuple[str, str, list[str]]:
    line1, rest = parts[0], parts[1:]
    line1 = re.sub(
        r"^(?:please\s+)?(?:to|at|is|it'?s|change it to|new address(?: is)?:?)\s+", "", line1, flags=re.IGNORECASE
    )
    line2 = ""
    if rest and _UNIT.fullmatch(f" {rest[0]}") and len(rest) > 1:
        line2, rest = rest[0], rest[1:]
    elif match := _UNIT.search(line1):
        line2, line1 = match[1].strip(), line1[: match.start()].strip(" ,")
    return line1, line2, rest


def _title(city: str) -> str:
    return city.title() if city.islower() or city.isupper() else city


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
