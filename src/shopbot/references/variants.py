"""Wishes: which option of a product "a white one", "size 10", "the cheapest", "a bigger one" means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from rapidfuzz import fuzz

from shopbot.references.outcome import Choice, Choose, Found, Outcome, Unknown
from shopbot.references.words import contains_words, digits, option_pairs, ordinal
from shopbot.store import OrderItem, Product, Variant
from shopbot.textindex import fold

_CHEAPEST = re.compile(r"\b(cheap\w*|least expensive|lowest priced?|low(est)? cost|most affordable)\b")
_DEAREST = re.compile(r"\b(most expensive|dearest|priciest|highest priced?|most premium)\b")
_MORE = re.compile(
    r"\b(bigg?er|larger|longer|higher|bright\w*er|brighter|more|taller|stronger|heavier|highest|biggest|largest|brightest|longest|most)\b"
)
_LESS = re.compile(
    r"\b(smaller|shorter|lower|dimmer|less|fewer|lighter|easier|weaker|smallest|shortest|lowest|least|fewest|easiest)\b"
)
_UTMOST = re.compile(r"\b\w+est\b|\bmost\b|\bleast\b")
_SAME = re.compile(r"\b(same (item|one|thing|product|exact)|identical|exact same|replacement|new one|another one)\b")
_BUDGET = re.compile(r"\b(?:under|below|less than|at most|up to|max(?:imum)?|cheaper than)\D{0,4}(\d+(?:\.\d+)?)")
_SCALES = (
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"),
    ("low", "medium", "high"),
    ("small", "medium", "large", "extra large"),
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
MAX_CHOICES = 6


def resolve_variant(product: Product, words: str, item: OrderItem | None = None, *, position: int = 0) -> Outcome:
    """Which available variant of ``product`` the words wish for, starting from the options of ``item``.

    What the words do not mention stays as it is in ``item``, except under "cheapest" and the like, where it is free.
    """
    number = digits(words)
    chosen = product.variant(words.strip()) or (product.variant(number) if len(number) >= 6 else None)
    if chosen is not None:
        return Found(chosen) if chosen.available else _gone(product, chosen, item, position)
    current = dict(item.options) if item else {}
    wished = wished_options(product, words, current)
    text = fold(words)
    candidates = [variant for variant in product.variants if variant.available and _has(variant, wished)]
    if item is not None and not _SAME.search(text):
        candidates = [variant for variant in candidates if variant.id != item.variant_id]
    budget = _BUDGET.search(text)
    if budget:
        candidates = [variant for variant in candidates if variant.price <= Decimal(budget[1])]
    if _CHEAPEST.search(text) or _DEAREST.search(text):
        return _by_price(product, candidates, position, is_cheapest=bool(_CHEAPEST.search(text)))
    key = _compared_option(product, text)
    if key is not None:
        return _compared(product, candidates, key, text, current, wished, position)
    if _SAME.search(text) and item is not None and not wished:
        return _same(product, item, position)
    if not wished and not budget:
        return _unclear(product, words, item, position)
    return _nearest(product, candidates, {**current, **wished}, wished, position)


def has_wish(product: Product, message: str, item: OrderItem) -> bool:
    """Whether a whole message names an option that the item does not have yet, or asks for the cheapest or dearest."""
    text = fold(message)
    wished = wished_options(product, message, item.options)
    differs = any(not _same_value(item.options.get(option, ""), value) for option, value in wished.items())
    return differs or bool(_CHEAPEST.search(text) or _DEAREST.search(text))


def matching_variants(product: Product, words: str) -> list[Variant]:
    """All variants, available or not, that have every option the words mention."""
    wished = wished_options(product, words, {})
    budget = _BUDGET.search(fold(words))
    fitting = [variant for variant in product.variants if _has(variant, wished)]
    return [variant for variant in fitting if variant.price <= Decimal(budget[1])] if budget else fitting


def wished_options(product: Product, words: str, current: Mapping[str, str]) -> dict[str, str]:
    """Option → value that the words ask for, in the catalogue's spelling."""
    values = _option_values(product)
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
    text = f" {_units(fold(words))} "
    hits: list[tuple[int, int, str, str]] = []
    for option, known in values.items():
        for value in known:
            for spelling in _spellings(option, value):
                at = text.find(f" {spelling} ")
                if at >= 0:
                    hits.append((len(spelling), at, option, value))
                    break
    return _disjoint(hits, text, values, current)


def _disjoint(
    hits: list[tuple[int, int, str, str]], text: str, values: Mapping[str, Sequence[str]], current: Mapping[str, str]
) -> dict[str, str]:
    """Longest spellings first; a stretch of text names one option only; "X instead of Y" wishes for X."""
    wished: dict[str, str] = {}
    used = [False] * len(text)
    negated = [
        match.span()
        for match in re.finditer(r"(?:instead of|rather than|not|no longer|from) (?:the |a )?(?:\w+ ){1,3}", text)
    ]
    for length, at, option, value in sorted(hits, key=lambda hit: (-hit[0], hit[1])):
        span = slice(at + 1, at + 1 + length)
        if any(used[span]):
            continue
        is_negated = any(start < at + 1 < end for start, end in negated) and f"no {fold(value)}" != fold(value)
        if is_negated and len(hits) > 1:
            continue
        if option in wished:
            if fold(wished[option]) == fold(current.get(option, "")):
                wished[option] = value
            continue
        ambiguous = [other for other in values if other != option and value in values[other]]
        if (
            ambiguous
            and any(contains_words(text.strip(), fold(other)) for other in ambiguous)
            and not contains_words(text.strip(), fold(option))
        ):
            continue
        wished[option] = value
        used[span] = [True] * length
    return wished


def _option_values(product: Product) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for variant in product.variants:
        for option, value in variant.options.items():
            if value not in values.setdefault(option, []):
                values[option].append(value)
    return values


def _spellings(option: str, value: str) -> list[str]:
    """How a customer may write an option's value. Bare numbers and yes/no need the option's name beside them."""
    plain, name = _units(fold(value)), fold(option)
    head = name.split()[-1]
    if plain in ("yes", "no"):
        return (
            [f"{name} {plain}", name]
            if plain == "yes"
            else [f"{name} {plain}", f"not {name}", f"non {name}", f"no {name}"]
        )
    if plain == "none":
        return [f"{name} none", f"no {name}", f"without {name}", f"without {head}"]
    longer = [f"{plain} {name}", f"{name} {plain}", f"{head} {plain}"]
    if plain.isdecimal():
        return [*longer, plain]
    return [plain, plain.replace(" ", ""), *longer]


def _units(text: str) -> str:
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


def _has(variant: Variant, wished: Mapping[str, str]) -> bool:
    return all(_same_value(variant.options.get(option, ""), value) for option, value in wished.items())


def _same_value(one: str, other: str) -> bool:
    return _units(fold(one)) == _units(fold(other))


def _by_price(product: Product, candidates: Sequence[Variant], position: int, *, is_cheapest: bool) -> Outcome:
    if not candidates:
        return _none_available(product, position)
    pick = min if is_cheapest else max
    return Found(pick(candidates, key=lambda variant: variant.price))


def _compared_option(product: Product, text: str) -> str | None:
    """The option that "bigger", "brighter", "more storage" compares, if the product has one to compare."""
    if not (_MORE.search(text) or _LESS.search(text)):
        return None
    options = list(_option_values(product))
    for cue, name in _COMPARED.items():
        if cue in text:
            near = next((option for option in options if name in fold(option)), None)
            if near is not None:
                return near
    sizes = ("size", "capacity", "screen size", "frame size", "length", "height", "piece")
    return next((option for option in options if any(size in fold(option) for size in sizes)), None)


def _compared(
    product: Product,
    candidates: Sequence[Variant],
    key: str,
    text: str,
    current: Mapping[str, str],
    wished: Mapping[str, str],
    position: int,
) -> Outcome:
    sign = -1 if _LESS.search(text) else 1
    here = _rank(current.get(key, ""))
    ranked = [(rank, variant) for variant in candidates if (rank := _rank(variant.options.get(key, ""))) is not None]
    if here is not None and not _UTMOST.search(text):
        ranked = [(rank, variant) for rank, variant in ranked if sign * rank > sign * here]
    if not ranked:
        return _none_available(product, position)
    if _UTMOST.search(text):
        best = max(sign * rank for rank, _ in ranked)
        ranked = [(rank, variant) for rank, variant in ranked if sign * rank == best]
    rest = {option: value for option, value in current.items() if option != key and option not in wished}
    return _nearest(product, [variant for _, variant in ranked], rest, wished, position)


def _rank(value: str) -> float | None:
    """A number that orders the values of one option."""
    plain = fold(value)
    for scale in _SCALES:
        if plain in scale:
            return float(scale.index(plain))
    number = re.search(r"\d+(?:[.,]\d+)?", value)
    if number is None:
        return None
    factor = 1000.0 if re.search(r"\d\s*(tb|l\b|liter|litre|kg|k\b)", plain) else 1.0
    return float(number[0].replace(",", ".")) * factor


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
        changed = sum(not _same_value(variant.options.get(option, ""), value) for option, value in target.items())
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
    question = f"There is no available {product.name} like that at the moment. Would one of these do?"
    return Choose(question, _choices(left), position)


def _unclear(product: Product, words: str, item: OrderItem | None, position: int) -> Outcome:
    """Nothing in the words is an option: perhaps a misspelt one, perhaps a place in the list that was shown."""
    values = _option_values(product)
    near = [
        (option, value)
        for option, known in values.items()
        for value in known
        if len(value) > 3 and any(fuzz.ratio(fold(value), word) >= 80 for word in fold(words).split())
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
