"""Product types by name: "desk lamps", "tshirt"."""

from __future__ import annotations

from collections.abc import Sequence

from shopbot.references.names import name_score
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.words import digits, nouns
from shopbot.store import Product


def resolve_product(products: Sequence[Product], words: str) -> Outcome:
    """The product type that the words name."""
    number = digits(words)
    for named in (words.strip(), *([number] if len(number) >= 6 else [])):
        for product in products:
            if product.id == named or product.variant(named):
                return Found(product)
    scored = [(_fit(words, product.name), product) for product in products]
    best = max((fit for fit, _ in scored), default=(False, 0.0))
    top = [product for fit, product in scored if fit == best]
    if best[1] < 0.4:
        return Unknown(f"I can't find \u201c{words}\u201d in our shop.")
    if len(top) == 1:
        return Found(top[0])
    return Choose("Which product do you mean?", tuple(Choice(product.name, product.id) for product in top[:8]))


def _fit(words: str, name: str) -> tuple[bool, float]:
    """A product that is named as it is written is meant rather than a misspelt one: a table clock, not a tablet."""
    return name_score(words, name, slips=False) >= 0.7, name_score(words, name)


def products_named(products: Sequence[Product], message: str) -> list[Product]:
    """The products whose full name stands in a whole message."""
    text = f" {' '.join(nouns(message))} "
    return [product for product in products if f" {' '.join(nouns(product.name))} " in text]
