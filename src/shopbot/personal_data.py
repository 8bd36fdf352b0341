"""Personal data that can be told by its form: mail, phone, cards, IBANs, addresses, names after a cue, tokens in URLs.

:func:`find` gives spans, never text. It looks for what a shop's customers type; an organisation, a country or a film's
cast is left alone. Every pattern is bounded, so that no message can make it slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shopbot.postal import find_addresses, find_postcodes


class Span(NamedTuple):
    """``text[start:end]`` is personal. ``key`` tells whether two spans mean the same thing; empty: by their letters."""

    start: int
    end: int
    kind: str
    key: str = ""


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64} ?@ ?[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_SPOKEN_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{2,64} {0,2}(?:[(\[] ?at ?[)\]]| at ) {0,2}[\w-]{2,63}(?: {0,2}(?:[(\[] ?dot ?[)\]]| dot |\.) {0,2}\w{2,20}){1,3}\b",
    re.IGNORECASE,
)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"']{3,2000}", re.IGNORECASE)
_SECRET_IN_URL = re.compile(r"[?#@]|\d{6}|[A-Za-z0-9_-]{20}|/[A-Za-z]*\d[A-Za-z0-9]{7,}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_DIGITS = re.compile(r"(?<![\w.,$€£])\d(?:[ .-]?\d){11,18}(?!\w)")
_RUN = re.compile(r"(?<![\w$€£])[A-Za-z]{0,3}-?\d{7,}\w*")
_ORDER = re.compile(r"#[A-Za-z]{0,3}[ -]?\d{3,20}\b|(?<![\w#])[A-Za-z]{1,2}-?\d{6,12}\b")
_ORDER_AFTER_CUE = re.compile(
    r"\b(?:orders?|purchase|parcel|shipment|invoice|bill|refund|return) ?(?:number|no\.?|nr\.?|id|#)? ?:? ?(#?[A-Z]{0,3}-?\d{4,20})(?!\w)",
    re.IGNORECASE,
)
_PAYMENT = re.compile(
    r"(?<!\w)(?:paypal|gift_card|credit_card|debit_card|card|voucher|pm|tok|cus|src)_[A-Za-z0-9]{4,40}\b"
)
_NAMED_ID = re.compile(r"(?<!\w)[a-z]{2,24}(?:_[a-z]{2,24}){0,3}_\d{3,12}\b")
_PHONE = re.compile(r"(?<![\w#$€£%])(?<!\d[.,/-])(?:\+ ?|00)?\(?\d(?:[ ().\-/]{0,3}\d){6,14}(?![\w%€£$])")
_NOT_ORDER_AFTER_CUE = re.compile(
    r"\b(?:orders?|purchase|parcel|shipment|invoice|bill|refund|return) ?(?:number|no\.?|nr\.?|id|#)? ?:? ?(#?[A-Z]{0,3}-?\d{4,20})(?!\w)",
    re.IGNORECASE,
)
_PAYMENT = re.compile(
    r"(?<!\w)(?:paypal|gift_card|credit_card|debit_card|card|voucher|pm|tok|cus|src)_[A-Za-z0-9]{4,40}\b"
)
_NAMED_ID = re.compile(r"(?<!\w)[a-z]{2,24}(?:_[a-z]{2,24}){0,3}_\d{3,12}\b")
_PHONE = re.compile(
    r"(?:19|20)\d\d[-/. ]\d{1,2}[-/. ]\d{1,2}(?:\D|$)|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d(?:\D|$)|(?:19|20)\d\d ?- ?(?:19|20)\d\d$|\d{1,4}\.\d\d$"
)
_NATIONAL_ID = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_ID_AFTER_CUE = re.compile(
    r"\b(?:ssn|social security(?: number| no)?|passport(?: number| no)?|licen[cs]e(?: number| no))\b[^\w\n]{0,3}(?:is |no\.? |number )?[^\w\n]{0,3}((?=[\w-]*\d)[\w-]{5,20})",
    re.IGNORECASE,
)
_IP = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)|(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])",
    re.IGNORECASE,
)
_BORN = re.compile(
    r"\b(?:born|birthday|date of birth|birth date|dob)\b[^\d\n]{0,40}(\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|\d{1,2}(?:st|nd|rd|th)? \w{3,9},? \d{4})",
    re.IGNORECASE,
)

_W = r"[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_])){0,24}"
_CAPITALISED = r"(?!(?:I|The|This|My|And|But|It|We|You)\b)(?=[^\W\d_a-zß-öø-ÿ])" + _W
_FULL = rf"{_CAPITALISED}(?: (?:[A-Z]\.? )?(?:(?:van|von|de|der|den|da|di|del|la|le|bin|al|el|dos|du) ){{0,2}}{_CAPITALISED}){{0,3}}"
#: What stands before a name however it is written.
_NAME_AFTER_CUE = re.compile(
    rf"\b(?:my (?:full |first |last |maiden )?name(?:['’]s| is|:)|(?:the )?name(?: on (?:the|my) (?:order|account|card))?(?: is|:)|i am called|(?:under|in) the name(?: of)?|(?:first|last|full|maiden) name(?: is|:)?)[ \t]{{0,8}}(?!not\b|wrong\b|the\b|spelled\b|on\b)({_W}(?: (?!and\b|but\b|my\b|i\b|is\b|the\b|with\b|from\b|at\b|zip\b|email\b|postcode\b|please\b|or\b|so\b|in\b|can\b){_W}){{0,2}})",
    re.IGNORECASE,
)
#: What stands before a name that is written with a capital.
_CAPITALISED_AFTER_CUE = re.compile(
    rf"(?:\b(?:[Ii]['’]?m|[Ii] am|[Tt]his is|[Ii]t['’]s|[Hh]ello|[Hh]i|[Hh]ey|[Dd]ear|[Ss]incerely,?|[Rr]egards,?|[Cc]heers,?|[Yy]ours,?|[Tt]hanks,|[Ss]igned,?|[Aa]ttn:?|called|named|[Rr]ecipient:?|[Cc]ardholder:?|[Bb]illing address:|[Ss]hipping address:|[Ff]rom:|[Tt]o:)|\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Mx)\.?)\s{{1,3}}({_FULL})"
)
_TITLED = re.compile(rf"\b(?:[Mm]r|[Mm]rs|[Mm]s|[Dd]r|[Pp]rof)\.? ({_W})")
_FULL_NAME = re.compile(_FULL)
#: A line that is a name and nothing else, as above a pasted address.
_NAME_LINE = re.compile(rf"(?:^|(?<=\n))[^\w\n]{{0,6}}({_FULL})[ ,]{{0,2}}(?=\n)")
_PERSON_DOES = re.compile(rf"({_FULL}) (?:lives|moved|will pick|can pick|is my|ordered it|has ordered|placed|paid)\b")
#: Given names, so that a stranger's full name is told from a product's.
_GIVEN = frozenset(
    "aaron abigail adam aisha alan albert alejandro alex alexander alexandra ali alice alicia amanda amelia amir amy ana anders andrea andreas andrew angela anita ann anna anne "
    "anthony antonio aria ava ahmed barbara benjamin bernard beth betty brandon brenda brian bruno carl carla carlos carmen carol caroline catherine charles charlotte chen chloe chris "
    "christian christina christine christopher claire clara claudia cynthia daniel daniela david deborah dennis diana diego dmitri donald donna dorothy edward elena elias elizabeth ella "
    "emily emma eric erik ethan eva evan evelyn fatima felix fernando fiona francesca francis francisco gabriel gary george gloria gregory hana hannah harper harry hassan heather helen "
    "henry hiroshi hugo ian ibrahim ingrid irene isabel isabella isabelle ivan jacob jakub james jamie jan jane janet jason javier jean jennifer jeremy jessica joan joao johan john jonas jonathan "
    "jorge jose joseph joshua juan juan judith julia julian julie karen karl katarzyna kate katherine kathleen kelly kenneth kevin kim kyle lars laura lauren lea leo liam linda lisa "
    "lucas lucia luis luisa lukas luke madison marco margaret maria mariam marie marina mario marta martha martin mary mateo matthew maya megan mei melissa mia michael michelle miguel mohamed "
    "mohammed monica nadia nancy natalie natasha nathan nicholas nicole nina noah nora olga oliver olivia omar pamela patricia patrick paul paula pedro peter philip pierre priya "
    "rachel rafael rahul raj ralph ravi raymond rebecca ricardo richard robert roberto roger ronald russell ruth ryan samantha samuel sandra sara sarah scott sean sebastian sergio sharon "
    "shirley simon sofia sophia sophie stefan stephanie stephen steven susan sven tamara teresa theresa thomas timothy tomas tyler valentina vanessa victor victoria vincent virginia walter wei "
    "william yara yuki yusuf zoe".split()
)
#: Words with a capital that follow "I'm" or "Hi" and are no names.
_NO_NAME = frozenset(
    "a an the not so very just in on at from looking trying having still also sorry here there back waiting ok okay hi hello hey thanks thank please yes no "
    "good great fine happy sad angry support team sir madam customer service shopbot bot agent monday tuesday wednesday thursday friday saturday sunday january february "
    "march april may june july august september october november december christmas order orders item items all everyone everybody guys folks what where when why how can could "
    "would will do does did is are was were is paypal visa mastercard amex american english german french spanish italian what's that's".split()
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
    if not 15 <= len(plain) <= 34 or not plain.isascii():
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def find(text: str, *, expects_identity: bool = False) -> list[Span]:
    """Every span of ``text`` that looks personal; they may overlap.

    ``expects_identity``: the customer was asked who they are, so a capitalised pair is a name and five digits are a postcode.
    """
    spans = [span for finder in _FINDERS for span in finder(text)]
    addresses = [Span(start, end, "ADDRESS") for start, end in find_addresses(text)]
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
        digits = "".join(groups)
        is_grouped = len(groups) > 1 or match[0][0] in "+(0"
        if not is_grouped or _NOT_PHONE.match(match[0]) or max(map(len, groups)) < 2:
            continue
        yield Span(*match.span(), "PHONE", digits[-9:])


def _names(text: str) -> Iterator[Span]:
    for pattern in (_NAME_AFTER_CUE, _CAPITALISED_AFTER_CUE, _TITLED):
        for match in pattern.finditer(text):
            words = match[1].split()
            if words[0].casefold() in _NO_NAME:
                continue
            kept = next((at for at, word in enumerate(words) if word.casefold() in _NO_NAME), len(words))
            yield Span(match.start(1), match.start(1) + len(" ".join(words[:kept])), "NAME")
    for match in _PERSON_DOES.finditer(text):
        if match[1].split()[0].casefold() not in _NO_NAME:
            yield Span(*match.span(1), "NAME")
    for match in _FULL_NAME.finditer(text):
        words = match[0].split(" ")
        given = next((at for at, word in enumerate(words[:-1]) if word.casefold() in _GIVEN), None)
        if given is not None:
            yield Span(match.start() + len(" ".join(words[:given])) + bool(given), match.end(), "NAME")


_FINDERS: tuple[Callable[[str], Iterator[Span]], ...] = (_emails, _urls, _ibans, _numbers, _phones, _names)
