"""Reading small words: ordinals, pronouns, numbers, order numbers, option dictionaries, clauses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shopbot.textindex import fold

_ORDINALS = {
    "first": 1,
    "1st": 1,
    "second": 2,
    "2nd": 2,
    "third": 3,
    "3rd": 3,
    "fourth": 4,
    "4th": 4,
    "fifth": 5,
    "5th": 5,
    "sixth": 6,
    "6th": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_FILLER = frozenset(
    (
        "the a an my that this it its please pls one ones order orders number no nr option item product of i me and "
        "with for to just want would like take is was"
    ).split()
)
_PRONOUNS = frozenset(
    {
        "it",
        "that",
        "this",
        "that one",
        "this one",
        "the same",
        "same",
        "same one",
        "the same one",
        "same order",
        "that order",
        "this order",
        "the order",
        "my order",
        "order",
        "them",
        "these",
        "those",
    }
)
_EVERYTHING = re.compile(
    r"\b(everything|all( of)?( them| it| items| the items| things)?|whole( order| thing)?|entire( order)?|every item|"
    r"both|the lot)\b"
)
_IDENTIFIER = re.compile(r"(?<![\w.])#?(?:[A-Za-z]{1,4}[-_ ]?)?\d{3,}(?:-\d+)*(?!\w)")
_PAIR = re.compile(r"""['"]?([\w][\w /-]{0,40}?)['"]?\s*[:=]\s*['"]([^'"]{0,80})['"]""")
_CLAUSE_END = re.compile(r"[;?!\n()\u2013\u2014]|\s-\s|\.(?=\s|$)|,(?!\d)")
_SPLIT = re.compile(r"\s*(?:;|,|\n|\+|&|\band\b|\bplus\b|\bas well as\b)\s*", re.IGNORECASE)


def ordinal(words: str, count: int) -> int | None:
    """The 0-based place in a list of ``count`` that "the second one", "number 2" or "the last one" mean, or None."""
    left = [word for word in fold(words).split() if word not in _FILLER - {"one"}]
    rest = [word for word in left if word != "one"] or left
    if len(rest) != 1 or not count:
        return None
    word = rest[0]
    if word == "last" and re.search(r"\b(my|order|purchase)", fold(words)):
        return None  # the latest there is, not the last in the list
    if word in ("last", "latter", "bottom"):
        return count - 1
    place = _ORDINALS.get(word) or NUMBERS.get(word) or (int(word) if word.isdecimal() and len(word) < 3 else 0)
    return place - 1 if 0 < place <= count else None


def is_pronoun(words: str) -> bool:
    """ "it", "that one", "the same order": what was talked about last."""
    return fold(words) in _PRONOUNS


def is_everything(words: str) -> bool:
    return bool(_EVERYTHING.search(fold(words)))


def identifiers(words: str) -> list[str]:
    """Order numbers and the like, as typed."""
    return [match[0] for match in _IDENTIFIER.finditer(words)]


def compact(identifier: str) -> str:
    """Only letters and digits, upper case: ``#w-123`` → ``W123``."""
    return "".join(char for char in identifier.upper() if char.isalnum())


def digits(text: str) -> str:
    return "".join(char for char in text if char.isdecimal())


def option_pairs(words: str) -> dict[str, str]:
    """``{'color': 'blue', 'size': 'M'}`` written by a customer, folded; empty if there is none."""
    return {fold(key): fold(value) for key, value in _PAIR.findall(words)}


def without_pairs(words: str) -> str:
    """The words before an option dictionary: ``Desk Lamp {'color': 'blue'}`` → ``Desk Lamp``."""
    return re.sub(r"[{(\[].*?[})\]]", " ", words).strip()


def parts(words: str) -> list[str]:
    """A list in prose: "the lamp, the kettle and boots" → three parts. Option dictionaries are not cut."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"\x00{len(held) - 1}\x00"

    masked = re.sub(r"\{[^}]*\}|\([^)]*\)", hold, words)
    found = [part for part in _SPLIT.split(masked) if part.strip()]
    return [re.sub(r"\x00(\d+)\x00", lambda match: held[int(match[1])], part).strip() for part in found]


def clauses(text: str) -> str:
    """The folded text with " | " where a clause ends: "no, waterproof please" → "no | waterproof please"."""
    folded = (fold(clause) for clause in _CLAUSE_END.split(text))
    return " | ".join(clause for clause in folded if clause)


def contains_words(text: str, phrase: str) -> bool:
    """Whether the folded ``phrase`` stands in the folded ``text`` at word borders."""
    return f" {phrase} " in f" {text} "


def singular(word: str) -> str:
    """A rough singular, enough to compare nouns: lamps → lamp, watches → watch, batteries → battery."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def nouns(text: str) -> list[str]:
    """Folded words in the singular."""
    return [singular(word) for word in fold(text).split()]


def join(texts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""
