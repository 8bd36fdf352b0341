"""``@tool``: a signature becomes parameters and a schema; what cannot be used is refused with a name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest

from shopbot import Address, Answer, Context, Order, OrderItem, PaymentMethod, Product, Slot, Tool, Variant, tool
from shopbot.errors import StoreError, ToolDefinitionError
from shopbot.store import Store

EXAMPLES = ["one", "another"]
read = tool(effect="read", examples=EXAMPLES)


@read
def everything(
    ctx: Context,
    order: Annotated[Order, Slot("Which order?")],
    item: Annotated[list[OrderItem], Slot("Which item?")],
    want: Annotated[list[Variant], Slot("Which option?")],
    product: Annotated[Product | None, Slot("Which product?")] = None,
    payment: PaymentMethod | None = None,
    address: Annotated[Optional[Address], Slot()] = None,  # noqa: UP045
    choice: Literal["red", "blue"] = "red",
    words: str = "",
    count: int = 1,
    amount: Annotated[Decimal, Slot("How much?")] | None = None,
    question: Annotated[str, Slot(source="message")] = "",
) -> Answer:
    """Take everything.

    More about it.
    """
    return Answer("")


def test_each_annotation_becomes_a_kind() -> None:
    kinds = {parameter.name: parameter.kind for parameter in everything.parameters}
    assert kinds == {
        "order": "order",
        "item": "items",
        "want": "variants",
        "product": "product",
        "payment": "payment",
        "address": "address",
        "choice": "choice",
        "words": "text",
        "count": "integer",
        "amount": "decimal",
        "question": "text",
    }
    assert [parameter.name for parameter in everything.parameters if parameter.is_required] == ["order", "item", "want"]
    assert everything.name == "everything"
    assert everything.description.startswith("Take everything.")


def test_the_schema_is_what_the_model_may_fill() -> None:
    schema = everything.schema()
    assert set(schema["properties"]) == {parameter.name for parameter in everything.parameters} - {"question"}
    assert schema["additionalProperties"] is False
    assert "required" not in schema, "the bot asks for what is missing; the model need not invent it"
    assert {"enum": ["red", "blue"], "type": "string"} in schema["properties"]["choice"]["anyOf"]
    assert schema["properties"]["order"]["description"] == "Which order?"


def test_a_parameter_is_found_by_name() -> None:
    found = everything.parameter("choice")
    assert found is not None and found.choices == ("red", "blue")
    assert everything.parameter("colour") is None


@pytest.mark.parametrize(("name", "question"), [("product", "Which product?"), ("amount", "How much?")])
def test_a_slot_may_stand_inside_or_outside_the_option(name: str, question: str) -> None:
    found = everything.parameter(name)
    assert found is not None and found.slot.ask == question


def no_doc(ctx: Context) -> Answer:
    return Answer("")


def handoff(ctx: Context) -> Answer:
    "Bears the name of a dialogue act."
    return Answer("")


def BadName(ctx: Context) -> Answer:  # noqa: N802
    "Not in snake case."
    return Answer("")


def some_tool(ctx: Context) -> Answer:
    "A tool."
    return Answer("")


def wrong_type(ctx: Context, when: Annotated[date, Slot("When?")]) -> Answer:
    "A date is no kind of slot."
    return Answer("")


def no_type(ctx: Context, thing) -> Answer:  # type: ignore[no-untyped-def]
    "Says nothing about its parameter."
    return Answer("")


def nobody_asks(ctx: Context, order: Order) -> Answer:
    "Needs an order, but has no question."
    return Answer("")


def reserved(ctx: Context, email: Annotated[str, Slot("Your e-mail?")]) -> Answer:
    "Asks for what only identity may ask for."
    return Answer("")


def bad_parameter(ctx: Context, Thing: str = "") -> Answer:  # noqa: N803
    "A parameter that is not in snake case."
    return Answer("")


def unknown_name(ctx: Context, order: Nowhere) -> Answer:  # type: ignore[name-defined]  # noqa: F821
    "An annotation that is not imported."
    return Answer("")


def confirm(ctx: Context) -> str:
    return "I will."


@pytest.mark.parametrize(
    ("function", "settings", "parts"),
    [
        (no_doc, {}, ["'no_doc'", "docstring"]),
        (handoff, {}, ["'handoff'"]),
        (BadName, {}, ["'BadName'", "snake_case"]),
        (some_tool, {"examples": ["only one"]}, ["'some_tool'", "two examples", "examples="]),
        (some_tool, {"effect": "write"}, ["'some_tool'", "identity='customer'", "confirm"]),
        (some_tool, {"effect": "write", "identity": "customer"}, ["'some_tool'", "confirm"]),
        (some_tool, {"effect": "write", "confirm": confirm}, ["'some_tool'", "identity='customer'"]),
        (wrong_type, {}, ["'wrong_type'", "'when'", "Literal"]),
        (no_type, {}, ["'no_type'", "'thing'"]),
        (nobody_asks, {}, ["'nobody_asks'", "'order'", "Slot("]),
        (reserved, {}, ["'reserved'", "'email'"]),
        (bad_parameter, {}, ["'bad_parameter'", "'Thing'"]),
        (unknown_name, {}, ["'unknown_name'", "Nowhere", "Import"]),
    ],
)
def test_what_cannot_be_a_tool_is_named(
    function: Callable[..., Answer], settings: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(ToolDefinitionError) as caught:
        tool(**{"effect": "read", "examples": EXAMPLES, **settings})(function)
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, f"the error does not name {missing}: {caught.value}"


def test_a_tool_that_writes() -> None:
    made = tool(effect="write", identity="customer", examples=EXAMPLES, confirm=confirm)(some_tool)
    assert isinstance(made, Tool)
    assert (made.effect, made.identity, made.spoken) == ("write", "customer", ())


def test_outside_a_write_nothing_can_be_changed(demo_store: Store) -> None:
    context = Context(demo_store, {}, "hello", date(2026, 6, 15), "session")
    with pytest.raises(StoreError, match="confirmed write"):
        _ = context.write
    with pytest.raises(StoreError, match="identity='customer'"):
        _ = context.me
