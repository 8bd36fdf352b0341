"""A shop's ids may have any form: what is offered as a choice can always be picked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from shopbot.references import (
    Found,
    resolve_items,
    resolve_order,
    resolve_payment,
    resolve_product,
    resolve_variant,
)
from shopbot.store import Address, Customer, Order, OrderItem, PaymentMethod, Product, Variant

HOME = Address("1 Elm Way", "", "Boston", "MA", "02139", "USA")
FORMS = ["{}", "a-{}", "#W{}", "SKU {}/x", "6f1c{}-9e"]


@pytest.mark.parametrize("form", FORMS)
def test_ids_resolve_to_themselves(form: str) -> None:
    one, two = form.format(1), form.format(2)
    variants = tuple(
        Variant(name, "lamp", "Desk Lamp", {"color": color}, Decimal(10), True)
        for name, color in ((one, "red"), (two, "blue"))
    )
    product = Product(form.format(3), "Desk Lamp", variants)
    items = tuple(OrderItem(one.id, product.id, "Desk Lamp", one.options, one.price) for one in variants)
    methods = tuple(PaymentMethod(name, "credit_card", "visa", "4242") for name in (one, two))
    customer = Customer("ada", "Ada", "Example", "ada@example.com", HOME, methods, (one, two))
    order = Order(one, "ada", HOME, items, "pending")
    orders = [order, replace(order, id=two)]
    assert resolve_order(orders, two, today=date(2026, 6, 15)) == Found((orders[1],))
    assert resolve_items(order, [two]) == Found((items[1],))
    assert resolve_variant(product, two, items[0]) == Found(variants[1])
    assert resolve_payment(customer, two) == Found(methods[1])
    assert resolve_product([product], product.id) == Found(product)
