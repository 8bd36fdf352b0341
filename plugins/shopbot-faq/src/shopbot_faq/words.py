"""Words for searching: folded, stemmed, common ones dropped, and words that mean the same brought together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_LINE = re.compile(r"\s*(?P<name>[^(:]*?)\s*(?:\((?P<kind>[^)]*)\)\s*)?:(?P<words>.*)")
_GAP = "…"
_MAX_PHRASE = 4
_MAX_GAP = 3

Stems = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a text: ``stem`` compares spellings, ``concept`` meanings. ``is_kind``: what a word is one of."""

    word: str
    stem: str
    concept: str
    is_kind: bool = False


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


@dataclass(frozen=True, slots=True)
class Group:
    """Words of ``synonyms.txt`` that mean the same; ``kind``: what each of them is one of."""

    name: str
    kind: str
    phrases: tuple[str, ...]


@cache
def groups() -> tuple[Group, ...]:
    """The lines of ``synonyms.txt``."""
    found = []
    for line in _lines("synonyms.txt"):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"synonyms.txt: not 'concept: word, …': {line}")
        phrases = tuple(phrase.strip() for phrase in match["words"].split(","))
        found.append(Group(match["name"], match["kind"] or "", phrases))
    return tuple(found)


@cache
def synonyms() -> dict[Stems, str]:
    """Stems of a word or phrase → its concept."""
    return {
        tuple(map(stem, fold(phrase))): f"={group.name}"
        for group in groups()
        if group.name
        for phrase in group.phrases
        if _GAP not in phrase
    }


@cache
def kinds() -> dict[Stems, str]:
    """Stems of a word or phrase → what it is one of: a country, a color."""
    return {
        tuple(map(stem, fold(phrase))): group.kind
        for group in groups()
        if group.kind
        for phrase in group.phrases
        if _GAP not in phrase
    }


@cache
def split_phrases() -> dict[str, tuple[tuple[Stems, Stems, str], ...]]:
    """First stem → (before the gap, after the gap, concept) of the phrases with a gap, longest first."""
    found: dict[str, list[tuple[Stems, Stems, str]]] = {}
    for group in groups():
        for phrase in group.phrases:
            if _GAP in phrase:
                before, after = (tuple(map(stem, fold(part))) for part in phrase.split(_GAP))
                found.setdefault(before[0], []).append((before, after, f"={group.name}"))
    return {first: tuple(sorted(rows, key=lambda row: -len(row[1]))) for first, rows in found.items()}


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


def is_common(term: Term) -> bool:
    """Whether a word is an everyday one, or a form of one: "finds" and "found", but not "founded"."""
    return term.word in common_words() or (term.stem in common_stems() and term.word not in english_words())


@cache
def known_words() -> frozenset[str]:
    """Correct spellings that do not depend on the shop's pages."""
    return stop_words() | common_words() | {word for line in _lines("synonyms.txt") for word in fold(line)}


@cache
def english_words() -> frozenset[str]:
    """More words that are spelt correctly, from ``english_words.txt``."""
    return frozenset(word for line in _lines("english_words.txt") for word in fold(line))


def terms(text: str, limit: int = 80) -> list[Term]:
    """The telling words of ``text``, at most ``limit``; a known phrase is one term, a kind is a term of its own."""
    return list(_terms(fold(text)[: 3 * limit]))[:limit]


def _terms(words: list[str]) -> Iterator[Term]:
    stems = [stem(word) for word in words]
    known, kind_of, passed_over = synonyms(), kinds(), stop_words()
    position, skipped = 0, set[int]()
    while position < len(words):
        for length in range(min(_MAX_PHRASE, len(words) - position), 0, -1):
            phrase = tuple(stems[position : position + length])
            concept = known.get(phrase)
            if (concept is not None or phrase in kind_of) and (length > 1 or words[position] not in passed_over):
                break
        else:
            phrase, concept = (stems[position],), None
        split = _split_phrase(stems, position) if length == 1 else None
        if split is not None:
            concept, after = split
            skipped.update(after)
        if position not in skipped and (length > 1 or concept is not None or words[position] not in passed_over):
            yield Term(" ".join(words[position : position + length]), " ".join(phrase), concept or " ".join(phrase))
            if phrase in kind_of:
                yield Term(kind_of[phrase], stem(kind_of[phrase]), f"={kind_of[phrase]}", is_kind=True)
        position += length


def _split_phrase(stems: list[str], position: int) -> tuple[str, range] | None:
    """The concept of a phrase with a gap that begins here, and the places of its words after the gap."""
    for before, after, concept in split_phrases().get(stems[position], ()):
        start = position + len(before)
        if tuple(stems[position:start]) == before:
            for place in range(start + 1, min(start + _MAX_GAP, len(stems) - len(after)) + 1):
                if tuple(stems[place : place + len(after)]) == after:
                    return concept, range(place, place + len(after))
    return None
