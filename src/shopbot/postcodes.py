"""Countries by the names customers give them, and how their postcodes are written.

The one table of postcode forms: addresses are read by it (:mod:`shopbot.references`), customers are found by it
(:mod:`shopbot.identity`), and texts are redacted by it (:mod:`shopbot.postal`). A form is a regular expression in
capitals without anchors; the space or hyphen inside a postcode may be left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from shopbot.textindex import fold

UK = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
CANADA = r"[A-Z]\d[A-Z] ?\d[A-Z]\d"
#: An Eircode: the routing key, then four characters, of which one at least is a letter.
IRELAND = r"(?:[AC-FHKNPRTV-Y]\d{2}|D6W) ?(?=\d{0,3}[A-Z])[\dAC-FHKNPRTV-Y]{4}"
US = r"\d{5}(?:-\d{4})?"
NETHERLANDS = r"\d{4} ?[A-Z]{2}"
POLAND = r"\d{2}-?\d{3}"
PORTUGAL = r"\d{4}[- ]?\d{3}"
JAPAN = r"\d{3}[- ]?\d{4}"
THREE_TWO = r"\d{3} ?\d{2}"
_FOUR, _FIVE = r"\d{4}", r"\d{5}"
#: A postcode of a country that is not in the table, where two digits at least are sure to be one.
_ELSEWHERE = (
    r"(?:[A-Z]{1,3}-)?"
    r"(?:\d{3,8}(?:[ -]\d[A-Z\d]{1,4})?|\d{2}-\d{3,4}|[A-Z]{1,4}\d[A-Z]?[ -]?\d[A-Z\d]{0,4})"
)


@dataclass(frozen=True, slots=True)
class Country:
    """``form``: its postcodes. ``names``: other names it goes by, folded, parted by "|". ``prefixes``: what may stand
    before a postcode and a hyphen ("SE|S"). ``city_first``: the postcode stands behind the city in an address."""

    name: str
    form: str
    names: str = ""
    prefixes: str = ""
    city_first: bool = False


USA = Country("USA", US, "us|u s|u s a|united states|united states of america|america", "US", city_first=True)
COUNTRIES = (
    USA,
    Country("Canada", CANADA, "", "CA", city_first=True),
    Country("Mexico", _FIVE, "mejico", "MX"),
    Country(
        "United Kingdom",
        UK,
        "uk|u k|gb|great britain|britain|england|scotland|wales|northern ireland",
        "GB|UK",
        city_first=True,
    ),
    Country("Ireland", IRELAND, "republic of ireland|eire", "IE|IRL", city_first=True),
    Country("Germany", _FIVE, "deutschland|federal republic of germany", "DE|D"),
    Country("France", r"\d{2} ?\d{3}", "", "FR|F"),
    Country("Spain", _FIVE, "espana", "ES|E"),
    Country("Portugal", PORTUGAL, "", "PT|P"),
    Country("Italy", _FIVE, "italia", "IT|I"),
    Country("Austria", _FOUR, "osterreich|oesterreich", "AT|A"),
    Country("Belgium", _FOUR, "belgie|belgique|belgien", "BE|B"),
    Country("Netherlands", NETHERLANDS, "the netherlands|holland|nederland", "NL"),
    Country("Luxembourg", _FOUR, "luxemburg|letzebuerg", "LU|L"),
    Country("Switzerland", _FOUR, "schweiz|suisse|svizzera", "CH"),
    Country("Denmark", _FOUR, "danmark", "DK"),
    Country("Sweden", THREE_TWO, "sverige", "SE|S"),
    Country("Norway", _FOUR, "norge|noreg", "NO|N"),
    Country("Finland", _FIVE, "suomi", "FI|FIN"),
    Country("Poland", POLAND, "polska", "PL"),
    Country("Czech Republic", THREE_TWO, "the czech republic|czechia|cesko|ceska republika", "CZ"),
    Country("Hungary", _FOUR, "magyarorszag", "HU|H"),
    Country("Greece", THREE_TWO, "hellas|ellada", "GR|EL"),
    Country("Australia", _FOUR, "", "AU", city_first=True),
    Country("New Zealand", _FOUR, "aotearoa|nz", "NZ", city_first=True),
    Country("Japan", JAPAN, "nippon|nihon", "JP", city_first=True),
)
_BY_NAME = {name: country for country in COUNTRIES for name in (fold(country.name), *country.names.split("|")) if name}
#: Countries of one form are looked for together.
_FORMS = {
    form: "|".join(country.prefixes for country in COUNTRIES if country.form == form)
    for form in dict.fromkeys(country.form for country in COUNTRIES)
}


def country_named(text: str) -> Country | None:
    """The country that the text names and nothing else, in any case and with or without accents."""
    return _BY_NAME.get(fold(text))


def elsewhere(name: str) -> Country:
    """A country that is not in the table, under the name that it was given."""
    return Country(name, _ELSEWHERE)


def postcodes_of(country: Country, text: str) -> list[re.Match[str]]:
    """Where postcodes of the country's form stand in the text; group 1 is without the country's prefix."""
    return list(_pattern(country.form, country.prefixes).finditer(text))


def postcode_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of what could be a postcode of any country in the table; they may overlap."""
    return sorted(
        {match.span(1) for form, prefixes in _FORMS.items() for match in _pattern(form, prefixes).finditer(text)}
    )


@cache
def _pattern(form: str, prefixes: str) -> re.Pattern[str]:
    prefix = rf"(?:(?:{prefixes})-)?" if prefixes else ""
    return re.compile(rf"(?<![\w#-]){prefix}({form})(?![\w-])", re.IGNORECASE)
