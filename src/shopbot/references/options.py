"""Options of a product in prose: "navy, size 10, without a hood, not the blue one" → color navy, size 10, hood no."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopbot.references.presence import is_yes_no, presence_hits
from shopbot.references.words import clauses, contains_words, option_pairs
from shopbot.store import Product
from shopbot.textindex import fold

#: What is named next is not wished for: up to three words on, not past the end of a clause or what is wished instead.
_TURNED_DOWN = re.compile(
    r"\b(?P<cue>instead of|rather than|(?<!why )not|no longer|without|w o|(?<!made )from)"
    r"(?: (?:the|a|an|any|my))?(?P<words>(?: (?!(?:to|but|into|for)\b)\w+){1,3})"
)


#: Letters of a word that can stand for a value of several words.
_OWN_WORD = 5


@dataclass(frozen=True, slots=True)
class _Hit:
    """A stretch of the text that names a value of an option."""

    start: int
    end: int
    option: str
    value: str

    @property
    def length(self) -> int:
        return self.end - self.start


def wished_options(product: Product, words: str, current: Mapping[str, str]) -> dict[str, str]:
    """Option → value that the words ask for, in the catalogue's spelling."""
    values = option_values(product)
    pairs = option_pairs(words)
    if pairs:
        found = {}
        for key, value in pairs.items():
            option = next((option for option in values if fold(option) == key), None)
            if option is not None:
                exact = next((known for known in values[option] if fold(known) == value), None)
                found[option] = exact if exact is not None else value
        if found:
            return found
    text = units(clauses(words))
    return _disjoint(_hits(text, values), text, values, current)


def option_values(product: Product) -> dict[str, list[str]]:
    """Option → its values, in the catalogue's order."""
    values: dict[str, list[str]] = {}
    for variant in product.variants:
        for option, value in variant.options.items():
            if value not in values.setdefault(option, []):
                values[option].append(value)
    return values


def same_value(one: str, other: str) -> bool:
    """Whether two spellings mean one value: 13 inch, 13 in."""
    return units(fold(one)) == units(fold(other))


def _hits(text: str, values: Mapping[str, Sequence[str]]) -> list[_Hit]:
    """All the values that the text names, whether they are wished for or not."""
    hits: list[_Hit] = []
    for option, known in values.items():
        if is_yes_no(known):
            spelled = {fold(value): value for value in known}
            for start, end, has in presence_hits(text, option):
                value = "yes" if has else "no"
                hits.append(_Hit(start, end, option, spelled.get(value, value)))
            continue
        for value in known:
            if fold(value) == "none":
                lacks = [(start, end) for start, end, has in presence_hits(text, option) if not has]
                hits += [_Hit(start, end, option, value) for start, end in lacks[:1]]
            for spelling in [*_spellings(option, value), *_own_words(option, value, known)]:
                at = f" {text} ".find(f" {spelling} ")
                if at >= 0:
                    hits.append(_Hit(at, at + len(spelling), option, value))
                    break
    return hits


def _disjoint(
    hits: list[_Hit], text: str, values: Mapping[str, Sequence[str]], current: Mapping[str, str]
) -> dict[str, str]:
    """Longest spellings first; a stretch of text names one option only; "X instead of Y" wishes for X."""
    wished: dict[str, str] = {}
    used = [False] * len(text)
    for hit in sorted(hits, key=lambda hit: (-hit.length, hit.start)):
        span = slice(hit.start, hit.end)
        if any(used[span]) or _is_turned_down(hit, hits, text):
            continue
        if hit.option in wished:
            if fold(wished[hit.option]) == fold(current.get(hit.option, "")):
                wished[hit.option] = hit.value
            continue
        ambiguous = [other for other in values if other != hit.option and hit.value in values[other]]
        if any(contains_words(text, fold(other)) for other in ambiguous) and not contains_words(text, fold(hit.option)):
            continue
        wished[hit.option] = hit.value
        used[span] = [True] * hit.length
    return wished


def _is_turned_down(hit: _Hit, hits: Sequence[_Hit], text: str) -> bool:
    """Whether the text names the value only to say what it shall not be. "not waterproof" names a value itself."""
    for match in _TURNED_DOWN.finditer(text):
        is_value = any(other.start <= match.start() < other.end for other in hits)
        is_lone_origin = match["cue"] == "from" and len(hits) == 1
        if match.start("words") <= hit.start < match.end() and not is_value and not is_lone_origin:
            return True
    return False


def _spellings(option: str, value: str) -> list[str]:
    """How a customer may write an option's value. Bare numbers need the option's name beside them, or stand alone."""
    plain, name = units(fold(value)), fold(option)
    if plain == "none":
        return [f"{name} none"]
    longer = [f"{plain} {name}", f"{name} {plain}", f"{name.split()[-1]} {plain}"]
    if plain.isdecimal():
        return [*longer, plain]
    return [plain, plain.replace(" ", ""), *longer]


def _own_words(option: str, value: str, known: Sequence[str]) -> list[str]:
    """The words that only this one of the option's values has: "google" of Google Assistant, beside Apple HomeKit."""
    words = fold(value).split()
    if len(words) == 1:
        return []
    common = {word for text in (option, *(other for other in known if other != value)) for word in fold(text).split()}
    return [word for word in words if len(word) >= _OWN_WORD and word.isalpha() and word not in common]


def units(text: str) -> str:
    """Numbers and their units as one word, whichever way they were typed: 32 gb → 32gb, 13 inch → 13inch."""
    text = re.sub(
        r"\b(\d+) (gb|tb|mb|ml|l|liters?|litres?|inch(?:es)?|in|ft|feet|w|bar|mp|k|x|cm|mm|m|kg|g|lbs?|hours?|h|oz|mah|"
        r"pieces?|pcs|cups?)\b",
        r"\1\2",
        text,
    )
    text = re.sub(r"\b(\d+)(?:liters?|litres?)\b", r"\1l", text)
    text = re.sub(r"\b(\d+)(?:inch(?:es)?|in)\b", r"\1inch", text)
    text = re.sub(r"\b(\d+)(?:hours?|h)\b", r"\1hours", text)
    text = re.sub(r"\b(\d+)(?:feet|ft)\b", r"\1ft", text)
    text = re.sub(r"\bgrey\b", "gray", text)
    return re.sub(r"\b(\d+)(?:pieces?|pcs)\b", r"\1", text)
