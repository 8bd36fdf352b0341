"""Customers' own records, read once: resolvers change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from shopbot.evals import demo_stores
from shopbot.store import Customer, Order, Product


@dataclass(frozen=True, slots=True)
class Records:
    """One customer with their orders, oldest first, and the catalogue by name."""

    customer: Customer
    orders: tuple[Order, ...]
    products: dict[str, Product]

    def order(self, order_id: str) -> Order:
        return next(order for order in self.orders if order.id == order_id)


@pytest.fixture(scope="session")
def records_of() -> Iterator[Callable[[str], Records]]:
    """The records of the customer with an e-mail address."""
    with demo_stores() as make:
        store = make()

        def find(email: str) -> Records:
            customer = store.customer_by_email(email)
            assert customer is not None, email
            products = {product.name: product for product in store.products()}
            return Records(customer, tuple(store.orders(customer.id)), products)

        yield find


@pytest.fixture(scope="session")
def ada(records_of: Callable[[str], Records]) -> Records:
    """Orders, oldest first: #W9358693, #W5947477, #W4471333, #W4382745."""
    return records_of("ada@example.com")
