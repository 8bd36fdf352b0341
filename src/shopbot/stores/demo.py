"""The demo store: customers, products and orders in every status, made from a seed, dated relative to today.

``Ada Example`` (ada@example.com, postcode 02139) is its well-known customer; README and cases talk about her orders.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from shopbot.store import (
    CANCELLED,
    DELIVERED,
    EXCHANGE_REQUESTED,
    PENDING,
    PENDING_MODIFIED,
    PROCESSED,
    RETURN_REQUESTED,
    Address,
    Customer,
    Exchange,
    Fulfillment,
    Order,
    OrderItem,
    Payment,
    PaymentMethod,
    Product,
    Return,
    ReturnState,
    Variant,
)
from shopbot.stores.demo_catalogue import CITIES, FIRST_NAMES, LAST_NAMES, STREETS, product_types
from shopbot.stores.sql import Contents, SqlStore

CUSTOMERS = 320
#: Orders of one customer: how many, how often.
_ORDERS_EACH = (1, 2, 2, 3, 3, 3, 4, 5)
_CARRIERS = ("Parcelway", "Swift Post", "Bluebird Express")
_STATUS_WEIGHTS = {
    PENDING: 26,
    PENDING_MODIFIED: 3,
    PROCESSED: 14,
    DELIVERED: 36,
    CANCELLED: 9,
    RETURN_REQUESTED: 8,
    EXCHANGE_REQUESTED: 4,
}


def fill_demo(store: SqlStore, *, seed: int = 7, today: date | None = None, replace_all: bool = False) -> None:
    """Fill an empty store with the demo shop, in one transaction; the same seed and day give the same shop.

    :class:`~shopbot.errors.StoreError` if it is not empty, unless ``replace_all``: then everything in it goes.
    """
    shop = _Shop(random.Random(seed), today or date.today())
    products = [shop.product(*line) for line in product_types()]
    shop.products = {product.name: product for product in products}
    ada, ada_orders = shop.ada()
    customers, orders = [ada], list(ada_orders)
    for _ in range(CUSTOMERS - 1):
        customer = shop.customer()
        own = sorted((shop.order(customer) for _ in range(shop.rng.choice(_ORDERS_EACH))), key=_age)
        customers.append(replace(customer, order_ids=tuple(order.id for order in own)))
        orders += own
    store.fill(Contents(tuple(products), tuple(customers), tuple(orders)), replace=replace_all)


def _age(order: Order) -> date:
    return order.placed_on or date.min


class _Shop:
    """Draws everything from one generator, so that ids never repeat."""

    def __init__(self, rng: random.Random, today: date) -> None:
        self.rng = rng
        self.today = today
        self.products: dict[str, Product] = {}
        self._taken: set[str] = set()
        self._emails: set[str] = set()

    def number(self, size: int) -> str:
        """A number of so many digits that was not drawn before."""
        while True:
            number = str(self.rng.randrange(10 ** (size - 1), 10**size))
            if number not in self._taken:
                self._taken.add(number)
                return number

    def product(self, name: str, price: int, options: dict[str, list[str]]) -> Product:
        product_id = self.number(10)
        combinations = list(itertools.product(*options.values()))
        chosen = self.rng.sample(combinations, min(len(combinations), self.rng.randint(8, 16)))
        variants = tuple(
            Variant(
                self.number(10),
                product_id,
                name,
                dict(zip(options, values, strict=True)),
                Decimal(self.rng.randint(price * 85, price * 120)) / 100,
                self.rng.random() < 0.75,
            )
            for values in sorted(chosen, key=combinations.index)
        )
        return Product(product_id, name, variants)

    def address(self) -> Address:
        city, state, postcode, country = self.rng.choice(CITIES)
        while len(postcode) < 5 and country in ("USA", "Germany"):
            postcode += str(self.rng.randrange(10))
        if country == "Austria":
            postcode += f"{self.rng.randrange(10)}0"
        if country == "Canada":
            postcode += f"{self.rng.choice('ABCEH')}{self.rng.randrange(1, 9)}"
        if country == "Ireland":
            postcode += f"{self.rng.randrange(100, 999)}"
        unit = self.rng.choice(("", "", f"Apt {self.rng.randint(1, 40)}", f"Suite {self.rng.randint(100, 999)}"))
        return Address(f"{self.rng.randint(1, 999)} {self.rng.choice(STREETS)}", unit, city, state, postcode, country)

    def methods(self) -> tuple[PaymentMethod, ...]:
        kinds = self.rng.choice(
            (
                ["credit_card"],
                ["paypal"],
                ["credit_card", "gift_card"],
                ["paypal", "gift_card"],
                ["credit_card", "paypal"],
                ["credit_card", "paypal", "gift_card"],
            )
        )
        return tuple(self._method(kind) for kind in kinds)

    def _method(self, kind: str) -> PaymentMethod:
        method_id = f"{kind}_{self.number(7)}"
        if kind == "credit_card":
            brand = self.rng.choice(("visa", "mastercard"))
            return PaymentMethod(method_id, "credit_card", brand, f"{self.rng.randrange(10_000):04}")
        if kind == "gift_card":
            return PaymentMethod(method_id, "gift_card", balance=Decimal(self.rng.randint(500, 25_000)) / 100)
        return PaymentMethod(method_id, "paypal")

    def customer(self) -> Customer:
        first, last = self.rng.choice(FIRST_NAMES), self.rng.choice(LAST_NAMES)
        email = f"{first}.{last}@example.com".lower()
        while email in self._emails:
            email = f"{first}.{last}{self.rng.randint(2, 9999)}@example.com".lower()
        self._emails.add(email)
        return Customer(f"{first}_{last}_{self.number(4)}".lower(), first, last, email, self.address(), self.methods())

    def order(self, customer: Customer, status: str | None = None) -> Order:
        status = status or self.rng.choices(list(_STATUS_WEIGHTS), list(_STATUS_WEIGHTS.values()))[0]
        products = self.rng.sample(sorted(self.products), self.rng.choice((1, 1, 2, 2, 3, 4)))
        items = [self._item(self.rng.choice(self.products[name].variants)) for name in products]
        if self.rng.random() < 0.05:
            items.append(items[0])
        address = customer.address if self.rng.random() < 0.8 else self.address()
        return self.make_order(
            customer, status, items, self._placed(status), self.rng.choice(customer.payment_methods), address
        )

    def make_order(
        self,
        customer: Customer,
        status: str,
        items: list[OrderItem],
        placed_on: date,
        method: PaymentMethod,
        address: Address,
    ) -> Order:
        """An order with everything that belongs to its status."""
        total = sum((item.price for item in items), Decimal(0))
        order = Order(
            id=f"#W{self.number(7)}",
            customer_id=customer.id,
            address=address,
            items=tuple(items),
            status=status,
            payments=(Payment("payment", total, method.id, placed_on),),
            placed_on=placed_on,
        )
        if status == CANCELLED:
            refund = Payment("refund", total, method.id, placed_on + timedelta(1))
            reason = self.rng.choice(("no longer needed", "ordered by mistake"))
            return replace(order, payments=(*order.payments, refund), cancel_reason=reason)
        if status in (PROCESSED, DELIVERED, RETURN_REQUESTED, EXCHANGE_REQUESTED):
            order = replace(order, fulfillments=(self._parcel(order, status),))
        if status == RETURN_REQUESTED:
            return self._returned(order, method)
        if status == EXCHANGE_REQUESTED:
            return self._exchanged(order, method)
        return order

    def _placed(self, status: str) -> date:
        first, last = {PENDING: (0, 3), PENDING_MODIFIED: (1, 3), PROCESSED: (2, 6), CANCELLED: (2, 60)}.get(
            status, (6, 66)
        )
        return self.today - timedelta(self.rng.randint(first, last))

    def _item(self, variant: Variant) -> OrderItem:
        return OrderItem(variant.id, variant.product_id, variant.product_name, variant.options, variant.price)

    def _parcel(self, order: Order, status: str) -> Fulfillment:
        placed = order.placed_on or self.today
        expected = placed + timedelta(5 if status != PROCESSED else self.rng.randint(7, 9))
        delivered = None if status == PROCESSED else min(placed + timedelta(self.rng.randint(3, 6)), self.today)
        return Fulfillment(
            (self.number(12),),
            tuple(item.variant_id for item in order.items),
            self.rng.choice(_CARRIERS),
            expected,
            delivered,
        )

    def _returned(self, order: Order, method: PaymentMethod) -> Order:
        items = self.rng.sample(order.items, self.rng.randint(1, len(order.items)))
        states: tuple[ReturnState, ...] = ("requested", "received", "refunded")
        state = self.rng.choice(states)
        asked = (order.delivered_on or self.today) + timedelta(1)
        returned = Return(tuple(sorted(item.variant_id for item in items)), method.id, state, min(asked, self.today))
        payments = order.payments
        if state == "refunded":
            amount = sum((item.price for item in items), Decimal(0))
            payments = (*payments, Payment("refund", amount, method.id, min(asked + timedelta(5), self.today)))
        return replace(order, returned=returned, payments=payments)

    def _exchanged(self, order: Order, method: PaymentMethod) -> Order:
        item = self.rng.choice(order.items)
        product = self.products[item.name]
        new = self.rng.choice([variant for variant in product.variants if variant.id != item.variant_id])
        asked = min((order.delivered_on or self.today) + timedelta(1), self.today)
        exchange = Exchange((item.variant_id,), (new.id,), method.id, new.price - item.price, asked)
        return replace(order, exchanged=exchange)

    def ada(self) -> tuple[Customer, list[Order]]:
        """Ada Example: a pending order, one on its way, one just delivered, one too old to return."""
        self._emails.add("ada@example.com")
        home = Address("12 Garden Street", "Apt 3", "Boston", "MA", "02139", "USA")
        visa = PaymentMethod(f"credit_card_{self.number(7)}", "credit_card", "visa", "4242")
        gift = PaymentMethod(f"gift_card_{self.number(7)}", "gift_card", balance=Decimal("60.00"))
        ada = Customer(f"ada_example_{self.number(4)}", "Ada", "Example", "ada@example.com", home, (visa, gift))
        office = Address("200 Harbor Drive", "Suite 410", "Chicago", "IL", "60611", "USA")
        #: status, what is in it, placed and delivered so many days ago, where it goes
        plan: list[tuple[str, list[str], int, int | None, Address]] = [
            (DELIVERED, ["Coffee Maker"], 54, 50, home),
            (DELIVERED, ["Hiking Boots", "Water Bottle", "Backpack"], 9, 5, home),
            (PROCESSED, ["Keyboard"], 4, None, office),
            (PENDING, ["Desk Lamp", "Throw Pillow"], 1, None, home),
        ]
        orders = []
        for status, names, days, arrived, address in plan:
            items = [
                self._item(next(variant for variant in self.products[name].variants if variant.available))
                for name in names
            ]
            order = self.make_order(ada, status, items, self.today - timedelta(days), visa, address)
            if arrived is not None:
                day = self.today - timedelta(arrived)
                order = replace(order, fulfillments=(replace(order.fulfillments[0], delivered_on=day),))
            orders.append(order)
        return replace(ada, order_ids=tuple(order.id for order in orders)), orders
