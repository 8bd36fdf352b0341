"""A demo store for the whole run; tests that write get their own copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from shopbot.evals import CASE_DAY, demo_stores
from shopbot.store import DELIVERED, Order, Store
from shopbot.tools import Context


@pytest.fixture(scope="session")
def make_store() -> Iterator[Callable[[], Store]]:
    with demo_stores() as make:
        yield make


@pytest.fixture(scope="session")
def demo(make_store: Callable[[], Store]) -> Store:
    """Only to be read."""
    return make_store()


@pytest.fixture(scope="session")
def order(demo: Store) -> Order:
    """A delivered order of two or more things, inside the window, paid with a card that is no gift card."""
    return next(
        found
        for found in every_order(demo)
        if found.status == DELIVERED
        and found.delivered_on is not None
        and (CASE_DAY - found.delivered_on).days <= 30
        and len({item.variant_id for item in found.items}) > 1
        and not (found.paid_with or "").startswith("gift_card")
    )


@pytest.fixture
def ctx(demo: Store, order: Order) -> Context:
    """The context of the order's customer."""
    return Context(demo, {}, "", CASE_DAY, "test", demo.customer(order.customer_id))


def every_order(store: Store) -> Iterator[Order]:
    """All orders of the customers that the demo store's cases use, found through the catalogue of customers."""
    from shopbot.stores.retail_json import export_retail

    for order_id in export_retail(store)["orders"]:
        found = store.order(order_id)
        assert found is not None
        yield found
