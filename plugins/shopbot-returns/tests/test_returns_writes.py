"""End states: what a return or an exchange leaves in the store."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import shopbot_returns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shopbot_returns.rules import net_paid, refund_amount
from shopbot_returns.wording import pieces

from shopbot.errors import ConflictError, ShopbotError
from shopbot.evals import CASE_DAY
from shopbot.store import DELIVERED, EXCHANGE_REQUESTED, RETURN_REQUESTED, Order, Payment, Store, Unit
from shopbot.stores.retail_json import export_retail, import_retail
from shopbot.stores.sql import open_store
from shopbot.tools import Context

CALL = itertools.count()
TOOLS = {tool.name: tool for tool in shopbot_returns.shopbot_register_tools({})}
SHARED = Path(__file__).parents[4] / "shared" / "data"


def do(store: Store, customer_id: str, name: str, **ids: Any) -> None:
    """One confirmed write, by ids, the way the engine does it: policy, then function, in one transaction."""
    tool, order = TOOLS[name], stored(store, ids["order"])
    items = pieces(order, ids["item"])

    def action(unit: Unit) -> Mapping[str, Any]:
        customer = unit.customer(customer_id)
        context = Context(store, {}, "", CASE_DAY, "test", customer, unit)
        arguments: dict[str, Any] = {"order": unit.order(order.id), "item": items}
        if "want" in ids:
            products = [unit.product(item.product_id) for item in items]
            arguments["want"] = [product.variant(new) for product, new in zip(products, ids["want"], strict=True)]
        arguments["payment"] = customer.payment_method(ids.get("payment") or order.paid_with or "")
        refusal = tool.policy(context, **arguments) if tool.policy else None
        if refusal is not None:
            raise ConflictError(refusal.text)
        assert tool.confirm is not None
        tool.confirm(context, **arguments)
        return {"text": tool.function(context, **arguments).text}

    call_id = f"{name}-{next(CALL)}"
    store.execute(call_id, session_id="test", customer_id=customer_id, tool=name, arguments={}, action=action)


def stored(store: Store, order_id: str) -> Order:
    order = store.order(order_id)
    assert order is not None
    return order


def test_a_return(make_store: Callable[[], Store], order: Order) -> None:
    store = make_store()
    chosen = [order.items[1].variant_id, order.items[0].variant_id]
    do(store, order.customer_id, "return_items", order=order.id, item=chosen)
    after = stored(store, order.id)
    assert after.status == RETURN_REQUESTED
    assert after.returned is not None
    assert after.returned.variant_ids == tuple(sorted(chosen))
    assert (after.returned.method_id, after.returned.state) == (order.paid_with, "requested")
    assert after.returned.requested_on == CASE_DAY
    assert (after.payments, after.items) == (order.payments, order.items), "money or goods moved too early"


def test_an_exchange(make_store: Callable[[], Store], order: Order) -> None:
    store = make_store()
    item, new = next(
        (item, new)
        for item in order.items
        for product in [store.product(item.product_id)]
        if product
        for new in product.variants
        if new.available and new.id != item.variant_id
    )
    do(store, order.customer_id, "exchange_items", order=order.id, item=[item.variant_id], want=[new.id])
    after = stored(store, order.id)
    assert after.status == EXCHANGE_REQUESTED
    assert after.exchanged is not None
    assert (after.exchanged.variant_ids, after.exchanged.new_variant_ids) == ((item.variant_id,), (new.id,))
    assert after.exchanged.price_difference == new.price - item.price
    assert (after.exchanged.method_id, after.payments, after.items) == (order.paid_with, order.payments, order.items)


def test_the_function_refuses_by_itself(make_store: Callable[[], Store], order: Order) -> None:
    """Even an engine that skipped the policy could not return an order twice."""
    store = make_store()
    do(store, order.customer_id, "return_items", order=order.id, item=[order.items[0].variant_id])
    customer = store.customer(order.customer_id)
    assert customer is not None
    context = Context(store, {}, "", CASE_DAY, "test", customer)
    method = customer.payment_method(order.paid_with or "")

    def action(unit: Any) -> Mapping[str, Any]:
        answer = TOOLS["return_items"].function(replace(context, unit=unit), order, order.items[1:2], method)
        return {"text": answer.text}

    with pytest.raises(ShopbotError, match="already has a return under way"):
        store.execute(
            "again", session_id="s", customer_id=customer.id, tool="return_items", arguments={}, action=action
        )
    after = stored(store, order.id)
    assert after.returned is not None and after.returned.variant_ids == (order.items[0].variant_id,)


ATTEMPT = st.tuples(st.booleans(), st.integers(0, 2), st.sets(st.integers(0, 5), min_size=1, max_size=4), st.data())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(attempts=st.lists(ATTEMPT, min_size=2, max_size=5))
def test_an_order_is_never_returned_and_exchanged_or_either_twice(
    shared_store: Store, orders: list[Order], attempts: list[Any]
) -> None:
    """Whatever is tried in whatever order, the first that gets through is what stays."""
    for is_return, which, places, data in attempts:
        order = orders[which]
        before = stored(shared_store, order.id)
        chosen = [order.items[place] for place in sorted({place % len(order.items) for place in places})]
        arguments: dict[str, Any] = {"order": order.id, "item": [item.variant_id for item in chosen]}
        if not is_return:
            products = [shared_store.product(item.product_id) for item in chosen]
            arguments["want"] = [
                data.draw(st.sampled_from(product.variants)).id for product in products if product is not None
            ]
        try:
            do(shared_store, order.customer_id, "return_items" if is_return else "exchange_items", **arguments)
        except ShopbotError:
            assert stored(shared_store, order.id) == before, "a refused write left something behind"
        after = stored(shared_store, order.id)
        assert not (after.returned and after.exchanged), f"{order.id} was returned and exchanged"
        if before.returned or before.exchanged:
            assert after == before, f"{order.id} was touched a second time"


@pytest.fixture(scope="module")
def shared_store(make_store: Callable[[], Store]) -> Store:
    return make_store()


@pytest.fixture(scope="module")
def orders(shared_store: Store) -> list[Order]:
    """Three delivered orders of the demo store."""
    found = [stored(shared_store, order_id) for order_id in export_retail(shared_store)["orders"]]
    return [order for order in found if order.status == DELIVERED and len(order.items) > 1][:3]


money = st.decimals(min_value="0.01", max_value="5000", places=2)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    payments=st.lists(st.tuples(st.sampled_from(["payment", "refund"]), money), max_size=5),
    prices=st.lists(money, min_size=1, max_size=6),
)
def test_a_refund_is_never_above_what_was_paid(
    order: Order, payments: list[tuple[Any, Decimal]], prices: list[Decimal]
) -> None:
    paid = replace(order, payments=tuple(Payment(kind, amount, "m") for kind, amount in payments))
    items = [replace(order.items[0], price=price) for price in prices]
    refund = refund_amount(paid, items)
    assert 0 <= refund <= max(Decimal(0), net_paid(paid))
    assert refund <= sum(prices)


CALLS = {"return_delivered_order_items": "return_items", "exchange_delivered_order_items": "exchange_items"}


ARGUMENTS = {"order": "order_id", "item": "item_ids", "want": "new_item_ids", "payment": "payment_method_id"}


def calls_of(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [call for call in row["expected_calls"] if call["name"] in CALLS]


def touched(row: Mapping[str, Any]) -> set[str]:
    return {call["arguments"]["order_id"] for call in calls_of(row)}


def scorable_rows() -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (SHARED / "toolcall_tau.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["gold_replays"] and not row["underspecified"] and calls_of(row)]


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "toolcall_tau.jsonl").exists(), reason="../shared/data is not on this machine")
def test_every_expected_return_and_exchange_leads_to_the_expected_records(tmp_path: Path) -> None:
    """All scorable rows. Rows that share an order are replayed on stores of their own."""
    document = json.loads((SHARED / "retail_store" / "db.json").read_text(encoding="utf-8"))
    left, passes, compared, wrong = scorable_rows(), 0, 0, []
    while left:
        expected: dict[str, Any] = {}
        postponed = []
        with closing(open_store(f"sqlite:///{tmp_path / f'store-{passes}.db'}")) as store:
            import_retail(store, document)
            for row in left:
                if touched(row) & expected.keys():
                    postponed.append(row)
                    continue
                for call in calls_of(row):
                    given = call["arguments"]
                    arguments = {key: given[name] for key, name in ARGUMENTS.items() if name in given}
                    do(store, row["user_id"], CALLS[call["name"]], **arguments)
                records = row["expected_changed_records"]["orders"]
                expected |= {order_id: records[order_id] for order_id in touched(row)}
            found = export_retail(store)["orders"]
        assert expected, f"{len(left)} rows cannot be replayed: an order is touched twice in one row"
        compared += len(expected)
        wrong += [(record, found[order_id]) for order_id, record in expected.items() if found[order_id] != record]
        left, passes = postponed, passes + 1
    assert compared, "no row was replayed"
    assert not wrong, f"{len(wrong)} of {compared} orders differ, for instance {wrong[0]}"
