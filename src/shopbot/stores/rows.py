"""Between rows and records: the queries that read customers, orders and products, and the rows that store them.

Every query is built once. Its parts (the head row and what hangs on it) are chosen by the same condition, so that any
number of records costs the same number of statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, delete, insert, select, true, union
from sqlalchemy.sql.base import Executable

from shopbot.store import (
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
    Variant,
)
from shopbot.stores.tables import (
    customers,
    email_key,
    fulfillments,
    order_items,
    orders,
    payment_methods,
    payments,
    postcode_key,
    products,
    variants,
)

MAX_CUSTOMERS_OF_A_POSTCODE = 1000
_KEY: ColumnElement[str] = bindparam("key")
_Rows = Sequence[Row[Any]]


@dataclass(frozen=True)
class Query:
    """``head`` reads the records' own rows, ``parts`` what hangs on them, keyed by the first column."""

    head: Executable
    parts: tuple[Executable, ...]

    def run(self, connection: Connection, key: str | None = None) -> tuple[_Rows, list[Mapping[str, list[Row[Any]]]]]:
        """The head rows and, for each part, head id → its rows in order."""
        parameters = {} if key is None else {"key": key}
        heads = connection.execute(self.head, parameters).all()
        if not heads:
            return heads, [{} for _ in self.parts]
        return heads, [_grouped(connection.execute(part, parameters).all()) for part in self.parts]


def _grouped(rows: _Rows) -> Mapping[str, list[Row[Any]]]:
    groups: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def _part(table: Table, owner: str, chosen: Select[Any], *, order: str = "position") -> Select[Any]:
    """The rows of ``table`` whose column ``owner`` is among the chosen ids, that column first.

    Not sorted by owner: SQLite would walk the whole index for it instead of looking the few owners up.
    """
    columns = [table.c[owner], *(column for column in table.c if column.name != owner)]
    return select(*columns).where(table.c[owner].in_(chosen)).order_by(table.c[order])


def _customer_query(condition: ColumnElement[bool], *, is_locked: bool = False, limit: int | None = None) -> Query:
    head = select(customers).where(condition).order_by(customers.c.position).limit(limit)
    chosen = select(customers.c.id).where(condition).order_by(customers.c.position).limit(limit)
    own_orders = (
        select(orders.c.customer_id, orders.c.id)
        .where(orders.c.customer_id.in_(chosen))
        .order_by(orders.c.customer_position)
    )
    return Query(
        head.with_for_update() if is_locked else head, (_part(payment_methods, "customer_id", chosen), own_orders)
    )


def _order_query(condition: ColumnElement[bool], *, is_locked: bool = False) -> Query:
    head = select(orders).where(condition).order_by(orders.c.customer_id, orders.c.customer_position)
    chosen = select(orders.c.id).where(condition)
    parts = tuple(_part(table, "order_id", chosen) for table in (order_items, fulfillments, payments))
    return Query(head.with_for_update() if is_locked else head, parts)


def _product_query(condition: ColumnElement[bool], *, is_locked: bool = False) -> Query:
    head = select(products).where(condition).order_by(products.c.position)
    part = _part(variants, "product_id", select(products.c.id).where(condition))
    if is_locked:  # shared: no unit of work changes a product, and two that sell the same one need not wait
        head, part = head.with_for_update(read=True), part.with_for_update(read=True)
    return Query(head, (part,))


_AT_POSTCODE = union(
    select(customers.c.id).where(customers.c.postcode_key == _KEY),
    select(orders.c.customer_id).where(orders.c.postcode_key == _KEY),
)

CUSTOMER = _customer_query(customers.c.id == _KEY)
CUSTOMER_LOCKED = _customer_query(customers.c.id == _KEY, is_locked=True)
CUSTOMER_BY_EMAIL = _customer_query(customers.c.email_key == _KEY)
CUSTOMERS_BY_POSTCODE = _customer_query(customers.c.id.in_(_AT_POSTCODE), limit=MAX_CUSTOMERS_OF_A_POSTCODE)
CUSTOMERS = _customer_query(true())
ORDER = _order_query(orders.c.id == _KEY)
ORDER_LOCKED = _order_query(orders.c.id == _KEY, is_locked=True)
ORDERS_OF_CUSTOMER = _order_query(orders.c.customer_id == _KEY)
ORDERS = _order_query(true())
PRODUCT = _product_query(products.c.id == _KEY)
PRODUCT_LOCKED = _product_query(products.c.id == _KEY, is_locked=True)
PRODUCTS = _product_query(true())


def read_customers(connection: Connection, query: Query, key: str | None = None) -> list[Customer]:
    heads, (methods, own_orders) = query.run(connection, key)
    return [
        Customer(
            row.id,
            row.first_name,
            row.last_name,
            row.email,
            _address(row),
            tuple(_method(method) for method in methods.get(row.id, ())),
            tuple(order.id for order in own_orders.get(row.id, ())),
        )
        for row in heads
    ]


def read_orders(connection: Connection, query: Query, key: str | None = None) -> list[Order]:
    heads, (items, parcels, paid) = query.run(connection, key)
    return [
        Order(
            id=row.id,
            customer_id=row.customer_id,
            address=_address(row),
            items=tuple(_item(item) for item in items.get(row.id, ())),
            status=row.status,
            fulfillments=tuple(_fulfillment(parcel) for parcel in parcels.get(row.id, ())),
            payments=tuple(Payment(one.kind, one.amount, one.method_id, one.made_on) for one in paid.get(row.id, ())),
            placed_on=row.placed_on,
            cancel_reason=row.cancel_reason,
            returned=_return(row),
            exchanged=_exchange(row),
        )
        for row in heads
    ]


def read_products(connection: Connection, query: Query, key: str | None = None) -> list[Product]:
    heads, (options,) = query.run(connection, key)
    return [
        Product(
            row.id,
            row.name,
            tuple(
                Variant(one.id, row.id, row.name, one.options, one.price, one.available)
                for one in options.get(row.id, ())
            ),
        )
        for row in heads
    ]


def _address(row: Row[Any]) -> Address:
    return Address(row.line1, row.line2, row.city, row.state, row.postcode, row.country)


def _method(row: Row[Any]) -> PaymentMethod:
    return PaymentMethod(row.id, row.kind, row.brand, row.last_four, row.balance)


def _item(row: Row[Any]) -> OrderItem:
    return OrderItem(row.variant_id, row.product_id, row.name, row.options, row.price)


def _fulfillment(row: Row[Any]) -> Fulfillment:
    return Fulfillment(tuple(row.tracking_ids), tuple(row.variant_ids), row.carrier, row.expected_on, row.delivered_on)


def _return(row: Row[Any]) -> Return | None:
    if row.return_items is None:
        return None
    return Return(tuple(row.return_items), row.return_method_id, row.return_state, row.return_requested_on)


def _exchange(row: Row[Any]) -> Exchange | None:
    if row.exchange_items is None:
        return None
    return Exchange(
        tuple(row.exchange_items),
        tuple(row.exchange_new_items),
        row.exchange_method_id,
        row.exchange_price_difference,
        row.exchange_requested_on,
    )


def address_values(address: Address) -> dict[str, Any]:
    return {
        "line1": address.line1,
        "line2": address.line2,
        "city": address.city,
        "state": address.state,
        "postcode": address.postcode,
        "country": address.country,
        "postcode_key": postcode_key(address.postcode),
    }


def order_values(order: Order) -> dict[str, Any]:
    """The columns of ``orders`` that a write may change."""
    back, swap = order.returned, order.exchanged
    return {
        **address_values(order.address),
        "status": order.status,
        "placed_on": order.placed_on,
        "cancel_reason": order.cancel_reason,
        "return_items": list(back.variant_ids) if back else None,
        "return_method_id": back.method_id if back else None,
        "return_state": back.state if back else None,
        "return_requested_on": back.requested_on if back else None,
        "exchange_items": list(swap.variant_ids) if swap else None,
        "exchange_new_items": list(swap.new_variant_ids) if swap else None,
        "exchange_method_id": swap.method_id if swap else None,
        "exchange_price_difference": swap.price_difference if swap else None,
        "exchange_requested_on": swap.requested_on if swap else None,
    }


def insert_products(connection: Connection, catalogue: Iterable[Product]) -> None:
    heads, parts = [], []
    for position, product in enumerate(catalogue):
        heads.append({"id": product.id, "position": position, "name": product.name})
        parts += [
            {
                "id": variant.id,
                "product_id": product.id,
                "position": place,
                "options": dict(variant.options),
                "price": variant.price,
                "available": variant.available,
            }
            for place, variant in enumerate(product.variants)
        ]
    _insert(connection, products, heads)
    _insert(connection, variants, parts)


def insert_customers(connection: Connection, people: Sequence[Customer]) -> None:
    heads = [
        {
            "id": customer.id,
            "position": position,
            "first_name": customer.first_name,
            "last_name": customer.last_name,
            "email": customer.email,
            "email_key": email_key(customer.email),
            **address_values(customer.address),
        }
        for position, customer in enumerate(people)
    ]
    _insert(connection, customers, heads)
    insert_methods(connection, people)


def insert_methods(connection: Connection, people: Iterable[Customer]) -> None:
    rows = [
        {
            "customer_id": customer.id,
            "id": method.id,
            "position": position,
            "kind": method.kind,
            "brand": method.brand,
            "last_four": method.last_four,
            "balance": method.balance,
        }
        for customer in people
        for position, method in enumerate(customer.payment_methods)
    ]
    _insert(connection, payment_methods, rows)


def insert_orders(connection: Connection, placed: Sequence[Order], places: Mapping[str, int]) -> None:
    """``places``: order id → its place among its customer's orders."""
    heads = [
        {
            "id": order.id,
            "position": position,
            "customer_id": order.customer_id,
            "customer_position": places[order.id],
            **order_values(order),
        }
        for position, order in enumerate(placed)
    ]
    _insert(connection, orders, heads)
    insert_order_parts(connection, placed)


def insert_order_parts(connection: Connection, placed: Sequence[Order]) -> None:
    """What hangs on the orders: items (equal ones too, in their order), parcels, payments."""
    pieces, parcels, paid = [], [], []
    for order in placed:
        for position, item in enumerate(order.items):
            piece = {"variant_id": item.variant_id, "product_id": item.product_id, "name": item.name}
            piece |= {"options": dict(item.options), "price": item.price}  # type: ignore[dict-item]
            pieces.append({"order_id": order.id, "position": position, **piece})
        for position, parcel in enumerate(order.fulfillments):
            lists = {"tracking_ids": list(parcel.tracking_ids), "variant_ids": list(parcel.variant_ids)}
            days = {"expected_on": parcel.expected_on, "delivered_on": parcel.delivered_on}
            parcels.append({"order_id": order.id, "position": position, "carrier": parcel.carrier, **lists, **days})
        for position, payment in enumerate(order.payments):
            money = {"amount": payment.amount, "method_id": payment.method_id, "made_on": payment.made_on}
            paid.append({"order_id": order.id, "position": position, "kind": payment.kind, **money})
    for table, rows in ((order_items, pieces), (fulfillments, parcels), (payments, paid)):
        _insert(connection, table, rows)


def delete_order_parts(connection: Connection, order_id: str) -> None:
    for table in (order_items, fulfillments, payments):
        connection.execute(delete(table).where(table.c.order_id == order_id))


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)
