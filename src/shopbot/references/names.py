"""How well the customer's words name a thing in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from rapidfuzz import fuzz

from shopbot.references.words import contains_words, nouns, option_pairs, without_pairs
from shopbot.textindex import fold

#: Words that say nothing about which thing is meant.
_EMPTY = frozenset(
    (
        "the a an my one ones item product thing that this of in with for and size color colour other pair new i got is"
    ).split()
)
_CLOSE = 82.0


def name_score(words: str, name: str) -> float:
    """0 to 1: how well ``words`` name the product ``name``; the head noun (the last word) counts most.

    "boots" names "Hiking Boots" well, "t shirt" and "tshirts" name "T-Shirt", "camera" names "Digital Camera" and
    "Action Camera" alike.
    """
    said = [word for word in nouns(without_pairs(words)) if word not in _EMPTY]
    named = nouns(name)
    if not said or not named:
        return 0.0
    if "".join(named) in "".join(said):
        return 1.0
    head = named[-1]
    hits = [word for word in named if _occurs(word, said)]
    if _occurs(head, said) or _occurs("".join(named), said):
        return 0.7 + 0.3 * len(hits) / len(named)
    return 0.45 * len(hits) / len(named)


def option_hits(words: str, options: Mapping[str, str]) -> tuple[int, int]:
    """(options that the words name, options that they contradict); a dictionary is compared key by key."""
    pairs = option_pairs(words)
    folded = {fold(key): fold(value) for key, value in options.items()}
    if pairs:
        known = {key: value for key, value in pairs.items() if key in folded}
        right = sum(folded[key] == value for key, value in known.items())
        return right, len(known) - right
    text = fold(words)
    return sum(1 for value in folded.values() if len(value) > 1 and contains_words(text, value)), 0


def _occurs(word: str, said: list[str]) -> bool:
    if word in said:
        return True
    return len(word) > 3 and any(len(other) > 3 and fuzz.ratio(word, other) >= _CLOSE for other in said)
