"""Binding: from a frame's words to the records its tool needs, one slot at a time.

What is found is kept in the frame as plain references, and looked up afresh whenever it is used, so that a value can
never be older than the question it was confirmed with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from shopbot.references import (
    Choice,
    Choose,
    Found,
    Outcome,
    Unknown,
    resolve_address,
    resolve_items,
    resolve_order,
    resolve_payment,
    resolve_product,
    resolve_variant,
)
from shopbot.references.items import items_in, items_named
from shopbot.references.payments import names_payment, payment_choices, spoken_payment
from shopbot.references.products import products_named
from shopbot.references.quantities import all_but, means_everything
from shopbot.references.variants import has_wish
from shopbot.references.words import digits, is_pronoun
from shopbot.session import Frame, SessionState
from shopbot.store import Address, Order, OrderItem, Product, Variant
from shopbot.tools import Context, Parameter, Tool
from shopbot.types import Refusal


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to the customer about one slot."""

    parameter: Parameter
    question: str
    choices: tuple[Choice, ...] = ()
    position: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """The words mean several orders: one frame for each of these ids."""

    order_ids: tuple[str, ...]


Binding = Ask | Split | Refusal | None


def bind(frame: Frame, tool: Tool, context: Context, state: SessionState) -> Binding:
    """Fill the frame's slots in the tool's order, until something must be asked. None: everything is bound."""
    for parameter in tool.parameters:
        if parameter.name in frame.bound:
            continue
        problem = _bind_one(frame, parameter, context, state, tool)
        if problem is not None:
            return problem
    return None


def ask_again(frame: Frame, tool: Tool, refusal: Refusal, context: Context) -> Ask | None:
    """The question for another value of the slot that the policy refused; None: no other value would do."""
    parameter = tool.parameter(refusal.slot) if refusal.slot else None
    if parameter is None:
        return None
    refused = frame.bound.get(parameter.name)
    others = tuple(choice for choice in _offers(parameter, context) if choice.words != refused)
    return Ask(parameter, f"{refusal.text} {parameter.slot.ask}".strip(), others)


def values(frame: Frame, tool: Tool, context: Context) -> dict[str, Any]:
    """The bound slots as the records the tool's function takes, fresh from the store (locked, inside a write)."""
    found: dict[str, Any] = {}
    for parameter in tool.parameters:
        found[parameter.name] = _load(parameter, frame.bound.get(parameter.name), found, context)
    return found


def _bind_one(frame: Frame, parameter: Parameter, context: Context, state: SessionState, tool: Tool) -> Binding:
    if parameter.slot.source == "message":
        frame.bound[parameter.name] = frame.message or context.message
        return None
    words = frame.words.get(parameter.name, [])
    said = [phrase for phrase in words if phrase and not (parameter.kind == "product" and is_pronoun(phrase))]
    needs = parameter.kind in ("order", "variants") and parameter.is_required
    if not said and not needs:
        return _unsaid(frame, parameter, context, tool, state)
    outcome = _resolve(frame, parameter, context, state)
    if isinstance(outcome, Refusal):
        return outcome
    if isinstance(outcome, Found):
        if parameter.kind == "order" and len(outcome.value) > 1:
            return Split(tuple(order.id for order in outcome.value))
        return _accept(frame, parameter, outcome.value, context)
    if not parameter.is_required and (isinstance(outcome, Unknown) or not said):
        frame.bound[parameter.name] = None
        return None
    if parameter.kind == "payment" and isinstance(outcome, Unknown) and not names_payment(said[0]):
        return _unsaid(frame, parameter, context, tool, state)
    if isinstance(outcome, Choose):
        question = outcome.question if said else (parameter.slot.ask or outcome.question)
        return Ask(parameter, question, outcome.choices, outcome.position)
    frame.words.pop(parameter.name, None)
    return Ask(parameter, f"{outcome.text} {parameter.slot.ask}".strip(), _offers(parameter, context))


def _unsaid(frame: Frame, parameter: Parameter, context: Context, tool: Tool, state: SessionState) -> Binding:
    """The model gave nothing: what the message makes plain, the slot's default, none if optional, else the question."""
    plain = _plain(frame, parameter, context, state)
    if plain is not None:
        frame.bound[parameter.name] = _reference(parameter, plain)
        return None
    if parameter.slot.default is not None:
        value = parameter.slot.default(context, values(frame, tool, context))
        if value is not None:
            frame.bound[parameter.name] = _reference(parameter, value)
            return None
    if not parameter.is_required:
        frame.bound[parameter.name] = None
        return None
    return Ask(parameter, parameter.slot.ask, _offers(parameter, context))


def _plain(frame: Frame, parameter: Parameter, context: Context, state: SessionState) -> Any:
    """A value that stands in the message that began the task and cannot mean anything else, or None.

    The model may overlook it; what is found so is read back like everything else.
    """
    if parameter.kind == "choice" and parameter.slot.infer is not None:
        return parameter.slot.infer(frame.message)
    if parameter.kind == "payment" and context.customer is not None:
        words = spoken_payment(frame.message)
        outcome = resolve_payment(context.customer, words) if words else None
        return outcome.value if isinstance(outcome, Found) else None
    if parameter.kind == "product":
        named = products_named(context.store.products(), frame.message)
        shown = [reference.removeprefix("product:") for reference in state.shown if reference.startswith("product:")]
        return named[0] if len(named) == 1 else shown[0] if len(shown) == 1 and not named else None
    if parameter.kind == "items" and frame.bound.get("order"):
        order = context.store.order(frame.bound["order"])
        if order is None or "item" in frame.words:
            return None
        is_all = means_everything(frame.message) and all_but(frame.message) is None
        return order.items if is_all else items_in(order, frame.message)
    return None


def _accept(frame: Frame, parameter: Parameter, value: Any, context: Context) -> Binding:
    if parameter.kind == "order":
        order = value[0]
        refusal = parameter.slot.only(context, order) if parameter.slot.only else None
        if refusal is not None:
            frame.bound[parameter.name] = order.id
            return refusal
        value = order
    frame.bound[parameter.name] = _reference(parameter, value)
    return None


def _resolve(frame: Frame, parameter: Parameter, context: Context, state: SessionState) -> Outcome | Refusal:
    words = frame.words.get(parameter.name, [])
    phrase = next((text for text in words if text), "")
    match parameter.kind:
        case "order":
            return _resolve_order(frame, parameter, context, state)
        case "items":
            order = context.store.order(frame.bound["order"])
            return resolve_items(order, [text for text in words if text]) if order else Unknown("That order is gone.")
        case "variants":
            return _resolve_variants(frame, words, context)
        case "product":
            return _resolve_product(frame, phrase, context)
        case "payment":
            order_id = frame.bound.get("order")
            return resolve_payment(context.me, phrase, context.store.order(order_id) if order_id else None)
        case "address":
            order_id = frame.bound.get("order")
            order = context.store.order(order_id) if order_id else None
            current = order.address if order else context.me.address
            return resolve_address(context.me, context.store.orders(context.me.id), phrase, current=current)
        case "choice":
            near = [choice for choice in parameter.choices if choice.casefold() == phrase.casefold()]
            return Found(near[0]) if near else Unknown("")
        case "integer":
            return Found(int(digits(phrase)[:12])) if digits(phrase) else Unknown("I need a number.")
        case "decimal":
            return _decimal(phrase)
        case _:
            return _parse(parameter, context, phrase)


def _resolve_product(frame: Frame, phrase: str, context: Context) -> Outcome:
    products = context.store.products()
    outcome = resolve_product(products, phrase)
    named = products_named(products, frame.message) if isinstance(outcome, Unknown) else []
    return Found(named[0]) if len(named) == 1 else outcome


def _resolve_order(frame: Frame, parameter: Parameter, context: Context, state: SessionState) -> Outcome:
    only = parameter.slot.only
    item_words = [phrase for phrase in frame.words.get("item", []) if phrase]
    amount = next((phrase for phrase in frame.words.get("amount", []) if phrase), None)
    # an invoice's number is its order's number
    named = [*frame.words.get(parameter.name, []), *frame.words.get("number", [])]
    phrase = next((text for text in named if text), None)
    parsed = _decimal(amount) if amount else None
    orders = context.store.orders(context.me.id)
    outcome = resolve_order(
        orders,
        phrase,
        item_words=item_words,
        eligible=(lambda order: only(context, order) is None) if only else (lambda order: True),
        shown=[reference.removeprefix("order:") for reference in state.shown if reference.startswith("order:")],
        focus=state.focus,
        today=context.today,
        amount=parsed.value if isinstance(parsed, Found) else None,
        question=parameter.slot.ask or "Which order do you mean?",
    )
    if isinstance(outcome, Unknown) and item_words and not phrase:
        # "this tent is garbage" with item="garbage": nothing of theirs is called so, but the message names a thing
        likely = [order for order in orders if items_named(order, frame.message)]
        likely = [order for order in likely if only is None or only(context, order) is None] or likely
        if len(likely) == 1:
            frame.words.pop("item", None)
            return Found(tuple(likely))
    if isinstance(outcome, Choose) and not phrase and not item_words:
        offered = {choice.words for choice in outcome.choices}
        likely = [order for order in orders if order.id in offered and items_named(order, frame.message)]
        return Found(tuple(likely)) if len(likely) == 1 else outcome
    return outcome


def _resolve_variants(frame: Frame, words: list[str | None], context: Context) -> Outcome:
    """One wish for each item; a single wish counts for all of them."""
    order = context.store.order(frame.bound["order"])
    chosen: list[str] = frame.bound.get("item") or []
    if order is None:
        return Unknown("That order is gone.")
    items = _items(order, chosen)
    wishes: list[str | None] = list(words) or [None]
    if len(wishes) < len(items):
        wishes += [wishes[0] if len(wishes) == 1 else None] * (len(items) - len(wishes))
    found: list[Variant] = []
    for position, (item, wish) in enumerate(zip(items, wishes, strict=False)):
        product = context.store.product(item.product_id)
        if product is None:
            return Unknown(f"{item.name} is no longer in our shop.")
        if not wish and len(items) == 1 and has_wish(product, frame.message, item):
            wish = frame.message
        said = _said_around(wish or "", position, frame, context.message)
        outcome = resolve_variant(product, wish or "", item, position=position, said=said)
        if isinstance(outcome, Found):
            found.append(outcome.value)
        elif isinstance(outcome, Choose) and len(items) > 1:
            return Choose(f"{item}: {outcome.question}", outcome.choices, position)
        else:
            return outcome
    return Found(tuple(found))


def _said_around(wish: str, position: int, frame: Frame, message: str) -> str:
    """What was said about the thing at ``position``: from its name to the next thing's, in the message of the wish."""
    text = message if wish in message else frame.message
    starts = [text.find(name) if name else -1 for name in frame.words.get("item", [])]
    if len(starts) < 2:
        return text if wish and wish in text else ""
    if position >= len(starts) or min(starts) < 0:
        return ""
    later = [start for start in starts if start > starts[position]]
    return text[starts[position] : min(later, default=len(text))]


def _parse(parameter: Parameter, context: Context, phrase: str) -> Outcome | Refusal:
    if parameter.slot.parse is None:
        return Found(phrase)
    value = parameter.slot.parse(context, phrase)
    return Unknown(value.text) if isinstance(value, Refusal) else Found(value)


def _decimal(words: str) -> Outcome:
    match = re.search(r"\d[\d,]*(?:\.\d+)?", words)
    try:
        return Found(Decimal(match[0].replace(",", ""))) if match else Unknown("I need an amount.")
    except InvalidOperation:
        return Unknown("I need an amount.")


def _offers(parameter: Parameter, context: Context) -> tuple[Choice, ...]:
    """What can be offered with a bare question."""
    if parameter.kind == "choice":
        return tuple(Choice(choice, choice) for choice in parameter.choices)
    if parameter.kind == "payment" and context.customer is not None:
        return payment_choices(context.customer)
    return ()


def _reference(parameter: Parameter, value: Any) -> Any:
    """A JSON-able reference to a record, or the plain value."""
    match parameter.kind:
        case "order" | "product" | "payment":
            return value if isinstance(value, str) else value.id
        case "items":
            return [item.variant_id for item in value]
        case "variants":
            return [variant.id for variant in value]
        case "address":
            return asdict(value)
        case "decimal":
            return str(value)
        case _:
            return value


def _load(parameter: Parameter, reference: Any, found: Mapping[str, Any], context: Context) -> Any:
    if reference is None:
        return None
    match parameter.kind:
        case "order":
            return context.unit.order(reference) if context.unit else context.store.order(reference)
        case "items":
            return _items(found["order"], reference)
        case "variants":
            return [_variant(found, variant_id, context) for variant_id in reference]
        case "product":
            return _product(reference, context)
        case "payment":
            return context.me.payment_method(reference)
        case "address":
            return Address(**reference)
        case "decimal":
            return Decimal(reference)
        case _:
            return reference


def _items(order: Order, variant_ids: list[str]) -> list[OrderItem]:
    """The order's items with these variant ids, as many pieces of each as are listed."""
    left = list(order.items)
    items = []
    for variant_id in variant_ids:
        item = next((item for item in left if item.variant_id == variant_id), None)
        if item is not None:
            left.remove(item)
            items.append(item)
    return items


def _variant(found: Mapping[str, Any], variant_id: str, context: Context) -> Variant | None:
    for product_id in dict.fromkeys(item.product_id for item in found.get("item") or ()):
        product = _product(product_id, context)
        variant = product.variant(variant_id) if product else None
        if variant is not None:
            return variant
    return None


def _product(product_id: str, context: Context) -> Product | None:
    return context.unit.product(product_id) if context.unit else context.store.product(product_id)
