"""The store keeps its contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event

from shopbot.errors import ConflictError, NotFoundError, StoreError
from shopbot.store import CANCELLED, Address, Exchange, Fulfillment, Order, Payment, Return, Store, Unit
from shopbot.stores.sql import Contents, SqlStore

from .conftest import CARD, GIFT, HOME, LAMP, MUG, item, small_shop

HOSTILE = ("\x00", "\ud800", "'; DROP TABLE orders; --", "%", "_", "", "#W1\x00", "ſtraße" * 1000)


def write(store: Store, action: Callable[[Unit], Any], call_id: str = "call") -> Any:
    def run(unit: Unit) -> dict[str, Any]:
        action(unit)
        return {"text": "done"}

    return store.execute(call_id, session_id="s", customer_id="nils", tool="t", arguments={}, action=run)


def get(store: Store, order_id: str) -> Order:
    order = store.order(order_id)
    assert order is not None, order_id
    return order


def test_everything_comes_back_as_it_was_stored(store: SqlStore) -> None:
    shop = small_shop()
    assert store.contents() == shop
    assert [list(one.options) for one in store.contents().products[0].variants] == [["power", "color"]] * 2
    for customer in shop.customers:
        assert store.customer(customer.id) == customer
    for order in shop.orders:
        assert store.order(order.id) == order
    for product in shop.products:
        assert store.product(product.id) == product
    assert tuple(store.products()) == shop.products
    assert [order.id for order in store.orders("nils")] == ["#W1", "#W2"]
    assert store.orders("nobody") == []
    assert store.counts() == {"products": 2, "customers": 2, "orders": 3}


def test_money_is_exact_with_two_places(store: SqlStore) -> None:
    product = store.product("p-lamp")
    assert product is not None
    assert [str(variant.price) for variant in product.variants] == ["19.90", "0.10"]


@pytest.mark.parametrize("email", ["nils@example.com", "  NILS@EXAMPLE.COM\n", "Nils@Example.com"])
def test_an_email_is_found_in_any_case(store: SqlStore, email: str) -> None:
    found = store.customer_by_email(email)
    assert found is not None and found.id == "nils"


@pytest.mark.parametrize(
    ("postcode", "ids"),
    [("5003", ["nils"]), ("LS1 4AP", ["nils", "uma"]), ("ls14ap", ["nils", "uma"]), ("500", []), ("", []), (" ", [])],
)
def test_a_postcode_is_that_of_the_customer_or_of_an_order(store: SqlStore, postcode: str, ids: list[str]) -> None:
    assert [customer.id for customer in store.customers_by_postcode(postcode)] == ids


def test_hostile_keys_find_nothing(store: SqlStore) -> None:
    for text in HOSTILE:
        assert store.customer(text) is None
        assert store.customer_by_email(text) is None
        assert list(store.customers_by_postcode(text)) == []
        assert store.order(text) is None
        assert list(store.orders(text)) == []
        assert store.product(text) is None
        assert store.written(text) is None
        assert store.load_session(text) is None
    assert store.contents() == small_shop()


def test_records_are_read_in_few_statements(store: SqlStore) -> None:
    """A turn reads these again and again: no statement per row."""
    said: list[str] = []

    def listen(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        for read, most in (
            (lambda: store.customer("nils"), 4),
            (lambda: store.orders("nils"), 5),
            (lambda: store.order("#W1"), 5),
            (lambda: store.contents(), 12),
        ):
            said.clear()
            read()
            assert len(said) <= most, said
    finally:
        event.remove(Engine, "before_cursor_execute", listen)


def test_a_saved_order_is_replaced_whole(store: SqlStore) -> None:
    changed = replace(
        get(store, "#W1"),
        address=HOME,
        items=(item(MUG), item(LAMP), item(MUG)),
        status=CANCELLED,
        fulfillments=(Fulfillment((), ("v-mug",)), Fulfillment(("t9",), (), "Van")),
        payments=(
            Payment("payment", Decimal("1.005"), "m"),
            Payment("refund", Decimal("0.10"), "m", date(2026, 6, 1)),
        ),
        placed_on=date(2026, 4, 1),
        cancel_reason="no longer needed",
        returned=Return(("v-mug", "v-mug"), "gift_card_1", "received", date(2026, 6, 2)),
        exchanged=Exchange(("v-lamp",), ("v-lamp-2",), "credit_card_1", Decimal("-19.80"), date(2026, 6, 3)),
    )
    write(store, lambda unit: unit.save_order(changed))
    found = get(store, "#W1")
    rounded = replace(changed, payments=(replace(changed.payments[0], amount=Decimal("1.01")), changed.payments[1]))
    assert found == rounded
    write(store, lambda unit: unit.save_order(small_shop().orders[0]), "back")
    assert store.contents() == small_shop()


def test_a_saved_customer_has_the_new_address_and_balances(store: SqlStore) -> None:
    before = store.customer("nils")
    assert before is not None
    after = replace(
        before,
        address=small_shop().customers[1].address,
        payment_methods=(replace(GIFT, balance=Decimal("0.01")), CARD),
    )
    write(store, lambda unit: unit.save_customer(after))
    assert store.customer("nils") == after
    assert [one.id for one in store.customers_by_postcode("5003")] == ["nils"], "the order's address is still there"


@pytest.mark.parametrize(
    "action",
    [
        lambda unit: unit.customer("x"),
        lambda unit: unit.order("x"),
        lambda unit: unit.product("x"),
        lambda unit: unit.save_order(replace(unit.order("#W1"), id="x")),
        lambda unit: unit.save_order(replace(unit.order("#W1"), customer_id="uma")),
        lambda unit: unit.save_customer(replace(unit.customer("nils"), id="x")),
    ],
)
def test_what_is_not_there_cannot_be_read_or_saved(store: SqlStore, action: Callable[[Unit], Any]) -> None:
    with pytest.raises(NotFoundError):
        write(store, action)
    assert store.contents() == small_shop()
    assert store.written("call") is None


@pytest.mark.parametrize("line1", ["NUL \x00", "half \ud83d"])
def test_text_that_cannot_be_stored_is_refused_whole(store: SqlStore, line1: str) -> None:
    address = Address(line1, "", "x", "", "1", "y")
    with pytest.raises(StoreError, match="cannot hold"):
        write(store, lambda unit: unit.save_order(replace(unit.order("#W2"), address=address)))
    assert store.contents() == small_shop()


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), Decimal(10) ** 30, 1.5])
def test_money_out_of_range_is_refused(store: SqlStore, amount: Any) -> None:
    with pytest.raises(StoreError):
        write(
            store, lambda unit: unit.save_order(replace(unit.order("#W2"), payments=(Payment("payment", amount, "m"),)))
        )
    assert store.contents() == small_shop()


def test_sessions_are_saved_over_the_version_that_was_read(store: SqlStore) -> None:
    assert store.load_session("s") is None
    assert store.save_session("s", {"text": "\x00 ü \ud800", "list": [1, None]}, version=0) == 1
    assert store.load_session("s") == ({"text": "\x00 ü \ud800", "list": [1, None]}, 1)
    assert store.save_session("s", {}, version=1) == 2
    for stale in (0, 1, 3):
        with pytest.raises(ConflictError):
            store.save_session("s", {"stale": stale}, version=stale)
    assert store.load_session("s") == ({}, 2)


def test_one_of_many_savers_wins(store: SqlStore) -> None:
    store.save_session("s", {}, version=0)
    start = threading.Barrier(6)

    def save(name: int) -> bool:
        start.wait(30)
        try:
            store.save_session("s", {"by": name}, version=1)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(save, range(6)))
    assert won.count(True) == 1
    assert store.load_session("s") == ({"by": won.index(True)}, 2)


def test_tickets_come_back_oldest_first(store: SqlStore) -> None:
    first = store.open_ticket(session_id="s", customer_id=None, reason="asked", summary="odd: \x00 \ud800")
    second = store.open_ticket(session_id="s", customer_id="nils", reason="asked", summary="plain")
    assert [ticket.id for ticket in store.tickets()] == [first.id, second.id]
    assert store.tickets(open_only=False)[1] == second
    assert first.summary == "odd: \ufffd \ufffd"
    assert first.created_at.utcoffset() == timedelta(0)


def test_a_filled_store_is_not_overwritten_by_accident(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="not empty"):
        store.fill(Contents())
    assert store.contents() == small_shop()
    store.save_session("s", {}, version=0)
    store.fill(Contents(small_shop().products), replace=True)
    assert store.contents() == Contents(small_shop().products)
    assert store.load_session("s") is None
    assert len(store.products()) == 2


def test_a_shop_that_does_not_fit_together_is_not_stored(store: SqlStore) -> None:
    shop = small_shop()
    twin = replace(shop.customers[1], email="NILS@example.com")
    for broken in (
        replace(shop, customers=(shop.customers[0], twin)),
        replace(shop, customers=(replace(shop.customers[0], order_ids=()), shop.customers[1])),
        replace(shop, orders=(*shop.orders, shop.orders[0])),
    ):
        with pytest.raises(StoreError):
            store.fill(broken, replace=True)
        assert store.contents() == shop
