"""``@tool``: one typed function becomes a schema, a piece of grammar and a policy-guarded action.

The signature says what the tool needs; the annotation of a parameter says how the customer's words become its value::

    @tool(effect="write", policy=may_cancel, confirm=cancel_text, examples=["cancel my order"])
    def cancel_order(
        ctx: Context,
        order: Annotated[Order, Slot("Which order would you like to cancel?", only=may_cancel)],
        reason: Annotated[Literal["no longer needed", "ordered by mistake"], Slot("Why …?")],
    ) -> Answer:
        "Cancel a pending order."

========================  =====================================================================================
annotation                the customer may say
========================  =====================================================================================
``Order``                 an id or part of one, "my last order", "the second one", "the one with the lamp", a city
``list[OrderItem]``       things in ``order``: "the lamp and the kettle", "everything", an item id
``list[Variant]``         wishes for the items of parameter ``item``: "a white one", "the cheapest", "size 10"
``Product``               a product type: "desk lamps"
``PaymentMethod``         "my PayPal", "visa ending in 4242", "gift card", an id
``Address``               a postal address, "my default address", "same as my other order"
``Literal[…]``            one of the strings; the model may choose by meaning
``str``                   their words as they are
``int``, ``Decimal``      a number
========================  =====================================================================================
"""

from __future__ import annotations

import inspect
import re
import types as pytypes
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Union

import pydantic

from shopbot.errors import StoreError, ToolDefinitionError
from shopbot.store import Address, Customer, Order, OrderItem, PaymentMethod, Product, Store, Unit, Variant
from shopbot.types import DIALOGUE_ACTS, Answer, Effect, Refusal

SlotKind = Literal[
    "order", "items", "variants", "product", "payment", "address", "choice", "text", "integer", "decimal"
]

_KINDS: Mapping[Any, SlotKind] = {
    Order: "order",
    list[OrderItem]: "items",
    list[Variant]: "variants",
    Product: "product",
    PaymentMethod: "payment",
    Address: "address",
    str: "text",
    int: "integer",
    Decimal: "decimal",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}\Z")
RESERVED_SLOTS = ("email", "name", "postcode")


@dataclass(frozen=True, slots=True)
class Context:
    """What a tool may use while it runs.

    ``customer`` is set whenever the tool declares ``identity="customer"``. ``unit`` and ``call_id`` are set only while
    a write is being done; ``call_id`` names that write for ever, also when it is tried again after a crash. ``message``
    is the customer's message as typed; ``today`` the shop's date; ``config`` the plugin's own table in shopbot.toml.
    """

    store: Store
    config: Mapping[str, Any]
    message: str
    today: date
    session_id: str
    customer: Customer | None = None
    unit: Unit | None = None
    call_id: str = ""

    @property
    def me(self) -> Customer:
        """The identified customer; :class:`StoreError` if the tool forgot to ask for identity."""
        if self.customer is None:
            raise StoreError("This tool reads a customer but does not declare identity='customer'.")
        return self.customer

    @property
    def write(self) -> Unit:
        """The open unit of work; :class:`StoreError` outside a confirmed write."""
        if self.unit is None:
            raise StoreError("A record can be changed only inside a confirmed write (effect='write').")
        return self.unit


Policy = Callable[..., "Refusal | None"]
OrderPolicy = Callable[[Context, Order], "Refusal | None"]


@dataclass(frozen=True, slots=True)
class Slot:
    """How to get one argument.

    ``ask``: the question when it is missing. ``only``: for orders, a policy that tells which ones can be meant (the
    others are not offered; if the customer names one of them, the refusal is the answer). ``default(ctx,
    arguments)``: a value to take when the customer says nothing (it is read back before a write). ``parse(ctx,
    words)``: for ``str`` slots, the value or a :class:`Refusal`. ``infer(message)``: for ``Literal`` slots, the
    choice that the message itself makes plain, or None; it is asked where the model gave none. ``source="message"``:
    the whole message; the model does not fill it.
    """

    ask: str = ""
    only: OrderPolicy | None = None
    default: Callable[[Context, Mapping[str, Any]], Any] | None = None
    parse: Callable[[Context, str], Any] | None = None
    infer: Callable[[str], Any] | None = None
    source: Literal["model", "message"] = "model"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool as the engine sees it."""

    name: str
    kind: SlotKind
    slot: Slot
    is_required: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the bot can call, with everything the engine and the grammar need to know about it."""

    name: str
    description: str
    function: Callable[..., Answer]
    effect: Effect
    identity: Literal["none", "customer"]
    parameters: tuple[Parameter, ...]
    examples: tuple[str, ...]
    policy: Policy | None = None
    confirm: Callable[..., str] | None = None
    fallback: Callable[[Context], bool] | None = None

    @property
    def spoken(self) -> tuple[Parameter, ...]:
        """The parameters that the model may fill."""
        return tuple(parameter for parameter in self.parameters if parameter.slot.source == "model")

    def parameter(self, name: str) -> Parameter | None:
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    def schema(self) -> dict[str, Any]:
        """JSON schema of the act's arguments: the customer's words, so strings and enums only."""
        fields: dict[str, Any] = {
            parameter.name: (
                (Literal[parameter.choices] | None) if parameter.choices else (str | None),
                pydantic.Field(default=None, description=parameter.slot.ask or None),
            )
            for parameter in self.spoken
        }
        model = pydantic.create_model(self.name, __config__=pydantic.ConfigDict(extra="forbid"), **fields)
        schema: dict[str, Any] = model.model_json_schema()
        return schema


def tool(
    *,
    effect: Effect,
    examples: Sequence[str],
    identity: Literal["none", "customer"] = "none",
    policy: Policy | None = None,
    confirm: Callable[..., str] | None = None,
    fallback: Callable[[Context], bool] | None = None,
) -> Callable[[Callable[..., Answer]], Tool]:
    """Turn a function ``(ctx, …) -> Answer`` into a :class:`Tool`.

    ``examples``: utterances, at least two, that mean this tool; they let it route before any training. An example may
    mark arguments: ``"cancel [order: 4711]"``. ``policy(ctx, **arguments)`` returns a :class:`Refusal` or None; it runs
    before the customer is asked to confirm, and again inside the write's transaction. ``confirm(ctx, **arguments)``
    returns the read-back, without the final question; a write must have one.
    ``fallback(ctx)``: whether the tool can answer ``ctx.message`` after all, where the model saw nothing to do; a read
    without required arguments only. Raises :class:`ToolDefinitionError` with
    the parameter's name when the signature cannot be used.
    """

    def make(function: Callable[..., Answer]) -> Tool:
        name = function.__name__
        description = inspect.getdoc(function) or ""
        if not _NAME.match(name) or name in DIALOGUE_ACTS:
            raise ToolDefinitionError(
                f"'{name}' cannot be a tool's name.", remedy="Use snake_case, at most 40 letters."
            )
        if not description:
            raise ToolDefinitionError(f"Tool '{name}' has no docstring.", remedy="Say in one line what it does.")
        if len(examples) < 2:
            raise ToolDefinitionError(f"Tool '{name}' has fewer than two examples.", remedy="Give 'examples=[…]'.")
        if effect == "write" and (identity != "customer" or confirm is None):
            raise ToolDefinitionError(f"Tool '{name}' writes.", remedy="Give identity='customer' and 'confirm=…'.")
        return Tool(
            name=name,
            description=description,
            function=function,
            effect=effect,
            identity=identity,
            parameters=_parameters(function),
            examples=tuple(examples),
            policy=policy,
            confirm=confirm,
            fallback=fallback,
        )

    return make


def _parameters(function: Callable[..., Answer]) -> tuple[Parameter, ...]:
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"Tool '{function.__name__}': {error}.", remedy="Import the name at run time."
        ) from None
    found = []
    for position, (name, parameter) in enumerate(signature.parameters.items()):
        if position == 0:
            continue
        # identity answers a question about these, so a tool may take one along but never ask for it
        is_asked = parameter.default is inspect.Parameter.empty
        if not _NAME.match(name) or (name in RESERVED_SLOTS and is_asked):
            raise ToolDefinitionError(f"Tool '{function.__name__}': '{name}' cannot be a parameter's name.")
        annotation, slot = _without_none(hints.get(name)), Slot()
        if typing.get_origin(annotation) is Annotated:
            annotation, *extras = typing.get_args(annotation)
            slot = next((extra for extra in extras if isinstance(extra, Slot)), slot)
        annotation = _without_none(annotation)
        choices = typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()
        kind: SlotKind | None = "choice" if choices else _KINDS.get(annotation)
        if kind is None:
            raise ToolDefinitionError(
                f"Tool '{function.__name__}': parameter '{name}' has a type that no customer can say: {annotation!r}.",
                remedy=f"Use one of: {', '.join(sorted(set(_KINDS.values())))}, or Literal.",
            )
        is_required = parameter.default is inspect.Parameter.empty
        if is_required and slot.source == "model" and not slot.ask and slot.default is None:
            raise ToolDefinitionError(
                f"Tool '{function.__name__}': '{name}' is required but nobody can ask for it.",
                remedy="Annotate it with Slot('the question'), or give it a default.",
            )
        found.append(Parameter(name, kind, slot, is_required, tuple(str(choice) for choice in choices)))
    return tuple(found)


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (Union, pytypes.UnionType):
        inner = [argument for argument in typing.get_args(annotation) if argument is not type(None)]
        if len(inner) == 1:
            return inner[0]
    return annotation
