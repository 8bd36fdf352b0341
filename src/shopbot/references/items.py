"""Items of an order: "the lamp and the kettle", "everything but the tent", "the second one", an item id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shopbot.references.names import name_score, option_hits
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.quantities import AllBut, all_but, means_everything, pieces_meant, without_denial
from shopbot.references.words import digits, join, nouns, ordinal, parts
from shopbot.store import Order, OrderItem
from shopbot.textindex import fold

_NAMED = 0.6
_NAMED_OUTRIGHT = 0.7
_NAMED_IN_FULL = 0.99
_ONLY_ONE = frozenset(("it", "that", "this", "item", "the item", "one", "order", "the order"))
_NOTHING_SAID = frozenset(
    "the my this that it its order of from in one two out just only exactly them these those".split()
)


def resolve_items(order: Order, words: Sequence[str]) -> Outcome:
    """Which items of ``order`` the customer means; ``Found.value`` is a tuple of items in the order they were named.

    Two pieces of the same variant are told apart by counting: naming the kettle twice means both kettles.
    """
    chosen: list[OrderItem] = []
    for position, phrase in enumerate(words):
        outcome = _phrase(order, phrase, _without(order.items, chosen), position)
        if isinstance(outcome, Unknown) and _is_said_again(order, phrase, chosen, position):
            continue
        if not isinstance(outcome, Found):
            return outcome
        chosen += outcome.value
    return Found(tuple(chosen))


def _is_said_again(order: Order, phrase: str, chosen: Sequence[OrderItem], position: int) -> bool:
    """Whether the phrase names once more what was chosen before: "my shoes … the shoes"."""
    outcome = _phrase(order, phrase, order.items, position)
    return isinstance(outcome, Found) and all(item in chosen for item in outcome.value)


def items_in(order: Order, message: str) -> tuple[OrderItem, ...] | None:
    """The one item of the order that a whole message names, or the only item there is; else None."""
    if len(order.items) == 1:
        return order.items
    cut = all_but(message)
    if cut is not None and cut.is_plain:
        return None
    named = items_named(order, message)
    return (named[0],) if len(named) == 1 else None


def items_named(order: Order, message: str) -> list[OrderItem]:
    """The items whose product a whole message names, by its full name or its head noun."""
    return [item for item in order.items if name_score(message, item.name) >= _NAMED_OUTRIGHT]


def item_matches(order: Order, phrase: str) -> bool:
    """Whether every part of the phrase names something in the order."""
    if not isinstance(_phrase(order, phrase, list(order.items), 0), Unknown):
        return True
    cut = all_but(phrase)
    return cut is not None and cut.is_plain and isinstance(_excepted(order, cut, order.items, order.items), Choose)


def naming(order: Order, phrase: str) -> tuple[int, int, int] | None:
    """How well the phrase names things in the order, to compare orders by; None if it names nothing there.

    The products named as they are written, then with slips put right (3 for a name of several words, 2 for its head
    noun, 0 for less), then the options named: "table clock" names a table clock (3, 3, 0), a misspelt tablet (0, 2, 0).
    """
    if not item_matches(order, phrase):
        return None
    cut = all_but(phrase)
    pieces = [*parts(cut.head), *parts(cut.excepted)] if cut and cut.is_plain else parts(phrase)
    best = [max(_naming(piece, item) for item in order.items) for piece in pieces if order.items]
    return sum(one[0] for one in best), sum(one[1] for one in best), sum(one[2] for one in best)


def descriptions(items: Iterable[OrderItem]) -> frozenset[str]:
    """The words of the items' options: what a number may belong to."""
    return frozenset(word for item in items for pair in item.options.items() for text in pair for word in nouns(text))


def _naming(phrase: str, item: OrderItem) -> tuple[int, int, int]:
    right, wrong = option_hits(phrase, item.options)
    exact, close = (_grade(name_score(phrase, item.name, slips=slips), item.name) for slips in (False, True))
    return exact, close, right - wrong


def _grade(score: float, name: str) -> int:
    if score < _NAMED_OUTRIGHT:
        return 0
    return 3 if score >= _NAMED_IN_FULL and len(nouns(name)) > 1 else 2


def _phrase(order: Order, phrase: str, left: Sequence[OrderItem], position: int) -> Outcome:
    phrase = without_denial(phrase)
    cut = all_but(phrase)
    outcome = _all_but(order, cut, left, position) if cut else None
    return _listed(order, phrase, left, position) if outcome is None else outcome


def _all_but(order: Order, cut: AllBut, left: Sequence[OrderItem], position: int) -> Outcome | None:
    """What "everything except the tent" means; None if the words turn out not to except anything."""
    said = fold(cut.head).split()
    is_whole = not said or means_everything(cut.head) or ("order" in said and _NOTHING_SAID.issuperset(said))
    named = [item for item in left if name_score(cut.head, item.name) >= _NAMED]
    scope = list(left) if is_whole or not named else named
    outcome = _excepted(order, cut, scope, left)
    if not isinstance(outcome, Found):
        return _not_excepted(order, outcome) if cut.is_plain else None
    rest = _less(scope, outcome.value)
    if not rest:
        nothing = Unknown(f"Without \u201c{cut.excepted}\u201d nothing is left of order {order.id}.")
        return nothing if cut.is_plain else None
    if is_whole:
        return Found(rest)
    meant = _listed(order, cut.head, _less(left, outcome.value), position)
    return meant if cut.is_plain or isinstance(meant, Found) else None


def _excepted(order: Order, cut: AllBut, scope: Sequence[OrderItem], left: Sequence[OrderItem]) -> Outcome:
    """The items that are not meant. Equal pieces go together, unless the words count them."""
    found: list[OrderItem] = []
    for part in parts(cut.excepted):
        piece = part.removeprefix("not ")
        if _NOTHING_SAID.issuperset(fold(piece).split()):
            return Unknown("")
        within = _one(order, piece, _less(scope, found) or scope, 0)
        outcome = _one(order, piece, left, 0) if isinstance(within, Unknown) else within
        if not isinstance(outcome, Found):
            return outcome
        is_named = all(name_score(piece, item.name) >= _NAMED for item in outcome.value)
        if not (cut.is_plain or is_named or all(option_hits(piece, item.options)[0] for item in outcome.value)):
            return Unknown("")
        found += outcome.value
        if is_named and pieces_meant(piece) is None:
            ids = {item.variant_id for item in outcome.value}
            found += [item for item in _less(scope, found) if item.variant_id in ids]
    return Found(found)


def _not_excepted(order: Order, outcome: Choose | Unknown) -> Unknown:
    """The answer to this will name what is meant, so it is not asked which thing to leave out."""
    contents = join([item.name for item in order.items])
    if isinstance(outcome, Choose) or not outcome.text:
        text = f"I'm not sure what to leave out. Order {order.id} contains {contents}; please name what you do mean."
        return Unknown(text)
    return outcome


def _listed(order: Order, phrase: str, left: Sequence[OrderItem], position: int) -> Outcome:
    """One thing, or several in a row: "the lamp, the kettle and boots"."""
    whole = _one(order, phrase, left, position)
    pieces = parts(phrase)
    if len(pieces) > 1 and not (isinstance(whole, Found) and len(whole.value) >= len(pieces)):
        found: list[OrderItem] = []
        for piece in pieces:
            outcome = _one(order, piece, _less(left, found) or order.items, position)
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
    named: list[tuple[tuple[bool, float, int], OrderItem]] = []
    for item in left:
        score, (right, wrong) = name_score(phrase, item.name), option_hits(phrase, item.options)
        if score >= _NAMED:
            is_exact = name_score(phrase, item.name, slips=False) >= _NAMED
            named.append(((is_exact, score - 0.5 * (wrong > 0), right), item))
    if not named:
        return _unnamed(order, phrase, left, position)
    best = max(fit for fit, _ in named)
    top = [item for fit, item in named if fit == best]
    is_plural = fold(phrase).endswith("s") and not fold(top[0].name).endswith("s")
    return _counted(top, pieces_meant(phrase, descriptions(top)), is_plural, position)


def _counted(top: Sequence[OrderItem], count: int | None, is_plural: bool, position: int) -> Outcome:
    """As many of these items as were said; which of them is asked only where it makes a difference."""
    if len(top) == 1 or (count or 0) >= len(top):
        return Found(list(top))
    if count is None and is_plural:
        return Found(list(top))
    if len({item.variant_id for item in top}) == 1:
        return Found(list(top[: count or 1]))
    return Choose("Which one do you mean?", tuple(Choice(str(item), item.variant_id) for item in top), position)


def _unnamed(order: Order, phrase: str, left: Sequence[OrderItem], position: int) -> Outcome:
    """No product is named: everything, a place in the list, or options alone ("the blue one")."""
    if means_everything(phrase):
        return Found(list(left))
    count = pieces_meant(phrase)
    if count and _NOTHING_SAID.issuperset(fold(phrase).split()):
        return _counted(left, count, False, position)
    place = ordinal(phrase, len(order.items))
    if place is not None:
        return Found([order.items[place]])
    if len(order.items) == 1 and fold(phrase) in _ONLY_ONE:
        return Found(list(left))
    hits = [(option_hits(phrase, item.options), item) for item in left]
    by_option = [item for (right, wrong), item in hits if right and not wrong]
    if len(by_option) == 1:
        return Found(by_option)
    by_part = [item for item in left if name_score(phrase, item.name) >= 0.2]
    among = by_part or by_option
    if among:
        return _counted(among, count, False, position)
    contents = join([item.name for item in order.items])
    return Unknown(f"I can't find \u201c{phrase}\u201d in order {order.id}; it contains {contents}.")


def _less(items: Sequence[OrderItem], taken: Sequence[OrderItem]) -> list[OrderItem]:
    left = list(items)
    for item in taken:
        if item in left:
            left.remove(item)
    return left


def _without(items: Sequence[OrderItem], taken: Sequence[OrderItem]) -> list[OrderItem]:
    return _less(items, taken) or list(items)
