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
#: Words that say nothing about what is asked. Question words stay: "how much" and "how long" are different questions.
STOP_WORDS = frozenset(
    "a about actually again ah all already also am an and any anyone anything are as at be because been being both but by can "
    "cannot cant could couldnt d dear did didnt do does doesnt doing dont each either else even ever for from get gets "
    "getting give gonna good got guys had has have havent having he hello help her here hey hi him his i id if ill im in into is isnt it its "
    "ive just kind kindly know let like ll m may maybe me might mine my need needs no not now of oh ok okay on one only "
    "or our ours out please pls plz possible quite r re really regarding s she should so some somehow something sorry still such sure t "
    "tell than thank thanks that thats the their them then there theres these they theyre thing things this those though "
    "to too u ur us ve very want wanna wanted wants was wasnt we well were what whats when where wheres which while who whose why will "
    "wont work works would wouldnt y ya yes yet you your youre yours exactly explain guide able allow allowed use using how "
    "damn damned bloody fucking fuck fuckin shit shitty hell goddamn bullshit wtf freaking dear hello kind regards team kindly inform "
    "concerning assistance information info question questions".split()
)


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
    """A crude stem: plural, -ing, -ed, a doubled last consonant and a final e go. Words with digits stay whole."""
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("ses", "xes", "zes", "ches", "shes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
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
def common_words() -> frozenset[str]:
    """Everyday words, from ``common_words.txt``."""
    return frozenset(word for line in _lines("common_words.txt") for word in fold(line))


@cache
def common_stems() -> frozenset[str]:
    return frozenset(map(stem, common_words()))


@cache
def known_words() -> frozenset[str]:
    """Correct spellings that do not depend on the shop's pages."""
    return STOP_WORDS | common_words() | {word for line in _lines("synonyms.txt") for word in fold(line)}


def terms(text: str, limit: int = 80) -> list[Term]:
    """The telling words of ``text``, at most ``limit``; a known phrase is one term."""
    return list(_terms(fold(text)[: 3 * limit]))[:limit]


def _terms(words: list[str]) -> Iterator[Term]:
    stems = [stem(word) for word in words]
    known = synonyms()
    position = 0
    while position < len(words):
        for length in range(min(_MAX_PHRASE, len(words) - position), 0, -1):
            concept = known.get(tuple(stems[position : position + length]))
            if concept is not None and (length > 1 or words[position] not in STOP_WORDS):
                joined = " ".join(words[position : position + length])
                yield Term(joined, " ".join(stems[position : position + length]), concept)
                position += length
                break
        else:
            if words[position] not in STOP_WORDS:
                yield Term(words[position], stems[position], stems[position])
            position += 1
