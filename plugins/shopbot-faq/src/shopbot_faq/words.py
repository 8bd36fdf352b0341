"""Words for searching: folded, stemmed, common ones dropped, and words that mean the same brought together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_MAX_PHRASE = 4


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a text: ``stem`` compares spellings, ``concept`` compares meanings."""

    word: str
    stem: str
    concept: str


def fold(text: str) -> list[str]:
    """Lower-case words without accents or apostrophes."""
    plain = unicodedata.normalize("NFKD", text.casefold()).replace("’", "'")
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return [word.replace("'", "") for word in _WORD.findall(plain)]


def stem(word: str) -> str:
    """A crude stem: plural, -ly, -ing, -ed, a doubled last consonant and a final e go. Words with digits stay whole."""
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("ses", "xes", "zes", "ches", "shes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ly") and len(word) > 5:
        word = word[:-2]
    for suffix in ("ing", "ed"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and re.search(r"[aeiouy]", word[: -len(suffix)]):
            word = word[: -len(suffix)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word.endswith("y") else word


def _lines(name: str) -> list[str]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@cache
def synonyms() -> dict[tuple[str, ...], str]:
    """Stems of a word or phrase → its concept, from ``synonyms.txt``."""
    found: dict[tuple[str, ...], str] = {}
    for line in _lines("synonyms.txt"):
        name, _, words = line.partition(":")
        for phrase in words.split(","):
            found[tuple(map(stem, fold(phrase)))] = "=" + name.strip()
    return found


@cache
def stop_words() -> frozenset[str]:
    """Words that are passed over, from ``stop_words.txt``."""
    return frozenset(word for line in _lines("stop_words.txt") for word in fold(line))


@cache
def common_words() -> frozenset[str]:
    """Everyday words, from ``common_words.txt``."""
    return frozenset(word for line in _lines("common_words.txt") for word in fold(line))


@cache
def common_stems() -> frozenset[str]:
    return frozenset(map(stem, common_words()))


@cache
def known_words() -> frozenset[str]:
    """Correct spellings that do not depend on the shop's pages."""
    return stop_words() | common_words() | {word for line in _lines("synonyms.txt") for word in fold(line)}


def terms(text: str, limit: int = 80) -> list[Term]:
    """The telling words of ``text``, at most ``limit``; a known phrase is one term."""
    return list(_terms(fold(text)[: 3 * limit]))[:limit]


def _terms(words: list[str]) -> Iterator[Term]:
    stems = [stem(word) for word in words]
    known, passed_over = synonyms(), stop_words()
    position = 0
    while position < len(words):
        for length in range(min(_MAX_PHRASE, len(words) - position), 0, -1):
            concept = known.get(tuple(stems[position : position + length]))
            if concept is not None and (length > 1 or words[position] not in passed_over):
                joined = " ".join(words[position : position + length])
                yield Term(joined, " ".join(stems[position : position + length]), concept)
                position += length
                break
        else:
            if words[position] not in passed_over:
                yield Term(words[position], stems[position], stems[position])
            position += 1
