"""How well the customer's words name a thing in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from rapidfuzz import fuzz

from shopbot.references.presence import is_yes_no, presence
from shopbot.references.words import clauses, contains_words, nouns, option_pairs, without_pairs
from shopbot.textindex import fold

#: Words that say nothing about which thing is meant.
_EMPTY = frozenset(
    (
        "the a an my one ones item product thing that this of in with for and size color colour other pair new i got is"
    ).split()
)
#: Words of their own that are one slip away from what a shop may sell: "table" is no misspelt tablet.
_NO_SLIPS = frozenset(
    (
        "table clear clean plan plane pant house horse cause market sneaker coaster sand stand battle tenth booth "
        "boost blank place sweeter puzzled carpet basket short start board broad cheer charm"
    ).split()
)
_CLOSE = 82.0
_VERY_CLOSE = 90.0
_LONGEST_RUN = 4


def name_score(words: str, name: str, *, slips: bool = True) -> float:
    """0 to 1: how well ``words`` name the product ``name``; the head noun (the last word) counts most.

    "boots" names "Hiking Boots" well, "t shirt" and "tshirts" name "T-Shirt", "camera" names "Digital Camera" and
    "Action Camera" alike. With ``slips`` so does "hikng boots"; "table clock" does not name "Tablet".
    """
    plain = [word for word in nouns(without_pairs(words)) if word not in _EMPTY]
    named = nouns(name)
    if not plain or not named:
        return 0.0
    said = _runs(plain)
    if "".join(named) in said:
        return 1.0
    head = named[-1]
    hits = [word for word in named if _occurs(word, said, slips)]
    if _occurs(head, said, slips) or _occurs("".join(named), said, slips):
        return 0.7 + 0.3 * len(hits) / len(named)
    return 0.45 * len(hits) / len(named)


def option_hits(words: str, options: Mapping[str, str]) -> tuple[int, int]:
    """(options that the words name, options that they contradict); a dictionary is compared key by key.

    "the coffee maker without a timer" names the option timer = no and contradicts timer = yes.
    """
    pairs = option_pairs(words)
    folded = {fold(key): fold(value) for key, value in options.items()}
    if pairs:
        known = {key: value for key, value in pairs.items() if key in folded}
        right = sum(folded[key] == value for key, value in known.items())
        return right, len(known) - right
    text, read = fold(words), clauses(words)
    told = {key: presence(read, key) for key, value in folded.items() if is_yes_no([value])}
    right = sum(has == (folded[key] == "yes") for key, has in told.items() if has is not None)
    wrong = sum(has != (folded[key] == "yes") for key, has in told.items() if has is not None)
    plain = [value for key, value in folded.items() if key not in told and len(value) > 1]
    return right + sum(contains_words(text, value) for value in plain), wrong


def _runs(words: list[str]) -> frozenset[str]:
    """The words, and neighbours written as one: "back pack" → back, pack, backpack."""
    return frozenset(
        "".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, min(start + _LONGEST_RUN, len(words)) + 1)
    )


def _occurs(word: str, said: frozenset[str], slips: bool) -> bool:
    return word in said or (slips and any(_is_slip(other, word) for other in said))


def _is_slip(said: str, word: str) -> bool:
    """Whether ``said`` is ``word`` misspelt, as "hikng" is, and not a word of its own, as "blend" is beside "blender".

    The first letter is seldom wrong: "cable" is not meant by "able", nor "chair" by "hair".
    """
    if min(len(said), len(word)) <= 3 or said in _NO_SLIPS or word in (f"{said}r", f"{said}er"):
        return False
    is_same_start = said[0] == word[0] or said[:2] == word[1::-1]
    return fuzz.ratio(said, word) >= (_CLOSE if is_same_start else _VERY_CLOSE)
