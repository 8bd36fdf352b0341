"""Questions about products before buying: options, what is available, prices, the cheapest and the dearest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from shopbot import Answer, Context, Product, Slot, Variant, matching_variants, tool
from shopbot_orders.wording import money, options

#: More variants than this are not listed one by one.
MAX_LISTED = 8

_CHEAPEST = re.compile(
    r"\b(cheap\w*|least expensive|low(?:est|er)? (?:price[ds]?|cost)|most affordable|inexpensive)\b", re.I
)
_DEAREST = re.compile(r"\b(most expensive|dear(?:est|er)|pric(?:iest|ier)|highest price[ds]?|top of the line)\b", re.I)


@tool(
    effect="read",
    examples=[
        "which colors does the [product: rain jacket] come in",
        "how much is a [product: tent]",
        "do you have [product: running shoes] in [want: size 14]?",
        "what's the [want: cheapest] [product: monitor] you sell",
        "is there a [product: keyboard] [want: with clicky switches] in stock",
        "how many kinds of [product: backpacks] are available",
        "[want: most expensive] [product: blender]?",
        "tell me about your [product: office chairs]",
        "any [product: tablets] [want: under 400]",
        "what options are there for [product: water bottles]",
    ],
)
def product_info(
    ctx: Context,
    product: Annotated[Product, Slot("Which product would you like to know about?")],
    want: str | None = None,
) -> Answer:
    """A product's options, what is available, and prices."""
    everything = sorted(product.variants, key=lambda variant: variant.price)
    fitting = sorted(matching_variants(product, want), key=lambda variant: variant.price) if want else everything
    available = [variant for variant in fitting if variant.available]
    if not fitting:
        text = f"There is no {product.name} like that. {_overview(ctx, product, everything)}"
    elif want and _DEAREST.search(want):
        text = _extreme(ctx, product, "most expensive", available[-1:])
    elif want and _CHEAPEST.search(want):
        text = _extreme(ctx, product, "cheapest", available[:1])
    elif len(fitting) == len(everything):
        text = _overview(ctx, product, everything)
    else:
        text = _matches(ctx, product, fitting, available)
    return Answer(
        text,
        {
            "product": product.id,
            "name": product.name,
            "available": len(available),
            "variants": [
                {
                    "item": variant.id,
                    "options": dict(variant.options),
                    "price": str(variant.price),
                    "available": variant.available,
                }
                for variant in fitting
            ],
        },
        (f"product:{product.id}",),
    )


def _extreme(ctx: Context, product: Product, kind: str, picked: Sequence[Variant]) -> str:
    if not picked:
        return f"No {product.name} like that is available at the moment."
    return f"The {kind} available {product.name} is {_line(ctx, picked[0])}."


def _matches(ctx: Context, product: Product, fitting: Sequence[Variant], available: Sequence[Variant]) -> str:
    if not available:
        listed = "; ".join(_line(ctx, variant) for variant in fitting[:MAX_LISTED])
        return f"We carry {product.name} like that, but none is available at the moment: {listed}."
    head = f"{_number(len(available))} of {product.name} like that {'is' if len(available) == 1 else 'are'} available:"
    lines = [f"- {_line(ctx, variant)}" for variant in available[:MAX_LISTED]]
    more = len(available) - len(lines)
    return "\n".join([head, *lines, *([f"and {more} more"] if more else [])])


def _overview(ctx: Context, product: Product, variants: Sequence[Variant]) -> str:
    available = [variant for variant in variants if variant.available]
    if not available:
        return f"No {product.name} is available at the moment."
    low, high = available[0].price, available[-1].price
    prices = money(ctx, low) if low == high else f"{money(ctx, low)} to {money(ctx, high)}"
    values: dict[str, list[str]] = {}
    for variant in available:
        for option, value in variant.options.items():
            if value not in values.setdefault(option, []):
                values[option].append(value)
    choice = "; ".join(f"{option}: {', '.join(known)}" for option, known in values.items())
    head = f"{product.name}: {_number(len(available))} of {len(variants)} available, {prices}."
    return f"{head} {choice}." if choice else head


def _line(ctx: Context, variant: Variant) -> str:
    return f"{options(variant) or variant.product_name} at {money(ctx, variant.price)}"


def _number(count: int) -> str:
    return f"{count} option{'' if count == 1 else 's'}"
