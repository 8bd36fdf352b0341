"""Wishes: which option of a product "a white one", "size 10", "the cheapest", "a bigger one" means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from rapidfuzz import fuzz

from shopbot.references.comparisons import compared_option, direction, is_utmost, neighbour, ranks, step, without_step
from shopbot.references.options import option_values, same_value, wished_options
from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.words import digits, ordinal
from shopbot.store import OrderItem, Product, Variant
from shopbot.textindex import fold

_CHEAPEST = re.compile(r"\b(cheap\w*|least expensive|lowest priced?|low(est)? cost|most affordable)\b")
_DEAREST = re.compile(r"\b(most expensive|dearest|priciest|highest priced?|most premium)\b")
_SAME = re.compile(r"\b(same (item|one|thing|product|exact)|identical|exact same|replacement|new one|another one)\b")
_BUDGET = re.compile(r"\b(?:under|below|less than|at most|up to|max(?:imum)?|cheaper than)\D{0,4}(\d+(?:\.\d+)?)")
_LIKE_THAT = "There is no available {} like that at the moment. Would one of these do?"
MAX_CHOICES = 6


def resolve_variant(
    product: Product, words: str, item: OrderItem | None = None, *, position: int = 0, said: str = ""
) -> Outcome:
    """Which available variant of ``product`` the words wish for, starting from the options of ``item``.

    ``said`` is what was said around them: another value that it names for an option counts too. What neither mentions
    stays as it is in ``item``, except under "cheapest" and the like, where it is free.
    """
    number = digits(words)
    chosen = product.variant(words.strip()) or (product.variant(number) if len(number) >= 6 else None)
    if chosen is not None:
        return Found(chosen) if chosen.available else _gone(product, chosen, item, position)
    current = dict(item.options) if item else {}
    text = fold(words)
    named = without_step(text) if step(text) else words
    wished = {**_changes(product, said, current), **wished_options(product, named, current)}
    candidates = [variant for variant in product.variants if variant.available and _has(variant, wished)]
    if item is not None and not _SAME.search(text):
        candidates = [variant for variant in candidates if variant.id != item.variant_id]
    budget = _BUDGET.search(text)
    if budget:
        candidates = [variant for variant in candidates if variant.price <= Decimal(budget[1])]
    if _CHEAPEST.search(text) or _DEAREST.search(text):
        return _by_price(product, candidates, position, is_cheapest=bool(_CHEAPEST.search(text)))
    key = compared_option(list(option_values(product)), text)
    if key is not None and step(text) and current.get(key) and key not in wished:
        return _stepped(product, candidates, key, step(text) or 0, {**current, **wished}, position)
    if key is not None:
        return _compared(product, candidates, key, text, current, wished, position)
    if _SAME.search(text) and item is not None and not wished:
        return _same(product, item, position)
    if not wished and not budget:
        return _unclear(product, words, item, position)
    return _nearest(product, candidates, {**current, **wished}, wished, position)


def has_wish(product: Product, message: str, item: OrderItem) -> bool:
    """Whether a whole message names an option that the item does not have yet, asks for the cheapest or dearest, or for
    "one size bigger"."""
    text = fold(message)
    is_step = step(text) is not None and compared_option(list(option_values(product)), text) is not None
    return bool(_changes(product, message, item.options) or _CHEAPEST.search(text) or _DEAREST.search(text) or is_step)


def _changes(product: Product, said: str, current: Mapping[str, str]) -> dict[str, str]:
    """The options that ``said`` names with another value than the current one."""
    wished = wished_options(product, said, current)
    return {option: value for option, value in wished.items() if not same_value(current.get(option, ""), value)}


def matching_variants(product: Product, words: str) -> list[Variant]:
    """All variants, available or not, that have every option the words mention."""
    wished = wished_options(product, words, {})
    budget = _BUDGET.search(fold(words))
    fitting = [variant for variant in product.variants if _has(variant, wished)]
    return [variant for variant in fitting if variant.price <= Decimal(budget[1])] if budget else fitting


def _has(variant: Variant, wished: Mapping[str, str]) -> bool:
    return all(same_value(variant.options.get(option, ""), value) for option, value in wished.items())


def _by_price(product: Product, candidates: Sequence[Variant], position: int, *, is_cheapest: bool) -> Outcome:
    if not candidates:
        return _none_available(product, position)
    pick = min if is_cheapest else max
    return Found(pick(candidates, key=lambda variant: variant.price))


def _compared(
    product: Product,
    candidates: Sequence[Variant],
    key: str,
    text: str,
    current: Mapping[str, str],
    wished: Mapping[str, str],
    position: int,
) -> Outcome:
    sign, rank_of = direction(text), ranks(option_values(product)[key])
    here = rank_of.get(current.get(key, ""))
    ranked = [(rank_of[value], variant) for variant in candidates if (value := variant.options.get(key, "")) in rank_of]
    if here is not None and not is_utmost(text):
        ranked = [(rank, variant) for rank, variant in ranked if sign * rank > sign * here]
    if not ranked:
        return _none_available(product, position)
    if is_utmost(text):
        best = max(sign * rank for rank, _ in ranked)
        ranked = [(rank, variant) for rank, variant in ranked if sign * rank == best]
    rest = {option: value for option, value in current.items() if option != key and option not in wished}
    return _nearest(product, [variant for _, variant in ranked], rest, wished, position)


def _stepped(
    product: Product, candidates: Sequence[Variant], key: str, steps: float, target: Mapping[str, str], position: int
) -> Outcome:
    """ "one size bigger": the next value of that option, all else as it is; what lies beyond is only offered."""
    value = neighbour(option_values(product)[key], target[key], steps)
    exact = [variant for variant in candidates if value is not None and _has(variant, {**target, key: value})]
    if len(exact) == 1:
        return Found(exact[0])
    rank_of = ranks(option_values(product)[key])
    here, sign = rank_of.get(target[key], 0.0), 1 if steps > 0 else -1
    beyond = [variant for variant in candidates if sign * (rank_of.get(variant.options.get(key, ""), here) - here) > 0]
    if not beyond:
        return _none_available(product, position)
    offers = _by_closeness(beyond, {**target, key: value} if value is not None else target)
    return Choose(_LIKE_THAT.format(product.name), _choices(offers), position)


def _nearest(
    product: Product,
    candidates: Sequence[Variant],
    target: Mapping[str, str],
    wished: Mapping[str, str],
    position: int,
) -> Outcome:
    """The candidate with the target's options; if there is none, the ones that fit the wish are offered."""
    exact = [variant for variant in candidates if _has(variant, target)]
    if len(exact) == 1:
        return Found(exact[0])
    if not candidates:
        return _none_available(product, position, wished)
    if len(candidates) == 1 and len(wished) == len(candidates[0].options):
        return Found(candidates[0])
    return Choose(
        f"Which {product.name} would you like?", _choices(_by_closeness(exact or candidates, target)), position
    )


def _by_closeness(variants: Sequence[Variant], target: Mapping[str, str]) -> list[Variant]:
    def distance(variant: Variant) -> tuple[int, Decimal]:
        changed = sum(not same_value(variant.options.get(option, ""), value) for option, value in target.items())
        return changed, variant.price

    return sorted(variants, key=distance)


def _same(product: Product, item: OrderItem, position: int) -> Outcome:
    twin = product.variant(item.variant_id)
    return Found(twin) if twin is not None and twin.available else _gone(product, twin, item, position)


def _gone(product: Product, variant: Variant | None, item: OrderItem | None, position: int) -> Outcome:
    target = variant.options if variant else (item.options if item else {})
    left = _by_closeness([other for other in product.variants if other.available], target)
    if not left:
        return Unknown(f"No {product.name} is available at the moment.")
    return Choose("That one is not available at the moment. Would one of these do?", _choices(left), position)


def _none_available(product: Product, position: int, wished: Mapping[str, str] | None = None) -> Outcome:
    left = [variant for variant in product.variants if variant.available]
    if not left:
        return Unknown(f"No {product.name} is available at the moment.")
    if wished:
        left = _by_closeness(left, wished)
    return Choose(_LIKE_THAT.format(product.name), _choices(left), position)


def _unclear(product: Product, words: str, item: OrderItem | None, position: int) -> Outcome:
    """Nothing in the words is an option: perhaps a misspelt one, perhaps a place in the list that was shown."""
    values = option_values(product)
    near = [
        (option, value)
        for option, known in values.items()
        for value in known
        if len(value) > 3 and any(80 <= fuzz.ratio(fold(value), word) < 100 for word in fold(words).split())
    ]
    if len(near) == 1:
        option, value = near[0]
        return resolve_variant(product, f"{{'{option}': '{value}'}}", item, position=position)
    available = [variant for variant in product.variants if variant.available]
    place = ordinal(words, len(available))
    listed = _by_closeness(available, item.options if item else {})
    if place is not None and place < len(listed):
        return Found(listed[place])
    if not listed:
        return Unknown(f"No {product.name} is available at the moment.")
    return Choose(f"Which {product.name} would you like?", _choices(listed), position)


def _choices(variants: Sequence[Variant]) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            f"{', '.join(f'{option} {value}' for option, value in variant.options.items())}: {variant.price}",
            variant.id,
        )
        for variant in variants[:MAX_CHOICES]
    )
