"""A postal address as a customer writes it: in one line, or as a dictionary.

A country that the customer names is never replaced by another, and the postcode is read by that country's own form.
Where none is named, the form must tell; digits alone are a ZIP code only in an address that looks American.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from shopbot.postcodes import COUNTRIES, USA, Country, country_named, elsewhere, postcodes_of
from shopbot.references.regions import REGION_CODES
from shopbot.references.us_states import STATE_CODES, state_of_postcode
from shopbot.references.words import compact, option_pairs
from shopbot.store import Address
from shopbot.textindex import fold

#: Their postcodes are like no other country's; Australia's four digits count only beside one of its states.
_TOLD_BY_POSTCODE = tuple(
    country for country in COUNTRIES if country.name in ("United Kingdom", "Ireland", "Canada", "Australia")
)
_UNIT = re.compile(
    r"(?:^|[ ,]+)((?:(?:suite|ste|apt|apartment|unit|flat|floor|fl|room)(?:\b\.?\s*#?\s*|(?=\d))"
    r"(?:[A-Z]{0,2}\d|[A-Z](?!\w))|#\s*)[\w-]*)\s*$",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(r"^(?:please\s+)?(?:to|at|is|it'?s|change it to|new address(?: is)?:?)\s+", re.IGNORECASE)
_COURTESY = re.compile(r"(?:[\s,;.!]+(?:please|pls|thanks|thank you|thx|cheers))+[\s.!]*$", re.IGNORECASE)
_CODE_WORD = re.compile(r"\b(?:zip|zipcode|postcode|postal code|eircode|code|plz)\b[ :]*", re.IGNORECASE)
_STREET_WORDS = (
    "street|road|avenue|lane|drive|close|court|crescent|place|terrace|way|square|quay|parade|highway|gardens|grove|row|"
    "walk|boulevard"
)
#: House number, name and street word, then a city, with no comma between them.
_STREET_AND_CITY = re.compile(
    rf"(.*?\d\S*(?: (?!(?:{_STREET_WORDS})\b)\S+)+? (?:{_STREET_WORDS}|st|rd|ave|ln|dr|blvd)\b\.?"
    rf"(?: (?:{_STREET_WORDS})\b)*) (?!(?:north|south|east|west|[nsew])\b)(\D+(?: \d{{1,2}})?)",
    re.IGNORECASE,
)
#: Words of a sentence around an address: a street without a house number does not hold them, nor one without commas.
_NO_STREET = re.compile(r"\b(?:order|address|send|ship|deliver|to|them|it|my|for|from)\b", re.IGNORECASE)
_PO_BOX_OR_NUMBER = re.compile(r"\d|p\.? ?o\.? ?box\b", re.IGNORECASE)
_COUNTY = re.compile(r"(?:^|\s)((?:co\.?|county) \w+)$", re.IGNORECASE)
_PROVINCE = re.compile(r"(?:^|\s)\(?([A-Z]{2})\)?$")
_ABBREVIATION = re.compile(r"^([A-Z]{2,3})$")
_REGIONS = {"Italy": _PROVINCE, "United Kingdom": _COUNTY, "Ireland": _COUNTY}
#: A postcode that follows the country's name, with nothing else behind it.
_CODE_AT_END = re.compile(r"(?:^|\s)(?:[A-Z]{1,3}-)?[A-Z]{0,3}\d[A-Z\d]*(?:[ -][A-Z\d]{2,4})?$", re.IGNORECASE)
_INSIDE = re.compile(r"\b(?:floor|suite|apt|apartment|unit|flat|room)\b", re.IGNORECASE)
#: Words that no country's name holds: a part with one of them at the end is no part of the address.
_ASIDE = frozenset(
    (
        "instead now asap ok okay today tomorrow not if when so my i it its is this that order orders address by "
        "before after you can could would please thanks"
    ).split()
)
_MAX_PART, _MAX_COUNTRY_WORDS = 120, 5


def parse_address(words: str, *, home: str = "") -> Address | None:
    """A postal address in the usual one-line forms or as a dictionary; None if street, city or postcode is missing, or
    if no country is named and the rest does not tell it.

    ``home``: the country the customer lives in, which an address without a country may lie in.
    """
    if option_pairs(words):
        return _from_pairs(words, home)
    parts = _parts(words)
    if not parts:
        return None
    named, rest = _take_country(parts)
    if named is USA:
        american = _read_us(rest)
        return american.address if american else None
    if named is not None:
        return _read_abroad(rest, named)
    return _read_without_country(parts, country_named(home))


def what_is_missing(words: str) -> str:
    """What to ask for, where the words are no whole address."""
    parts = _parts(words)
    country, _ = _take_country(parts) if len(parts) > 1 else (None, parts)
    if country is not None and country is not USA:
        return f"I need the full address: street and number, city and a postcode of that country ({country.name})."
    if any(postcodes_of(elsewhere(""), part) for part in parts[1:]):
        return "I need the full address: street and number, city, postcode and country."
    return "I need the full address: street and number, city, postcode, and state or country."


class _American(NamedTuple):
    """``names_state``: the state was given, not told by the ZIP code. ``code_first``: the city follows the ZIP code."""

    address: Address
    names_state: bool
    code_first: bool


class _Place(NamedTuple):
    """A postcode, what stands around it in its part of the address, and the parts before and after that one."""

    code: str
    before: str
    after: str
    preceding: list[str]
    following: list[str]


def _parts(words: str) -> list[str]:
    parts = [part.strip() for part in re.split(r"[,\n;]", _COURTESY.sub("", words)) if part.strip(" .")]
    while len(parts) > 2 and not re.search(r"\d", parts[-1]) and not _ASIDE.isdisjoint(fold(parts[-1]).split()):
        country = _country_within(parts.pop())
        if country is not None:
            return [*parts, country.name]
    return parts


def _country_within(text: str) -> Country | None:
    words = [word.strip(".") for word in text.split()]
    for size in range(_MAX_COUNTRY_WORDS, 0, -1):
        for start in range(len(words) - size + 1):
            name = " ".join(words[start : start + size])
            country = country_named(name) if len(name) > 2 or name.isupper() else None
            if country is not None:
                return country
    return None


def _read_without_country(parts: list[str], home: Country | None) -> Address | None:
    american = _read_us(parts)
    if american is None:
        for country in _TOLD_BY_POSTCODE:
            address = _read_abroad(parts, country)
            if address is not None and (country.name != "Australia" or _names_australian_state(address)):
                return address
    elif american.names_state and american.address.state == state_of_postcode(american.address.postcode):
        return american.address
    name, rest = _take_unknown_country(parts, may_be_state=american is None)
    if name:
        return _read_abroad(rest, elsewhere(name))
    if american is not None and american.names_state and not american.code_first:
        return american.address
    if american is not None and _looks_american(american):
        return american.address if home is None or home is USA else None
    return _read_abroad(parts, home) if home is not None and home is not USA else None


def _looks_american(american: _American) -> bool:
    """Whether an address without state and country is one as they are written in the USA: house number, street, unit,
    city, ZIP code."""
    street, inside = american.address.line1, american.address.line2
    is_street = _PO_BOX_OR_NUMBER.match(street) is not None
    is_unit = not inside or _UNIT.fullmatch(inside) is not None or re.search(r"\d", inside) is not None
    return is_street and is_unit and not american.code_first


def _names_australian_state(address: Address) -> bool:
    """Whether the state is one of Australia's that is none of the USA's."""
    return address.state in REGION_CODES["Australia"].values() and address.state not in STATE_CODES.values()


def _from_pairs(words: str, home: str) -> Address | None:
    raw = {fold(key): value for key, value in re.findall(r"""['"]?(\w[\w ]*?)['"]?\s*[:=]\s*['"]([^'"]*)['"]""", words)}

    def first(*names: str) -> str:
        return next((raw[name] for name in names if raw.get(name)), "").strip()

    line1, city = first("address1", "line1", "street", "address"), first("city", "town")
    postcode = first("zip", "postcode", "zipcode", "zip code", "postal code")
    if not (line1 and city and postcode):
        return None
    country = _country_of_pairs(first("country"), postcode, home)
    state = first("state", "region")
    state = REGION_CODES.get(country, {}).get(fold(state), state)
    return Address(line1, first("address2", "line2", "unit"), city, state, postcode, country) if country else None


def _country_of_pairs(given: str, postcode: str, home: str) -> str:
    """The country's name; empty where none is given and the postcode does not tell it."""
    if given:
        country = country_named(given)
        return country.name if country else _title_or_short(given)
    at_home = country_named(home)
    for country in (USA, *_TOLD_BY_POSTCODE[:3], *([at_home] if at_home else [])):
        if any(match.span() == (0, len(postcode)) for match in postcodes_of(country, postcode)):
            return country.name
    return ""


def _take_country(parts: list[str]) -> tuple[Country | None, list[str]]:
    """The country at the end of the address, also where only the postcode follows, and the parts without it."""
    if not parts:
        return None, parts
    country = country_named(parts[-1])
    if country is not None:
        return country, parts[:-1]
    if len(parts) > 2 and (match := _CODE_AT_END.search(parts[-1])):
        country = country_named(parts[-1][: match.start()])
        if country is not None:
            return country, [*parts[:-1], match[0].strip()]
        country = country_named(parts[-2]) if match.start() == 0 and len(parts) > 3 else None
        if country is not None:
            return country, [*parts[:-2], parts[-1]]
    words = parts[-1].split()
    for size in range(min(_MAX_COUNTRY_WORDS, len(words) - 1), 0, -1):
        tail = " ".join(words[-size:])
        country = country_named(tail)
        is_name = len(compact(tail)) > 2 or tail.isupper()
        if country is not None and is_name and fold(words[-size - 1]) not in ("new", "south"):
            return country, [*parts[:-1], " ".join(words[:-size]).rstrip(" -(")]
    return None, parts


def _take_unknown_country(parts: list[str], *, may_be_state: bool) -> tuple[str, list[str]]:
    """The name behind postcode and city that is no known country's, and the parts without it."""

    def is_name(text: str) -> bool:
        words = fold(text).split()
        is_state = not may_be_state and bool(_take_region(text, USA)[0])
        return 0 < len(words) <= _MAX_COUNTRY_WORDS and not re.search(r"\d", text) and not is_state

    codes = postcodes_of(elsewhere(""), parts[-1]) if len(parts) > 1 else []
    if codes:
        before, after = parts[-1][: codes[-1].start()].strip(), parts[-1][codes[-1].end() :].strip(" .")
        if before and is_name(before) and is_name(after):
            return _title_or_short(after), [*parts[:-1], parts[-1][: codes[-1].end()]]
    elif len(parts) > 2 and is_name(parts[-1]) and any(postcodes_of(elsewhere(""), part) for part in parts[1:-1]):
        return _title_or_short(parts[-1].strip(" .")), parts[:-1]
    return "", parts


def _find_postcode(parts: list[str], country: Country, first: int = 0) -> _Place | None:
    """The last postcode of the country's form in the last part that has one; parts before ``first`` have none."""
    for index in range(len(parts) - 1, first - 1, -1):
        matches = postcodes_of(country, parts[index])
        if matches and not (_UNIT.fullmatch(parts[index]) and _INSIDE.search(parts[index])):
            before = _CODE_WORD.sub("", parts[index][: matches[-1].start()]).strip(" .:(〒")
            after = parts[index][matches[-1].end() :].strip(" .)")
            code = " ".join(matches[-1][1].upper().split())
            return _Place(code, before, after, parts[:index], parts[index + 1 :])
    return None


def _read_us(parts: list[str]) -> _American | None:
    place = _find_postcode(parts, USA, first=1)
    if place is None:
        return None
    state, rest = _take_region(place.before or place.after, USA)
    if not rest and len(place.preceding) == 1:
        rest = place.before
    code_first = not place.before and bool(rest)
    lines = [part for part in [*place.preceding, rest] if part]
    if not state and place.before:
        state = _take_region(place.after, USA)[0]
    if not state and place.following:
        state = _take_region(place.following[0], USA)[0]
    if not state and len(lines) > 2 and not _UNIT.fullmatch(lines[-2]):
        state, rest = _take_region(lines[-1], USA)
        lines = [*lines[:-1], rest] if state and rest else lines[:-1] if state else lines
    address = _compose(lines[:-1], lines[-1] if len(lines) > 1 else "", state, place.code, "USA")
    if address is None:
        return None
    told = state or state_of_postcode(place.code)
    return _American(replace(address, state=told), bool(state), code_first)


def _read_abroad(parts: list[str], country: Country) -> Address | None:
    """An address in a country other than the USA, the city before or behind the postcode."""
    place = _find_postcode(parts, country)
    if place is None:
        return None
    before, after, streets, following = place.before, place.after, list(place.preceding), list(place.following)
    following = [part for part in following if part not in country.prefixes.split("|")]
    region, after = _take_region(after, country)
    if not region and not after:
        region, left = _take_region(before, country)
        if left or len(streets) > 1:
            before = left
        else:  # a city that bears a region's name
            region = ""
    if after:
        city, streets = after, [*streets, *([before] if before else [])]
        if not streets and not country.city_first and following and re.search(r"\d", following[0]):
            streets, following = following, []
    elif before and streets and not before[0].isdecimal():
        city = before
    elif before:
        street, city = _split_street(before)
        streets.append(street)
    elif following and not country.city_first:
        city = following.pop(0)
    else:
        if not region and len(streets) > 2:
            region, rest = _take_region(streets[-1], country)
            streets = [*streets[:-1], *([rest] if rest else [])]
        city = streets.pop() if len(streets) > 1 else ""
        if not city and streets:
            street, city = _split_street(streets.pop())
            streets.append(street)
    if not region:
        region = _title_or_short(", ".join(following))
    if not _ASIDE.isdisjoint(fold(city).split()) or (len(parts) == 1 and not _is_street(" ".join(streets))):
        return None
    return _compose(streets, city, region, place.code, country.name)


def _compose(streets: Sequence[str], city: str, region: str, postcode: str, country: str) -> Address | None:
    """The address, its street and unit told apart; None if street or city is missing. No part of the street is lost."""
    if not streets or not city or _INSIDE.fullmatch(city) or _UNIT.fullmatch(city) or not re.search(r"[^\W\d_]", city):
        return None
    line1, *others = streets
    line1 = _LEAD_IN.sub("", line1)
    if not re.search(r"\d", line1) and _NO_STREET.search(line1):
        return None
    if others and _UNIT.fullmatch(line1):
        line1, *others = [others[0], line1, *others[1:]]
    elif match := _UNIT.search(line1):
        others, line1 = [match[1].strip(), *others], line1[: match.start()].strip(" ,")
    return Address(line1, ", ".join(others), _title(city.strip(" .")), region, postcode, country) if line1 else None


def _split_street(text: str) -> tuple[str, str]:
    """Street and city of "8 Queen Street Auckland"; empty where it cannot be told where the street ends."""
    match = _STREET_AND_CITY.fullmatch(text) if len(text) <= _MAX_PART else None
    return (match[1], match[2]) if match else ("", "")


def _is_street(text: str) -> bool:
    """Whether a stretch without commas can be a street: a house number, and none of the words around an address."""
    street = _LEAD_IN.sub("", text)
    return re.search(r"\d", street) is not None and not _NO_STREET.search(street)


def _take_region(text: str, country: Country) -> tuple[str, str]:
    """(region, what is left) of "Denver CO", "Texas" or "Roma (RM)": a code where the country has them."""
    codes = REGION_CODES.get(country.name, {})
    words = text.split()
    for size in range(min(3, len(words)), 0, -1):
        tail = fold(" ".join(words[-size:]))
        code = codes.get(tail) or (tail.upper() if tail.upper() in codes.values() else "")
        if code:
            return code, " ".join(words[:-size]).rstrip(" ,")
    pattern = _REGIONS.get(country.name, None if country in COUNTRIES else _ABBREVIATION)
    match = pattern.search(text) if pattern else None
    return (match[1], text[: match.start()].strip()) if match else ("", text)


def _title(city: str) -> str:
    return city.title() if city.islower() or city.isupper() else city


def _title_or_short(name: str) -> str:
    """A country's or region's name; what may be an abbreviation stays as it is."""
    return name if name.isupper() and len(name) <= 4 else _title(name)
