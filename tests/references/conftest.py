"""Ada's own records, and things to say about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from shopbot.store import Customer, Order, Product, Store


@dataclass(frozen=True, slots=True)
class Records:
    """One customer with their orders, oldest first, and the catalogue by name."""

    customer: Customer
    orders: tuple[Order, ...]
    products: dict[str, Product]

    def order(self, order_id: str) -> Order:
        return next(order for order in self.orders if order.id == order_id)


@pytest.fixture
def records_of(demo_store: Store) -> object:
    def find(email: str) -> Records:
        customer = demo_store.customer_by_email(email)
        assert customer is not None
        products: Sequence[Product] = demo_store.products()
        return Records(customer, tuple(demo_store.orders(customer.id)), {product.name: product for product in products})

    return find


@pytest.fixture
def ada(records_of: object) -> Records:
    """Orders, oldest first: #W9358693, #W5947477, #W4471333, #W4382745."""
    return records_of("ada@example.com")  # type: ignore[operator,no-any-return]
