"""The shop's rules, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shopbot.store import PROCESSED
from shopbot.types import Answer, Refusal

NEW_ADDRESS = {
    "line1": "9 Oak Court",
    "line2": "Apt 3",
    "city": "Denver",
    "state": "CO",
    "postcode": "80218",
    "country": "USA",
}
HOME_ADDRESS = {
    "line1": "1 Elm Way",
    "line2": "",
    "city": "Boston",
    "state": "MA",
    "postcode": "02139",
    "country": "USA",
}
WRITES: dict[str, dict[str, Any]] = {
    "cancel_order": {"reason": "no longer needed"},
    "change_address": {"address": NEW_ADDRESS},
    "change_payment": {"payment": "paypal_ada"},
    "change_items": {"item": ["lamp-white"], "want": ["lamp-green"], "payment": "visa_ada"},
}
CLOSED = {
    "#W3": "has been processed",
    "#W4": "has been delivered",
    "#W5": "cancelled",
    "#W6": "items changed",
    "#W7": "is being returned",
    "#W8": "is being exchanged",
    "#W10": "can't find that order",
}


@pytest.mark.parametrize("tool", WRITES)
@pytest.mark.parametrize(("order", "why"), CLOSED.items())
def test_only_pending_orders_of_the_customer_can_be_changed(clerk: Any, tool: str, order: str, why: str) -> None:
    before = clerk.order(order)
    answer = clerk.call(tool, order=order, **WRITES[tool])
    assert isinstance(answer, Refusal), f"{tool} on {order} was allowed: {answer}"
    assert why in answer.text
    assert clerk.order(order) == before


@pytest.mark.parametrize(
    ("tool", "instead"),
    [
        ("cancel_order", "return_items"),
        ("change_items", "exchange_items"),
        ("change_address", None),
        ("change_payment", None),
    ],
)
def test_a_delivered_order_is_passed_on_to_the_tool_that_can_help(clerk: Any, tool: str, instead: str | None) -> None:
    assert clerk.call(tool, order="#W4", **WRITES[tool]).instead == instead
    assert clerk.call(tool, order="#W3", **WRITES[tool]).instead is None


REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("only if it is no longer needed", "cancel_order", {"order": "#W1", "reason": "found it cheaper"}),
    ("only if it is no longer needed", "cancel_order", {"order": "#W1", "reason": None}),
    ("goes to that address already", "change_address", {"order": "#W1", "address": HOME_ADDRESS}),
    ("default address already", "change_default_address", {"address": HOME_ADDRESS}),
    ("the full address", "change_address", {"order": "#W1", "address": {**NEW_ADDRESS, "line1": " "}}),
    ("the full address", "change_default_address", {"address": {**NEW_ADDRESS, "postcode": ""}}),
    ("doesn't look right", "change_address", {"order": "#W1", "address": {**NEW_ADDRESS, "city": "x" * 5000}}),
    ("doesn't look right", "change_default_address", {"address": {**NEW_ADDRESS, "city": "Bos\x00ton"}}),
    ("paid with your visa", "change_payment", {"order": "#W1", "payment": "visa_ada"}),
    ("doesn't cover $90.00", "change_payment", {"order": "#W1", "payment": "gift_ada"}),
    ("can't find that payment method", "change_payment", {"order": "#W1", "payment": "visa_bob"}),
    ("another option of the same product", "change_items", {"item": ["lamp-black"], "want": ["kettle-glass"]}),
    ("is what you have ordered", "change_items", {"item": ["lamp-black"], "want": ["lamp-black"]}),
    ("not available", "change_items", {"item": ["lamp-black"], "want": ["lamp-brass"]}),
    ("one wish for each", "change_items", {"item": ["lamp-black", "kettle-steel"], "want": ["lamp-white"]}),
    ("one wish for each", "change_items", {"item": ["lamp-black", "lamp-black"], "want": ["lamp-white", "lamp-green"]}),
    ("don't know which item", "change_items", {"item": ["lamp-green"], "want": ["lamp-white"]}),
    ("don't know which item", "change_items", {"item": [], "want": []}),
    (
        "can't find that payment method",
        "change_items",
        {"item": ["lamp-black"], "want": ["lamp-white"], "payment": "x"},
    ),
]


@pytest.mark.parametrize(("why", "tool", "ids"), REFUSED)
def test_what_a_customer_may_not_ask_for(clerk: Any, why: str, tool: str, ids: dict[str, Any]) -> None:
    order = {"order": "#W1"} if tool == "change_items" else {}
    before = clerk.order("#W1"), clerk.customer
    answer = clerk.call(tool, **order, **ids)
    assert isinstance(answer, Refusal), f"allowed: {answer}"
    assert why in answer.text
    assert (clerk.order("#W1"), clerk.customer) == before


def test_a_gift_card_must_cover_the_price_difference_but_not_the_order(clerk: Any) -> None:
    steel_to_glass = {"item": ["kettle-steel"], "want": ["kettle-glass"], "payment": "gift_ada"}
    assert isinstance(clerk.call("change_items", order="#W1", **steel_to_glass), Answer), "30.50 of 45.00 is covered"
    assert clerk.customer.payment_method("gift_ada").balance == Decimal("14.5")


def test_a_gift_card_that_does_not_cover_the_price_difference(clerk: Any) -> None:
    gift_card = clerk.customer.payment_method("gift_ada")
    poor = replace(clerk.context(), customer=_with(clerk.customer, replace(gift_card, balance=gift_card.balance - 40)))
    order = clerk.order("#W1")
    glass = clerk.store.product("product-Kettle").variant("kettle-glass")
    from shopbot_orders.policy import may_change_items

    refusal = may_change_items(poor, order, [order.items[1]], [glass], poor.me.payment_method("gift_ada"))
    assert refusal is not None
    assert "doesn't cover $30.50" in refusal.text


def test_items_can_be_changed_once(clerk: Any) -> None:
    change = {"item": ["lamp-black"], "want": ["lamp-white"], "payment": "visa_ada"}
    assert isinstance(clerk.call("change_items", order="#W1", **change), Answer)
    for tool, ids in WRITES.items():
        answer = clerk.call(tool, order="#W1", **(ids if tool != "change_items" else {**ids, "item": ["kettle-steel"]}))
        assert isinstance(answer, Refusal), f"{tool} after the items were changed: {answer}"


def test_the_payment_method_can_be_changed_once_unless_the_shop_allows_more(make_clerk: Callable[..., Any]) -> None:
    strict, lenient = make_clerk(), make_clerk(config={"allow_repeated_payment_change": True})
    for clerk in (strict, lenient):
        assert isinstance(clerk.call("change_payment", order="#W1", payment="paypal_ada"), Answer)
    assert isinstance(strict.call("change_payment", order="#W1", payment="visa_ada"), Refusal)
    assert isinstance(lenient.call("change_payment", order="#W1", payment="visa_ada"), Answer)
    refusal = lenient.call("change_payment", order="#W1", payment="visa_ada")
    assert isinstance(refusal, Refusal), "the same method twice in a row"


@pytest.mark.parametrize(
    ("switch", "tool"),
    [
        ("allow_cancel", "cancel_order"),
        ("allow_address_change", "change_address"),
        ("allow_payment_change", "change_payment"),
        ("allow_item_change", "change_items"),
    ],
)
def test_a_shop_can_switch_a_change_off(make_clerk: Callable[..., Any], switch: str, tool: str) -> None:
    answer = make_clerk(config={switch: False}).call(tool, order="#W1", **WRITES[tool])
    assert isinstance(answer, Refusal)
    assert "in this shop" in answer.text


def test_the_default_address_change_can_be_switched_off(make_clerk: Callable[..., Any]) -> None:
    clerk = make_clerk(config={"allow_default_address_change": False})
    assert isinstance(clerk.call("change_default_address", address=NEW_ADDRESS), Refusal)


def test_the_policy_looks_at_the_locked_order_inside_the_write(clerk: Any) -> None:
    """What changed between the read-back and the yes counts, even if the records at hand are older."""
    from shopbot_orders.policy import may_cancel

    remembered = clerk.order("#W1")

    def ship(unit: Any) -> dict[str, Any]:
        unit.save_order(replace(unit.order("#W1"), status=PROCESSED))
        inside = replace(clerk.context(), unit=unit)
        refusal = may_cancel(inside, remembered, None, "no longer needed")
        return {"refusal": refusal.text if refusal else None}

    written = clerk.store.execute("ship", session_id="test", customer_id="ada", tool="ship", arguments={}, action=ship)
    assert "has been processed" in (written.result["refusal"] or "")


def test_a_price_that_moved_since_the_read_back_needs_a_new_yes(clerk: Any) -> None:
    from shopbot_orders.policy import may_change_items

    order = clerk.order("#W1")
    white = clerk.store.product("product-Desk-Lamp").variant("lamp-white")
    older = replace(white, price=white.price - 5)
    refusal = may_change_items(clerk.context(), order, [order.items[0]], [older], clerk.customer.payment_methods[0])
    assert refusal is not None
    assert "has changed to $45.00" in refusal.text


def _with(customer: Any, method: Any) -> Any:
    methods = tuple(method if known.id == method.id else known for known in customer.payment_methods)
    return replace(customer, payment_methods=methods)


@pytest.mark.parametrize("tool", ["cancel_order", "change_address", "change_payment"])
def test_an_order_that_is_gone_is_refused_not_crashed_on(clerk: Any, tool: str) -> None:
    assert isinstance(clerk.call(tool, order="#W999", **WRITES[tool]), Refusal)


def test_a_variant_that_is_gone_is_refused_not_crashed_on(clerk: Any) -> None:
    answer = clerk.call("change_items", order="#W1", item=["lamp-black"], want=["lamp-of-last-year"])
    assert isinstance(answer, Refusal)
