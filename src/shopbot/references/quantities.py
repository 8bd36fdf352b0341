"""How much of an order is meant: everything, both lamps, one of the two pots, all but the tent."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from shopbot.references.words import NUMBERS
from shopbot.textindex import fold

#: More pieces than any order has.
ALL = 10_000

_THING = r"(?:(?:item|thing|product|piece|article|order|purchase|package|parcel)s?|stuff|goods|lot|delivery)"
_WHOLE = re.compile(
    rf"\b(?:everything|the lot|(?:every|each)(?: single)? {_THING}|(?:whole|entire|full|complete) {_THING}|"
    r"(?:whole|entire)$)\b"
)
_BETWEEN = frozenset("of the my our your these those this that them it its single".split()) | NUMBERS.keys()
#: After "all" these name no kind of thing.
_NO_KIND = re.compile(
    rf"{_THING}|in|from|on|at|i|we|you|please|pls|back|which|what|was|were|is|are|and|for|to|together|ordered|bought|"
    r"with|but|except|again|now|today|thanks|\w*\d+"
)
_ONE = re.compile(
    r"\b(?:one|1|either|any one) (?:out )?of\b(?! each)|\b(?:just|only|exactly) (?:the )?(?:one|1)\b|"
    r"^(?:a single|(?:one|1)(?! of each| each)) \w"
)
_NOT_COUNTED = frozenset(("size", "number", "no", "nr", "order", "model", "w"))
_NOT_ALL = re.compile(
    r"^\s*not (?:quite )?(?:everything|all\b[^,;.]*|the (?:whole|entire)[^,;.]*)[\s,;.]+(?:but )?(?:just|only)?\b", re.I
)
_I_WILL = r"i(?:['\u2019 ]?ll| will| want to| wanna|['\u2019 ]?d like to|['\u2019 ]?m)?"
_KEEP = rf"(?:and |but )?(?:{_I_WILL} )?(?:also )?keep(?:ing)?"
_EXCEPT = (
    r"except(?:ing)?(?: for)?|(?:apart|aside) from|with the exception of|other than|excluding|(?:but )?not including|"
    r"but not(?: for)?|but without|save for|leav(?:e|ing) out"
)
_CUE = re.compile(
    rf"(?<![\w-])(?:(?P<plain>{_EXCEPT})|(?P<soft>{_KEEP}|and not|not|without|w/o|minus|besides)|(?P<but>but))\b",
    re.I,
)
_FAREWELL = re.compile(r"\b(?:please|pls|thanks|thank you)$", re.I)
_EDGES = " \t\r\n,;:.!()-"


@dataclass(frozen=True, slots=True)
class AllBut:
    """ "everything except the tent": what is meant at first, and what is not.

    ``is_plain``: the words can mean nothing else, while "boots without laces" may just describe a thing.
    """

    head: str
    excepted: str
    is_plain: bool


def means_everything(phrase: str) -> bool:
    """Whether all there is in an order is meant: "all of it", "both items", "the whole order"; not "both lamps"."""
    text = fold(phrase)
    if _WHOLE.search(text):
        return True
    words = text.split()
    for place, word in enumerate(words):
        if word in ("all", "both") and words[place - 1 : place] not in (["at"], ["after"]):
            following = next((other for other in words[place + 1 :] if other not in _BETWEEN), None)
            return following is None or _NO_KIND.fullmatch(following) is not None
    return False


def pieces_meant(phrase: str, described: Container[str] = ()) -> int | None:
    """How many pieces: "both lamps" → 2, "all the lamps" → ALL, "one of the two lamps" → 1; None if it is not said.

    A number that is, or stands before, one of the words in ``described`` counts no pieces: "the two person tent".
    """
    text = fold(phrase)
    words = text.split()
    if re.search(r"\b(?:(?<!at )(?<!after )all|every|(?<!of )each)\b", text):
        return ALL
    if _ONE.search(text):
        return 1
    if "both" in words:
        return 2
    for place, word in enumerate(words[:-1]):
        count = NUMBERS.get(word, int(word) if word.isdecimal() and len(word) == 1 else 0)
        is_description = word in described or words[place + 1].removesuffix("s") in described
        if count > 1 and not is_description and not _NOT_COUNTED.intersection(words[place - 1 : place]):
            return count
    return None


def all_but(phrase: str) -> AllBut | None:
    """The parts of "everything except the tent", "all of it, not the tent", "the whole order without the tent"."""
    for cue in _CUE.finditer(phrase):
        head, excepted = phrase[: cue.start()].strip(_EDGES), phrase[cue.end() :].strip(_EDGES)
        excepted = _FAREWELL.sub("", excepted).strip(_EDGES)
        is_everything = means_everything(head)
        is_several = is_everything or (pieces_meant(head) or 0) > 1
        if not excepted or (cue["but"] and not is_several) or (not head and not cue["plain"]):
            continue
        return AllBut(head, excepted, is_everything or bool(cue["plain"]))
    return None


def without_denial(phrase: str) -> str:
    """ "not everything, just the tent" → "the tent"."""
    return _NOT_ALL.sub("", phrase).strip() or phrase
