"""The demo shop has everything that the README, the cases and the policies need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from shopbot.store import CANCELLED, DELIVERED, PENDING, PROCESSED, STATUSES, Customer, Order
from shopbot.stores.demo import fill_demo
from shopbot.stores.sql import Contents, SqlStore, open_store

TODAY = date(2026, 6, 15)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    with closing(open_store(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.db'}")) as store:
        fill_demo(store, seed=7, today=TODAY)
        yield store


@pytest.fixture(scope="module")
def shop(demo: SqlStore) -> Contents:
    return demo.contents()


def made(path: Path, seed: int, today: date) -> Contents:
    with closing(open_store(f"sqlite:///{path}")) as store:
        fill_demo(store, seed=seed, today=today)
        return store.contents()


def test_seed_and_day_decide_everything(shop: Contents, tmp_path: Path) -> None:
    assert made(tmp_path / "same.db", 7, TODAY) == shop
    other = made(tmp_path / "other.db", 8, TODAY)
    assert {order.id for order in other.orders} != {order.id for order in shop.orders}


def test_it_is_large_enough(shop: Contents) -> None:
    assert len(shop.customers) >= 300
    assert len(shop.orders) >= 900
    assert len(shop.products) >= 60
    variants = [variant for product in shop.products for variant in product.variants]
    assert 0.65 < sum(variant.available for variant in variants) / len(variants) < 0.85
    for product in shop.products:
        assert 4 <= len(product.variants) <= 16, product.name
        assert 2 <= len(product.variants[0].options) <= 4, product.name
        assert len({tuple(variant.options.items()) for variant in product.variants}) == len(product.variants)
        assert all(variant.price > 0 for variant in product.variants)


def test_nothing_has_the_name_of_another(shop: Contents) -> None:
    for names in (
        [customer.id for customer in shop.customers],
        [customer.email for customer in shop.customers],
        [order.id for order in shop.orders],
        [method.id for customer in shop.customers for method in customer.payment_methods],
        [variant.id for product in shop.products for variant in product.variants],
        [product.name for product in shop.products],
    ):
        assert len(set(names)) == len(names)


def test_every_status_and_every_state_of_a_return_is_there(shop: Contents) -> None:
    assert {order.status for order in shop.orders} == set(STATUSES)
    assert Counter(order.returned.state for order in shop.orders if order.returned).keys() == {
        "requested",
        "received",
        "refunded",
    }
    kinds = {method.kind for customer in shop.customers for method in customer.payment_methods}
    assert kinds == {"credit_card", "paypal", "gift_card"}
    assert len({customer.address.country for customer in shop.customers}) > 2
    ages = [(TODAY - order.delivered_on).days for order in shop.orders if order.delivered_on]
    assert min(ages) >= 0
    assert sum(age <= 30 for age in ages) > 50 and sum(age > 30 for age in ages) > 50


def test_every_order_is_consistent(shop: Contents) -> None:
    owners = {customer.id: customer for customer in shop.customers}
    for order in shop.orders:
        _check(order, owners[order.customer_id])


def _check(order: Order, owner: Customer) -> None:
    assert order.placed_on is not None and order.placed_on <= TODAY
    assert all(owner.payment_method(payment.method_id) for payment in order.payments), order.id
    paid = [payment.amount for payment in order.payments if payment.kind == "payment"]
    assert sum(paid) == order.total, order.id
    assert all(payment.made_on and payment.made_on <= TODAY for payment in order.payments), order.id
    assert (order.cancel_reason is not None) == (order.status == CANCELLED)
    assert (order.returned is not None) == (order.status == "return requested")
    assert (order.exchanged is not None) == (order.status == "exchange requested")
    if order.status.startswith("pending"):
        assert (TODAY - order.placed_on).days <= 3 and not order.fulfillments
    elif order.status == PROCESSED:
        assert 2 <= (TODAY - order.placed_on).days <= 6
        assert all(parcel.tracking_ids and parcel.expected_on and parcel.carrier for parcel in order.fulfillments)
    elif order.status != CANCELLED:
        assert order.delivered_on and order.placed_on <= order.delivered_on <= TODAY, order.id


def test_orders_are_listed_oldest_first(shop: Contents) -> None:
    placed = {order.id: order.placed_on or TODAY for order in shop.orders}
    for customer in shop.customers:
        days = [placed[order_id] for order_id in customer.order_ids]
        assert days == sorted(days), customer.id


@pytest.mark.parametrize("seed", [7, 8])
def test_ada_is_always_there(seed: int, tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'demo.db'}")) as store:
        fill_demo(store, seed=seed, today=TODAY)
        ada = store.customer_by_email("ada@example.com")
        assert ada is not None
        orders = store.orders(ada.id)
    assert (ada.first_name, ada.last_name, ada.address.postcode) == ("Ada", "Example", "02139")
    visa, gift = ada.payment_methods
    assert (visa.brand, visa.last_four, gift.balance) == ("visa", "4242", Decimal("60.00"))
    old, recent, processed, pending = orders
    assert [order.status for order in orders] == [DELIVERED, DELIVERED, PROCESSED, PENDING]
    assert [(TODAY - order.delivered_on).days for order in (old, recent) if order.delivered_on] == [50, 5]
    assert {"Hiking Boots", "Water Bottle"} < {item.name for item in recent.items} and len(recent.items) == 3
    assert "Desk Lamp" in {item.name for item in pending.items} and len(pending.items) == 2
    assert processed.fulfillments
