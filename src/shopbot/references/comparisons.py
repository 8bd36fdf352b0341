"""Comparing: "a bigger one", "the brightest", "one size smaller", "two sizes up"."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from shopbot.textindex import fold

_MORE = re.compile(
    r"\b(bigg?er|larger|longer|higher|bright\w*er|brighter|more|taller|stronger|heavier|highest|biggest|largest|brightest|longest|most)\b"
)
_LESS = re.compile(
    r"\b(smaller|shorter|lower|dimmer|less|fewer|lighter|easier|weaker|smallest|shortest|lowest|least|fewest|easiest)\b"
)
_UTMOST = re.compile(r"\b\w+est\b|\bmost\b|\bleast\b")
_COUNT = r"(?P<count{0}>half an?|1 2 an?|1 2|an?|one|1|the next|next|two|2|three|3)"
_UNIT = r"(?: whole| full)? (?:sizes?|steps?|notch(?:es)?|levels?)"
_WAY = r"(?P<way{0}>up|down|bigg?er|larger|longer|higher|taller|wider|brighter|smaller|shorter|lower|dimmer|narrower)"
_STEP = re.compile(
    r"\b(?:"
    + "|".join(
        (
            _COUNT.format(1) + _UNIT + "(?: or so)? " + _WAY.format(1),
            _WAY.format(2) + "(?: by)? " + _COUNT.format(2) + _UNIT,
            r"next " + _WAY.format(3) + r"(?: size| one| step| level)?",
            r"size " + _WAY.format(4),
        )
    )
    + r")\b"
)
_DOWN = frozenset(("down", "smaller", "shorter", "lower", "dimmer", "narrower"))
_SHOE_SIZE = re.compile(r"\d+(?:[.,][05])?")
_COUNTS = {"two": 2.0, "2": 2.0, "three": 3.0, "3": 3.0}
_SCALES = (
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"),
    ("low", "medium", "high"),
    ("small", "medium", "large", "extra large"),
    ("cabin", "medium", "large"),
    ("portable", "medium", "large"),
    ("compact", "full size"),
    ("twin", "full", "queen", "king"),
    ("hand", "bath", "beach"),
    ("a6", "a5", "a4", "a3"),
    ("beginner", "intermediate", "expert"),
    ("easy", "medium", "hard"),
    ("basic", "standard", "professional"),
)
_COMPARED = {
    "bright": "brightness",
    "dim": "brightness",
    "easi": "difficulty",
    "difficult": "difficulty",
    "hard": "difficulty",
    "piece": "pieces",
    "capacit": "capacity",
    "storage": "storage",
    "resolution": "resolution",
    "zoom": "zoom",
    "long": "length",
    "short": "length",
    "screen": "screen size",
}
_SIZES = ("size", "capacity", "screen size", "frame size", "length", "height", "piece", "waist")


def compared_option(options: Sequence[str], text: str) -> str | None:
    """The option that "bigger", "brighter", "more storage" compares, if there is one to compare."""
    if not (_MORE.search(text) or _LESS.search(text) or _STEP.search(text)):
        return None
    for cue, name in _COMPARED.items():
        if cue in text:
            near = next((option for option in options if name in fold(option)), None)
            if near is not None:
                return near
    return next((option for option in options if any(size in fold(option) for size in _SIZES)), None)


def is_utmost(text: str) -> bool:
    """ "the brightest", "the most storage"."""
    return bool(_UTMOST.search(text))


def direction(text: str) -> int:
    """1 for more, -1 for less."""
    steps = step(text)
    is_less = steps < 0 if steps is not None else _LESS.search(text)
    return -1 if is_less else 1


def step(text: str) -> float | None:
    """How many steps on a scale: "one size bigger" → 1, "two sizes down" → -2, "half a size up" → 0.5; else None."""
    match = _STEP.search(text)
    if match is None:
        return None
    count = match["count1"] or match["count2"] or "one"
    way = next(word for word in (match["way1"], match["way2"], match["way3"], match["way4"]) if word)
    size = 0.5 if count.startswith(("half", "1 2")) else _COUNTS.get(count, 1.0)
    return -size if way in _DOWN else size


def without_step(text: str) -> str:
    """The text without the step, whose numbers are no values: "2 sizes up in black" → "in black"."""
    return _STEP.sub(" ", text)


def neighbour(values: Sequence[str], current: str, steps: float) -> str | None:
    """The value that is ``steps`` away from the current one on the option's scale, or None.

    A size has halves where the product has them: from 8, "one size bigger" is 9, be there an 8.5 or not.
    """
    ranked = ranks(values)
    here = ranked.get(current)
    if here is None:
        return None
    sign = 1 if steps > 0 else -1
    beyond = sorted(
        (value for value in ranked if sign * (ranked[value] - here) > 0), key=lambda value: sign * ranked[value]
    )
    if all(_SHOE_SIZE.fullmatch(value) for value in values) and any(rank % 1 for rank in ranked.values()):
        exact = next((value for value in beyond if ranked[value] == here + steps), None)
        if exact is not None:
            return exact
    place = math.ceil(abs(steps)) - 1
    return beyond[place] if place < len(beyond) else None


def ranks(values: Sequence[str]) -> dict[str, float]:
    """A number for each value of one option that orders them; values that have no order are left out."""
    plain = {value: fold(value) for value in values}
    for scale in _SCALES:
        if all(value in scale for value in plain.values()):
            return {value: float(scale.index(folded)) for value, folded in plain.items()}
    ranked = {value: _rank(value) for value in values}
    return {value: rank for value, rank in ranked.items() if rank is not None}


def _rank(value: str) -> float | None:
    plain = fold(value)
    for scale in _SCALES:
        if plain in scale:
            return float(scale.index(plain))
    number = re.search(r"\d+(?:[.,]\d+)?", value)
    if number is None:
        return None
    factor = 1000.0 if re.search(r"\d\s*(tb|l\b|liter|litre|kg|k\b)", plain) else 1.0
    return float(number[0].replace(",", ".")) * factor
