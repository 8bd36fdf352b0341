"""Items of an order: "the lamp and the kettle", "everything", "the second one", an item id."""

from __future__ import annotations

from collections.abc import Sequence

from shopbot.references.names import name_score, option_hits
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.words import digits, is_everything, join, ordinal, parts
from shopbot.store import Order, OrderItem
from shopbot.textindex import fold

_NAMED = 0.6
_NAMED_OUTRIGHT = 0.7
_PLURAL_CUES = ("both", "all", "every", "each", "two", "three")


def resolve_items(order: Order, words: Sequence[str]) -> Outcome:
    """Which items of ``order`` the customer means; ``Found.value`` is a tuple of items in the order they were named.

    Two pieces of the same variant are told apart by counting: naming the kettle twice means both kettles.
    """
    chosen: list[OrderItem] = []
    for position, phrase in enumerate(words):
        outcome = _phrase(order, phrase, chosen, position)
        if not isinstance(outcome, Found):
            return outcome
        chosen += outcome.value
    return Found(tuple(chosen))


def items_in(order: Order, message: str) -> tuple[OrderItem, ...] | None:
    """The one item of the order that a whole message names, or the only item there is; else None."""
    if len(order.items) == 1:
        return order.items
    named = items_named(order, message)
    return (named[0],) if len(named) == 1 else None


def items_named(order: Order, message: str) -> list[OrderItem]:
    """The items whose product a whole message names, by its full name or its head noun."""
    return [item for item in order.items if name_score(message, item.name) >= _NAMED_OUTRIGHT]


def item_matches(order: Order, phrase: str) -> bool:
    """Whether every part of the phrase names something in the order."""
    return isinstance(_phrase(order, phrase, [], 0), Found | Choose)


def _phrase(order: Order, phrase: str, taken: list[OrderItem], position: int) -> Outcome:
    left = _without(order.items, taken)
    whole = _one(order, phrase, left, position)
    pieces = parts(phrase)
    if len(pieces) > 1 and not (isinstance(whole, Found) and len(whole.value) >= len(pieces)):
        found: list[OrderItem] = []
        for piece in pieces:
            outcome = _one(order, piece, _without(left, found), position)
            if isinstance(outcome, Unknown) and isinstance(whole, Found):
                return whole
            if not isinstance(outcome, Found):
                return outcome
            found += outcome.value
        return Found(found)
    return whole


def _one(order: Order, phrase: str, left: Sequence[OrderItem], position: int) -> Outcome:
    number = digits(phrase)
    named_ids = {phrase.strip(), *([number] if len(number) >= 6 else [])}
    by_id = [item for item in left if named_ids & {item.variant_id, item.product_id}]
    if by_id:
        return Found(by_id[:1])
    scored = [(name_score(phrase, item.name), option_hits(phrase, item.options), item) for item in left]
    named = [(score, hits, item) for score, hits, item in scored if score >= _NAMED]
    if not named:
        return _unnamed(order, phrase, left, scored)
    best = max((score - 0.5 * (wrong > 0), right) for score, (right, wrong), _ in named)
    top = [item for score, (right, wrong), item in named if (score - 0.5 * (wrong > 0), right) == best]
    if len(top) == 1 or len({item.variant_id for item in top}) == 1:
        return Found(top if _is_plural(phrase) else top[:1])
    if _is_plural(phrase) or (fold(phrase).endswith("s") and not fold(top[0].name).endswith("s")):
        return Found(top)
    choices = tuple(Choice(str(item), item.variant_id) for item in top)
    return Choose("Which one do you mean?", choices, position)


def _unnamed(
    order: Order, phrase: str, left: Sequence[OrderItem], scored: Sequence[tuple[float, tuple[int, int], OrderItem]]
) -> Outcome:
    """No product is named: everything, a place in the list, or options alone ("the blue one")."""
    place = ordinal(phrase, len(order.items))
    if is_everything(phrase):
        return Found(list(left))
    if place is not None:
        return Found([order.items[place]])
    if len(order.items) == 1 and fold(phrase) in (
        "it",
        "that",
        "this",
        "item",
        "the item",
        "one",
        "order",
        "the order",
    ):
        return Found(list(left))
    by_option = [item for _, (right, wrong), item in scored if right and not wrong]
    if len(by_option) == 1:
        return Found(by_option)
    by_part = [item for score, _, item in scored if score >= 0.2]
    if len(by_part) == 1:
        return Found(by_part)
    if len(by_part) > 1 or len(by_option) > 1:
        among = by_part or by_option
        return Choose("Which one do you mean?", tuple(Choice(str(item), item.variant_id) for item in among))
    contents = join([item.name for item in order.items])
    return Unknown(f"I can't find \u201c{phrase}\u201d in order {order.id}; it contains {contents}.")


def _without(items: Sequence[OrderItem], taken: Sequence[OrderItem]) -> list[OrderItem]:
    left = list(items)
    for item in taken:
        if item in left:
            left.remove(item)
    return left or list(items)


def _is_plural(phrase: str) -> bool:
    return any(cue in fold(phrase).split() for cue in _PLURAL_CUES)
