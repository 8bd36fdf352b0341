"""Values for placeholders: what redaction took out is put back as something made up, before anything is trained on.

``<ORDER_1>`` becomes one order number in text and acts alike; which one follows from the seed and the candidate's id.

Redaction makes "cancel #W1" and "cancel #W2" one text, of which ``clean`` keeps one row. Trained on one value, a model
learns it by heart instead of copying; so a row with a placeholder in its acts is filled several times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from shopbot import PLACEHOLDER
from shopbot_refine import pools
from shopbot_refine.records import Candidate

_ATTEMPTS = 20


def fillings(candidate: Candidate, seed: int = 0, times: int = 1) -> Iterator[Candidate]:
    """The candidate filled ``times`` times, each with values of its own; once if no act holds a placeholder.

    The copies are named ``ID~2``, ``ID~3`` and so on.
    """
    yield fill(candidate, seed)
    if any(PLACEHOLDER.search(act) for act in candidate.acts):
        for number in range(2, times + 1):
            yield fill(replace(candidate, id=f"{candidate.id}~{number}"), seed)


def fill(candidate: Candidate, seed: int = 0) -> Candidate:
    """The candidate with one made-up value for each placeholder, the same wherever it stands."""
    if PLACEHOLDER.search(" ".join((candidate.text, *candidate.acts))) is None:
        return candidate
    rng = random.Random(f"{seed}|{candidate.id}")  # noqa: S311 - reproducible, not secret
    values: dict[str, str] = {}

    def put(source: str) -> str:
        pieces, position = [], 0
        for match in PLACEHOLDER.finditer(source):
            if match[0] not in values:
                values[match[0]] = _draw(match[1], rng, values, is_numbered=source[: match.start()].endswith("#"))
            pieces += [source[position : match.start()], values[match[0]]]
            position = match.end()
        return "".join(pieces) + source[position:]

    text = put(candidate.text)
    return replace(candidate, text=text, acts=tuple(put(act) for act in candidate.acts))


def _draw(kind: str, rng: random.Random, taken: Mapping[str, str], *, is_numbered: bool) -> str:
    """A value of this kind that no other placeholder of the message has."""
    make = _KINDS.get(kind, _code)
    value = make(rng)
    for _ in range(_ATTEMPTS):
        if value not in taken.values():
            break
        value = make(rng)
    return value.lstrip("#") if is_numbered else value


def _phone(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return f"({pools.digits(rng, 3, first='23456789')}) 555-{pools.digits(rng, 4)}"
    if kind < 0.8:
        return f"+1 {pools.digits(rng, 3, first='23456789')} 555 {pools.digits(rng, 4)}"
    return f"+44 20 7946 0{pools.digits(rng, 3)}"


def _card(rng: random.Random) -> str:
    return " ".join(pools.digits(rng, 4, first="4" if place == 0 else "0123456789") for place in range(4))


def _iban(rng: random.Random) -> str:
    return f"DE{pools.digits(rng, 2)} {' '.join(pools.digits(rng, 4) for _ in range(4))} {pools.digits(rng, 2)}"


def _date(rng: random.Random) -> str:
    return f"{rng.randint(1, 12)}/{rng.randint(1, 28)}/{rng.randint(1950, 2005)}"


def _code(rng: random.Random) -> str:
    """Something for a kind that nobody has heard of."""
    return f"{pools.letters(rng, 2)}{pools.digits(rng, 6)}"


_KINDS: Mapping[str, Callable[[random.Random], str]] = {
    "ORDER": pools.order_id,
    "EMAIL": pools.email,
    "NAME": pools.name,
    "POSTCODE": pools.postcode,
    "ADDRESS": pools.address,
    "PAYMENT": pools.payment,
    "PHONE": _phone,
    "CITY": lambda rng: str(rng.choice(pools.WORDS["uk_cities"])),
    "CARD": _card,
    "IBAN": _iban,
    "DATE": _date,
    "URL": lambda rng: f"https://shop.example/track/{pools.digits(rng, 8)}",
    "IP": lambda rng: f"192.0.2.{rng.randint(1, 254)}",
    "NUMBER": lambda rng: pools.digits(rng, rng.randint(7, 12), first="123456789"),
    "TRACKING": lambda rng: pools.digits(rng, 12, first="123456789"),
    "CUSTOMER": lambda rng: f"{pools.first_name(rng).lower()}_{pools.last_name(rng).lower()}_{pools.digits(rng, 4)}",
}
