"""Personal data that can be told by its form: mail, phone, cards, IBANs, addresses, names after a cue, tokens in URLs.

:func:`find` gives spans, never text. It looks for what a shop's customers type; an organisation, a country or a film's
cast is left alone. Every pattern is bounded, so that no message can make it slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shopbot.personal_cues import find_after_cues
from shopbot.personal_words import GIVEN_NAMES, NO_NAMES
from shopbot.postal import find_addresses, find_postcodes


class Span(NamedTuple):
    """``text[start:end]`` is personal. ``key`` tells whether two spans mean the same thing; empty: by their letters."""

    start: int
    end: int
    kind: str
    key: str = ""


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64} ?@ ?[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_SPOKEN_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{2,64} {0,2}(?:[(\[] ?at ?[)\]]| at ) {0,2}[\w-]{2,63}"
    r"(?: {0,2}(?:[(\[] ?dot ?[)\]]| dot |\.) {0,2}\w{2,20}){1,3}\b",
    re.IGNORECASE,
)
_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"']{3,2000}|(?<![\w@.-])(?:[a-z\d-]{1,63}\.){1,4}[a-z]{2,10}/[^\s<>\"']{3,2000}",
    re.IGNORECASE,
)
_SECRET_IN_URL = re.compile(r"[?#@]|\d{6}|[A-Za-z0-9_-]{20}|/[A-Za-z]{0,20}\d[A-Za-z0-9]{7}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_DIGITS = re.compile(r"(?<![\w.,$€£])\d(?:[ .-]?\d){11,18}(?!\w)")
_RUN = re.compile(r"(?<![\w$€£])[A-Za-z]{0,3}-?\d{7,}\w*")
_PHONE = re.compile(r"(?<![\w#$€£%])(?<!\d[.,/-])(?:\+ ?|00)?\(?\d(?:[ ().\-/]{0,3}\d){6,14}(?![\w%€£$])")
_NO_PHONE = re.compile(
    r"(?:19|20)\d\d[-/. ]\d{1,2}[-/. ]\d{1,2}(?:\D|$)"  # a date, year first
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d(?:\D|$)"  # a date, year last
    r"|(?:19|20)\d\d ?- ?(?:19|20)\d\d$|\d{1,4}\.\d\d$"  # years, a price
)

_ORDER_AFTER_CUE = re.compile(
    r"\b(?:orders?|purchase|parcel|shipment|invoice|bill|refund|return) ?(?:number|no\.?|nr\.?|id|#)? ?:? ?"
    r"(#?[A-Z]{0,3}-?\d{4,20})(?!\w)",
    re.IGNORECASE,
)
_ORDER = re.compile(r"#[A-Za-z]{0,3}[ -]?\d{3,20}\b|(?<![\w#])[A-Za-z]{1,2}-?\d{6,12}\b")
_PAYMENT = re.compile(
    r"(?<!\w)(?:paypal|gift_card|credit_card|debit_card|card|voucher|pm|tok|cus|src)_[A-Za-z0-9]{4,40}\b"
)
_NAMED_ID = re.compile(r"(?<!\w)[a-z]{2,24}(?:_[a-z]{2,24}){0,3}_\d{3,12}\b")
_NATIONAL_ID = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_ID_AFTER_CUE = re.compile(
    r"\b(?:ssn|social security(?: number| no)?|passport(?: number| no)?|licen[cs]e(?: number| no))\b[^\w\n]{0,3}"
    r"(?:is |no\.? |number )?[^\w\n]{0,3}((?=[a-z-]{0,20}\d)[\w-]{5,20})",
    re.IGNORECASE,
)
_IP = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]{0,8}\d)|(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])",
    re.IGNORECASE,
)
_BORN = re.compile(
    r"\b(?:born|birthday|date of birth|birth date|dob)\b[^\d\n]{0,40}"
    r"(\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|\d{1,2}(?:st|nd|rd|th)? \w{3,9},? \d{4})",
    re.IGNORECASE,
)
#: Pattern, kind, group; the first that matches a stretch names its kind.
_IDS = (
    (_ORDER_AFTER_CUE, "ORDER", 1),
    (_ORDER, "ORDER", 0),
    (_PAYMENT, "PAYMENT", 0),
    (_NAMED_ID, "CUSTOMER", 0),
    (_NATIONAL_ID, "ID", 0),
    (_ID_AFTER_CUE, "ID", 1),
    (_IP, "IP", 0),
    (_BORN, "DATE", 1),
)

_WORD = r"[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_])){0,24}"
_CAPITALISED = r"(?!(?:I|The|This|My|And|But|It|We|You)\b)(?=[^\W\d_a-zß-öø-ÿ])" + _WORD
_PARTICLE = r"(?:(?:van|von|de|der|den|da|di|del|la|le|bin|al|el|dos|du) ){0,2}"
_FULL = rf"{_CAPITALISED}(?: (?:[A-Z]\.? )?{_PARTICLE}{_CAPITALISED}){{0,3}}"
_ENDS_NAME = r"(?!(?:and|but|my|i|is|the|with|from|at|zip|email|postcode|please|or|so|in|can|order)\b)"
#: What stands before a name however it is written.
_NAME_AFTER_CUE = re.compile(
    r"\b(?:my (?:full |first |last |maiden )?name(?:['’]s| is\b|:)"
    r"|(?:the )?name(?: on (?:the|my) (?:order|account|card))?(?: is\b|:)|i am called|(?:under|in) the name(?: of)?"
    r"|(?:first|last|full|maiden) name(?: is\b|:)?)[ \t]{0,8}"
    rf"(?!(?:not|wrong|the|spelled|on)\b)({_WORD}(?: {_ENDS_NAME}{_WORD}){{0,2}})",
    re.IGNORECASE,
)
#: What stands before a name that is written with a capital.
_CAPITALISED_AFTER_CUE = re.compile(
    r"\b(?:(?i:i['’]?m|i am|this is|it['’]s|hello|hi|hey|dear|sincerely,?|regards,?|cheers,?|yours,?|thanks,|signed,?"
    r"|attn:?|called|named|recipient:?|cardholder:?|billing address:|shipping address:|from:|to:)"
    rf"|(?:Mr|Mrs|Ms|Miss|Dr|Prof|Mx)\.?)\s{{1,3}}({_FULL})"
)
_RELATIVE = re.compile(
    r"\b(?i:(?:my|our|his|her|their) (?:[\w-]{1,12} )?(?:neighbou?r|sister|brother|wife|husband|mother"
    r"|mum|mom|father|dad|son|daughter|friend|girlfriend|boyfriend|colleague|boss|roommate|flatmate|aunt|uncle|cousin|fianc[eé]e?))"
    rf",? ({_FULL})"
)
_TITLED = re.compile(rf"\b(?:[Mm]r|[Mm]rs|[Mm]s|[Dd]r|[Pp]rof)\.? ({_WORD})")
_PERSON_DOES = re.compile(rf"({_FULL}) (?:lives|moved|will pick|can pick|is my|ordered it|has ordered|placed|paid)\b")
_FULL_NAME = re.compile(_FULL)
#: A line that is a name and nothing else, as above a pasted address.
_NAME_LINE = re.compile(rf"(?:^|(?<=\n))[^\w\n]{{0,6}}({_FULL})[ ,]{{0,2}}(?=\n)")


#: Short texts in which nothing was found: the keys and values of tools' results, which come again and again.
_nothing_in: set[tuple[str, bool]] = set()
_SHORT_CHARS, _MAX_REMEMBERED = 40, 4096


def luhn(digits: str) -> bool:
    """Whether the digits carry the check digit that payment cards have."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def iban(text: str) -> bool:
    """Whether the letters and digits are an IBAN with a right check number."""
    plain = re.sub(r"\s", "", text).upper()
    if not 15 <= len(plain) <= 34 or not plain.isascii() or not plain.isalnum():
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def find(text: str, *, expects_identity: bool = False) -> list[Span]:
    """Every span of ``text`` that looks personal; they may overlap.

    ``expects_identity``: the customer was asked who they are: a capitalised pair is a name, five digits are a postcode.
    """
    is_short = len(text) <= _SHORT_CHARS
    if is_short and (text, expects_identity) in _nothing_in:
        return []
    spans = _search(text, expects_identity=expects_identity)
    if is_short and not spans:
        if len(_nothing_in) >= _MAX_REMEMBERED:
            _nothing_in.clear()
        _nothing_in.add((text, expects_identity))
    return spans


def _search(text: str, *, expects_identity: bool) -> list[Span]:
    # where two agree on the stretch, the first names its kind
    spans = [Span(*found) for found in find_after_cues(text)]
    spans += [span for finder in _FINDERS for span in finder(text)]
    addresses = [
        Span(start, start + len(text[start:end].rstrip(" .,;:!?\n")), "ADDRESS") for start, end in find_addresses(text)
    ]
    spans += addresses
    if addresses:
        spans += [Span(*match.span(1), "NAME") for match in _NAME_LINE.finditer(text) if " " in match[1]]
    spans += [Span(start, end, "POSTCODE") for start, end in find_postcodes(text, bare=expects_identity)]
    if expects_identity:
        spans += [Span(*match.span(), "NAME") for match in _FULL_NAME.finditer(text) if " " in match[0]]
    return spans


def _emails(text: str) -> Iterator[Span]:
    for pattern in (_EMAIL, _SPOKEN_EMAIL):
        for match in pattern.finditer(text):
            yield Span(*match.span(), "EMAIL")


def _urls(text: str) -> Iterator[Span]:
    for match in _URL.finditer(text):
        url = match[0].rstrip(".,;:!?)")
        _, _, rest = url.partition("://")
        if _SECRET_IN_URL.search(rest or url):
            yield Span(match.start(), match.start() + len(url), "URL")


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        ends = [match.start() + cut.end() for cut in re.finditer(r"\w+", match[0])]
        good = next((end for end in reversed(ends) if iban(text[match.start() : end])), None)
        if good is not None:
            yield Span(match.start(), good, "IBAN")


def _numbers(text: str) -> Iterator[Span]:
    for pattern, kind, group in _IDS:
        for match in pattern.finditer(text):
            yield Span(*match.span(group), kind)
    for match in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        yield Span(*match.span(), "CARD" if len(digits) >= 13 and luhn(digits) else "NUMBER", digits)
    for match in _RUN.finditer(text):
        yield Span(*match.span(), "NUMBER")


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        groups = re.findall(r"\d+", match[0])
        is_grouped = len(groups) > 1 or match[0][0] in "+(0"
        if is_grouped and not _NO_PHONE.match(match[0]) and max(map(len, groups)) >= 2:
            yield Span(*match.span(), "PHONE", "".join(groups)[-9:])


def _names(text: str) -> Iterator[Span]:
    for pattern in (_NAME_AFTER_CUE, _CAPITALISED_AFTER_CUE, _RELATIVE, _TITLED, _PERSON_DOES):
        for match in pattern.finditer(text):
            words = match[1].split()
            kept = next((at for at, word in enumerate(words) if word.casefold() in NO_NAMES), len(words))
            if kept:
                yield Span(match.start(1), match.start(1) + len(" ".join(words[:kept])), "NAME")
    for match in _FULL_NAME.finditer(text):
        words = match[0].split(" ")
        given = next((at for at, word in enumerate(words[:-1]) if word.casefold() in GIVEN_NAMES), None)
        if given is not None:
            yield Span(match.start() + len(" ".join(words[:given])) + bool(given), match.end(), "NAME")


_FINDERS: tuple[Callable[[str], Iterator[Span]], ...] = (_emails, _urls, _ibans, _numbers, _phones, _names)
