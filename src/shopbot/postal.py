"""Postal addresses and postcodes in running text, told by their form alone.

US and UK forms foremost: a house number with a street word, units, PO boxes, military boxes, what follows them up to
the postcode; then the commonest street words of other languages, and whatever stands after "my address is".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shopbot.postcodes import CANADA, IRELAND, JAPAN, NETHERLANDS, POLAND, PORTUGAL, THREE_TWO, UK, US

_STREET_WORDS = (
    "street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|terrace|highway|hwy|parkway|pkwy|circle|cir|trail|crescent|"
    "gardens|mews|turnpike|expressway|freeway|grove|heights|loop|alley|row|walk"
)
#: Street words that mean other things too: they count after a capital or a number of two digits and more.
_WEAK_STREET_WORDS = (
    "drive|dr|court|ct|place|pl|square|sq|way|close|park|hill|view|ridge|plaza|point|green|crossing|run|path|pass|mill"
)
_LETTERS = r"[^\W\d_](?:[^\W\d_]|['’.-](?=\w)){0,24}\.?"
_STREET = re.compile(
    rf"(?<![\w#$€£.,/-])(\d{{1,6}}[A-Za-z]?(?:-\d{{1,4}})?),? ((?:{_LETTERS} |\d{{1,3}}(?:st|nd|rd|th) ){{0,4}}?)"
    rf"(?:({_STREET_WORDS})|({_WEAK_STREET_WORDS}))\b\.?(?: (?:n|s|e|w|ne|nw|se|sw|north|south|east|west)\b)?",
    re.IGNORECASE,
)
_NOT_IN_STREET = frozenset(
    "of the a an to from my your our in for and or with by at on it is was were be that this these those i you we they "
    "item items order orders dollars days day weeks week months month hours times pieces pair pairs pm am percent off "
    "more less which what when please can could would there one two no not only".split()
)
_FOREIGN_PREFIX = (
    r"(?:rue|(?-i:Via)|viale|vicolo|corso|piazza|piazzale|contrada|largo|strada|calle|c/|avenida|avda\.?|av\.|paseo|plaza|"
    r"rua|travessa|praça|chemin|allée|quai|impasse|route de|ul\.|ulica|al\.|os\.|pl\.|bd\.?|boulevard|rambla|carrer|"
    r"rúa|camino|ronda)"
)
_FOREIGN_SUFFIX = (
    r"(?:straße|strasse|str\.|gasse|weg|platz|allee|damm|ufer|ring|steig|gatan|vägen|gränd|stigen|gata|gate|vegen|veien|"
    r"vej|vei|gade|stræde|allé|vænge|toften|katu|tie|kuja|polku|straat|laan|plein|singel|gracht|kade|dijk|dreef|hof|utca|"
    r"útja|út|tér|ulice|třída|náměstí|ulica|cesta|tee|mnt|tänav|lei|stræti|braut|vangur|stígur)"
)
_FOREIGN = re.compile(
    rf"(?<!\w)(?:(?:\d{{1,6}} )?{_FOREIGN_PREFIX} (?:[^\W\d_](?:[^\W\d_]|['’.-]){{0,24}} ?){{1,5}}?,? ?\d{{1,5}}\b"
    rf"|(?:\d{{1,6}},? )?(?:[^\W\d_][\w'’.-]{{0,20}} ){{0,2}}[^\W\d_]{{0,24}}{_FOREIGN_SUFFIX},? \d{{1,5}}[a-z]?\b)",
    re.IGNORECASE,
)
_NUMBER_FIRST = re.compile(
    r"(?<![\w#$€£.,/-])\d{1,4}(?: ?(?:bis|ter|quater|[a-d])\b)?,? "
    r"(?:rue|avenue|boulevard|chemin|allée|quai|impasse|place|route|cours|square|faubourg)"
    r"(?: (?:de|du|des|la|le|les)\b)*(?: [ld]['’])? ?[^\W\d_][\w'’.-]{1,24}"
    r"(?:[ -](?-i:(?=[^\W\d_a-zß-öø-ÿ])[^\W\d_])[\w'’.-]{1,24}){0,3}",
    re.IGNORECASE,
)
_CITY_NAME = r"(?=[^\W\d_a-zß-öø-ÿ])[^\W\d_][\w'’-]{1,24}"
_CODE_CITY = rf"(?:[A-Z]{{1,2}}-)?\d{{4,5}} {_CITY_NAME}"
_GAP = r"(?:,? {1,2}|,?\s{0,2}\n)"
#: A street and a number, a postcode and a city, as written on the continent.
_CONTINENTAL = re.compile(
    rf"(?<!\w){_CITY_NAME}(?: [^\W\d_][\w'’.-]{{0,24}}){{0,4}} \d{{1,4}} ?[a-zA-Z]?{_GAP}{_CODE_CITY}"
)
#: What a continental address goes on with: a floor, then postcode and city.
_CODE_AND_CITY = re.compile(
    rf"{_GAP}(?:\d{{1,2}}[ºª°](?: ?[A-Z]{{1,4}}\b\.?)?{_GAP})?{_CODE_CITY}(?:[ -]{_CITY_NAME})?"
)
_CITY = re.compile(rf"(?<=\d{{4}}) {_CITY_NAME}")
_UNIT_WORDS = r"(?:apt|apartment|suite|ste|unit|flat|floor|room|bldg|building)"
_UNIT = re.compile(
    rf"(?<!\w){_UNIT_WORDS}\b\.? ?#? ?(?:\d[\w-]{{0,5}}|[A-Z]\d{{0,4}})\b(?:,? box \d{{1,6}}\b)?", re.IGNORECASE
)
_BOX = re.compile(
    r"\b(?:p\.? ?o\.? ?box|post office box|locked bag) ?#?\d{1,7}\b|\bpsc \d{1,5},? box \d{1,6}\b"
    r"|\b(?:uss|usns|usnv|usv|uscgc) [^\W\d_][\w'’-]{0,24}\b",
    re.IGNORECASE,
)
_MILITARY = re.compile(r"\b(?:APO|FPO|DPO),? A[AEP],? \d{5}(?:-\d{4})?\b", re.IGNORECASE)
#: A whole line that is a house number and a name, as pasted from an address book.
_LINE = re.compile(
    r"(?:^|(?<=\n))[^\w\n]{0,6}(\d{1,6} (?:[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,24} ?|\d{1,4}(?:st|nd|rd|th)? ?"
    r"|(?:de|di|da|do|van|der|den|del|la|of|the) ){1,6})[ ,]{0,2}(?=\n|$)"
)
_CUE = re.compile(
    r"\b(?:address(?:es)?(?: (?:is|to|of [^\n:,.]{1,40}? is)(?: now)?|:| was)|addresses, here they are:"
    r"|(?:lives?|living|reside|stay(?:ing)?) (?:at|on|in)|moved to|located at|return to|meet me at"
    r"|(?:deliver|ship|send|sent|post|mail|forward)(?: it| them| this| that| (?:the|my) [a-z]{2,20})? to"
    r"|(?:arrived|delivered) at"
    r"|(?:adresse|anschrift|dirección|direccion|indirizzo|adres)(?: (?:ist|lautet|est|es|è|is))?"
    r"|wohne (?:in|im|am)(?: der| dem)?|(?:vivo|resido) en|j['’]habite(?: au| à)?|abito in)"
    r"\s?[\s:]{1,3}(?=[^\n]{0,60}\d)",
    re.IGNORECASE,
)
_AFTER_CUE = re.compile(
    r"(?:the (?:north|south|east|west) side of |the corner of )?"
    r"(?:[^\n.?!;]|\.(?=\s?\S)(?! [A-Z][a-z]+ [a-z])|\n(?=[ ,]{0,4}[\w>?]))"
)
_ADDRESS_PARTICLES = frozenset(("de", "di", "da", "do", "van", "der", "la"))
_WITH_LETTERS = rf"(?i:{IRELAND}|{UK}|{CANADA})"
_CODE = rf"(?:{_WITH_LETTERS}|{PORTUGAL}|{JAPAN}|{US}|{THREE_TWO}|{NETHERLANDS}|{POLAND}|\d{{4,6}})\b"
_NEXT = r"(?:\s{0,3},\s{0,3}|\s{0,2}\n\W{0,6}| {1,3})"
_NEXT_PART = r"(?:\s{0,3},\s{0,3}|\s{0,2}\n\W{0,6})"
_CAPITALISED = r"[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,24}"
#: What may follow a street: a unit, a postcode, a state; or, after a comma or on the next line, a city or a country.
_TAIL = re.compile(
    rf"{_NEXT}(?:{_UNIT_WORDS}\.? ?#? ?\w{{1,6}}\b|#\d{{1,5}}|{_CODE}"
    rf"|[A-Z]{{1,3}}\b(?=\W{{0,4}}(?:{_CODE}|[A-Z]))|(?<=[,\n] )[A-Z]{{2}}\b)"
    rf"|{_NEXT_PART}{_CAPITALISED}(?: {_CAPITALISED}){{0,3}}(?: \([A-Z][a-z]{{2,20}}\))?(?: {_CODE})?(?=\W|$)",
)
_LOWER_TAIL = re.compile(rf"[, ]{{1,3}}(?:[^\W\d_]{{2,20}}[, ]{{1,2}}){{1,5}}{_CODE}", re.IGNORECASE)
_ZIP_AFTER_CUE = re.compile(
    rf"\b(?:zip(?: ?code)?|post(?:al)? ?code|plz)\b\s?(?:is|:|#|=|,)?\s{{0,2}}(?:is )?({_CODE}|\d{{3}}\b)",
    re.IGNORECASE,
)
_ZIP_AFTER_STATE = re.compile(r"\b[A-Z]{2},? (\d{5}(?:-\d{4})?)\b")
_ZIP_SURE = re.compile(rf"(?<![\w#$€£.-])(?:\d{{5}}-\d{{4}}|{_WITH_LETTERS})(?![\w-])")
_ZIP_BARE = re.compile(r"(?<![\w#$€£.-])\d{5}(?![\w-]|\.\d)")
_MAX_ADDRESS = 160


def find_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every postal address or part of one; they may overlap."""
    if not any(char.isdigit() for char in text):
        return
    for match in _STREET.finditer(text):
        words = match[2].casefold().split()
        if any(word in _NOT_IN_STREET for word in words) or not (words or match[3]):
            continue
        if match[4] and not (words and (len(match[1]) >= 2 or match[2][0].isupper())):
            continue
        yield match.start(), _end(text, match.end())
    for pattern in (_FOREIGN, _NUMBER_FIRST, _CONTINENTAL):
        for match in pattern.finditer(text):
            goes_on = _CODE_AND_CITY.match(text, match.end()) or _CITY.match(text, match.end())
            yield match.start(), _end(text, goes_on.end() if goes_on else match.end())
    for pattern in (_BOX, _MILITARY, _UNIT):
        for match in pattern.finditer(text):
            yield match.start(), _end(text, match.end())
    for match in _LINE.finditer(text):
        yield match.start(1), _end(text, match.end(1))
    for match in _CUE.finditer(text):
        yield from _after_cue(text, match.end())


def find_postcodes(text: str, *, bare: bool = False) -> Iterator[tuple[int, int]]:
    """Start and end of postcodes; ``bare``: five digits alone count too."""
    patterns = [(_ZIP_AFTER_CUE, 1), (_ZIP_AFTER_STATE, 1), (_ZIP_SURE, 0)]
    if bare:
        patterns.append((_ZIP_BARE, 0))
    for pattern, group in patterns:
        for match in pattern.finditer(text):
            yield match.span(group)


def _end(text: str, end: int) -> int:
    """Widen an address by what follows it, at most some hundred characters."""
    limit = end + _MAX_ADDRESS
    while end < limit:
        match = _TAIL.match(text, end) or _LOWER_TAIL.match(text, end)
        if match is None or match.end() == end:
            break
        end = match.end()
    return end


def _after_cue(text: str, start: int) -> Iterator[tuple[int, int]]:
    """An address after "my address is": from the first word with a digit or a capital to the last of its kind."""
    end = start
    while end < min(len(text), start + _MAX_ADDRESS) and (match := _AFTER_CUE.match(text, end)):
        end = match.end()
    words = list(re.finditer(r"\S+", text[start:end]))
    if not words or not (words[0][0][0].isdigit() or words[0][0][0].isupper()):
        return
    last = words[0]
    for word in words:
        first = word[0][0]
        if first.isalnum() and not (first.isdigit() or first.isupper() or word[0].casefold() in _ADDRESS_PARTICLES):
            break
        last = word
    found = text[start : start + last.end()].rstrip(" ,.?!;")
    if any(char.isdigit() for char in found):
        yield start, start + len(found)
