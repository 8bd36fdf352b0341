"""Options that are there or not: "with a timer", "waterproof", "w/o touchscreen", "non-waterproof", "bagless"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from shopbot.textindex import fold

_ALSO_CALLED = {"zip": ("zipper",), "microphone": ("mic",)}
_ARTICLES = r"(?: (?:a|an|any|the|its?|such))*"
_WITHOUT = rf"(?:without|w o|no|non|nor|minus|lack(?:s|ing)?)(?: need (?:for|of))?{_ARTICLES}"
_NOT = r"(?:not|never|\w+n t)(?: (?:need|want|have|having|be|with|a|an|any|the|its?|so))*"
_WITH = rf"(?:with|having|has|have|plus|includ(?:es|ing)|incl){_ARTICLES}"
_NO_MATTER = r"(?:(?:\w+n t|not) (?:need|have) to (?:be|have)|need(?: not|n t) (?:be|have))"


def is_yes_no(values: Iterable[str]) -> bool:
    """Whether an option with these values is one that a thing has or has not."""
    return {fold(value) for value in values} <= {"yes", "no"}


def presence(text: str, option: str) -> bool | None:
    """Whether folded ``text`` asks for the option: "without a timer" → False, "waterproof" → True, else None."""
    told = {has for _, _, has in presence_hits(text, option)}
    return told.pop() if len(told) == 1 else None


def presence_hits(text: str, option: str) -> list[tuple[int, int, bool]]:
    """Where folded ``text`` speaks of the option: start, end and whether it is to be there.

    "with or without a timer" and "need not be waterproof" say nothing about it.
    """
    matches = _pattern(fold(option)).finditer(text)
    return [(match.start(), match.end(), match["lacks"] is None) for match in matches if match["open"] is None]


@lru_cache(maxsize=256)
def _pattern(option: str) -> re.Pattern[str]:
    """Any way to speak of one option; the last word of its name is enough beside "with" or "without"."""
    name = rf"(?:{'|'.join([_loose(option), *_ALSO_CALLED.get(option, ())])})(?:s|es)?"
    short = rf"(?:{name}|{_loose(option.split()[-1])}(?:s|es)?)"
    still_open = rf"with (?:or|and) without{_ARTICLES} {short}|{_NO_MATTER}{_ARTICLES} {name}|{name} or not"
    lacks = rf"(?:{_WITHOUT}|{_NOT}) {short}|non{name}|{_loose(option)}less|{name} (?:no(?! matter| problem)|free)"
    has = rf"{_WITH} {short}|yes {name}|{name}(?: yes)?"
    return re.compile(rf"(?<!\S)(?:(?P<open>{still_open})|(?P<lacks>{lacks})|(?P<has>{has}))(?!\S)")


def _loose(name: str) -> str:
    """A name as a pattern that minds no spaces and endings: touchscreen, touch screen; cancelling, canceling,
    cancellation."""
    letters = " ?".join(re.escape(letter) for letter in name.replace(" ", ""))
    letters = letters.replace("l ?l", "l(?: ?l)?")
    return re.sub(r"i \?n \?g$", "(?:i ?n ?g|ation)", letters)
