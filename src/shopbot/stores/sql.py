"""The SQL store: SQLite in a file, PostgreSQL by URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, func, select, update

from shopbot.errors import ConflictError, NotFoundError, StoreError
from shopbot.store import Customer, Order, Product, Unit, Written
from shopbot.stores import rows
from shopbot.stores.backoffice import SqlBackOffice
from shopbot.stores.conversations import Conversations
from shopbot.stores.database import now, plain, utc
from shopbot.stores.tables import (
    METADATA,
    customers,
    email_key,
    is_storable,
    orders,
    payment_methods,
    postcode_key,
    products,
    sessions,
    writes,
)

#: The catalogue is read from the database at most this often.
CATALOGUE_SECONDS = 5.0
_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Contents:
    """A whole shop: the catalogue, the customers, the orders, each in its order."""

    products: tuple[Product, ...] = ()
    customers: tuple[Customer, ...] = ()
    orders: tuple[Order, ...] = ()


def open_store(url: str) -> SqlStore:
    """Open the store at ``url``, created and brought to the newest schema where needed.

    :class:`~shopbot.errors.StoreError` with a remedy if it cannot be reached, holds somebody else's tables, or was
    written by a newer version.
    """
    return SqlStore(url, create=True)


class SqlStore(Conversations, SqlBackOffice):
    """:class:`~shopbot.store.Store` on a database; see :class:`~shopbot.stores.database.Database` to open one."""

    def __init__(self, url: str, create: bool = False) -> None:
        self._catalogue: tuple[float, tuple[Product, ...]] | None = None
        self._catalogue_lock = threading.Lock()
        super().__init__(url, create)

    def _customers(self, query: rows.Query, key: str) -> list[Customer]:
        if not is_storable(key):
            return []
        with self._reading() as connection:
            return rows.read_customers(connection, query, key)

    def customer(self, customer_id: str) -> Customer | None:
        return _first(self._customers(rows.CUSTOMER, customer_id))

    def customer_by_email(self, email: str) -> Customer | None:
        return _first(self._customers(rows.CUSTOMER_BY_EMAIL, email_key(email)))

    def customers_by_postcode(self, postcode: str) -> Sequence[Customer]:
        """Spaces, dashes and case in the postcode do not matter."""
        key = postcode_key(postcode)
        return self._customers(rows.CUSTOMERS_BY_POSTCODE, key) if key else []

    def orders(self, customer_id: str) -> Sequence[Order]:
        return self._orders(rows.ORDERS_OF_CUSTOMER, customer_id)

    def order(self, order_id: str) -> Order | None:
        return _first(self._orders(rows.ORDER, order_id))

    def _orders(self, query: rows.Query, key: str) -> list[Order]:
        if not is_storable(key):
            return []
        with self._reading() as connection:
            return rows.read_orders(connection, query, key)

    def product(self, product_id: str) -> Product | None:
        if not is_storable(product_id):
            return None
        with self._reading() as connection:
            return _first(rows.read_products(connection, rows.PRODUCT, product_id))

    def products(self) -> Sequence[Product]:
        """The catalogue, at most :data:`CATALOGUE_SECONDS` old."""
        with self._catalogue_lock:
            now = time.monotonic()
            if self._catalogue is None or now - self._catalogue[0] > CATALOGUE_SECONDS:
                with self._reading() as connection:
                    self._catalogue = (now, tuple(rows.read_products(connection, rows.PRODUCTS)))
            return self._catalogue[1]

    def execute(
        self,
        call_id: str,
        *,
        session_id: str,
        customer_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        action: Callable[[Unit], Mapping[str, Any]],
        session_version: int | None = None,
    ) -> Written:
        """See :meth:`shopbot.store.Store.execute`. :class:`~shopbot.errors.StoreError` if ``call_id`` stands for
        another write already."""
        asked: dict[str, Any] = {
            "session_id": session_id,
            "customer_id": customer_id,
            "tool": tool,
            "arguments": plain(arguments),
        }
        moment = now()
        with self._writing() as connection:
            # first of all: a second execution of the same call waits here, then finds the first one's row
            if not self._insert_new(connection, writes, {"call_id": call_id, "written_at": moment, **asked}):
                return _replayed(connection, call_id, asked)
            if session_version is not None:
                _hold_session(connection, session_id, session_version)
            result = plain(action(_SqlUnit(connection)))
            connection.execute(update(writes).where(writes.c.call_id == call_id).values(result=result))
        return Written(call_id=call_id, result=result, written_at=moment, **asked)

    def written(self, call_id: str) -> Written | None:
        if not is_storable(call_id):
            return None
        with self._reading() as connection:
            return _ledger_entry(connection, call_id)

    def contents(self) -> Contents:
        """Everything the shop has, as of one moment."""
        with self._reading() as connection:
            catalogue = rows.read_products(connection, rows.PRODUCTS)
            people = rows.read_customers(connection, rows.CUSTOMERS)
            placed = rows.read_orders(connection, rows.ORDERS)
            positions = {row.id: row.position for row in connection.execute(select(orders.c.id, orders.c.position))}
        placed.sort(key=lambda order: positions[order.id])
        return Contents(tuple(catalogue), tuple(people), tuple(placed))

    def counts(self) -> dict[str, int]:
        """How many products, customers and orders there are."""
        tables = {"products": products, "customers": customers, "orders": orders}
        with self._reading() as connection:
            return {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in tables.items()
            }

    def fill(self, contents: Contents, *, replace: bool = False) -> None:
        """Store a whole shop in one transaction.

        :class:`~shopbot.errors.StoreError` if there is one already, unless ``replace``: then everything goes, with
        sessions, tickets and the ledger.
        """
        places = {order: place for one in contents.customers for place, order in enumerate(one.order_ids)}
        if places.keys() != {order.id for order in contents.orders}:
            raise StoreError("The customers' lists of orders do not match the orders.", remedy="Correct them.")
        with self._writing() as connection:
            for table in reversed(METADATA.sorted_tables):
                if replace:
                    connection.execute(delete(table))
                elif table in (products, customers) and connection.execute(select(table.c.id).limit(1)).first():
                    raise StoreError("The store is not empty.", remedy="Add --force (or replace=True) to overwrite it.")
            rows.insert_products(connection, contents.products)
            rows.insert_customers(connection, contents.customers)
            rows.insert_orders(connection, contents.orders, places)
        with self._catalogue_lock:
            self._catalogue = None


class _SqlUnit:
    """:class:`~shopbot.store.Unit` on an open transaction. On SQLite the transaction itself is the lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def customer(self, customer_id: str) -> Customer:
        return _found(rows.read_customers(self._connection, rows.CUSTOMER_LOCKED, customer_id), "customer")

    def order(self, order_id: str) -> Order:
        return _found(rows.read_orders(self._connection, rows.ORDER_LOCKED, order_id), "order")

    def product(self, product_id: str) -> Product:
        return _found(rows.read_products(self._connection, rows.PRODUCT_LOCKED, product_id), "product")

    def save_customer(self, customer: Customer) -> None:
        own = customers.c.id == customer.id
        changed = self._connection.execute(update(customers).where(own).values(rows.address_values(customer.address)))
        _check_one(changed.rowcount, "customer")
        self._connection.execute(delete(payment_methods).where(payment_methods.c.customer_id == customer.id))
        rows.insert_methods(self._connection, [customer])

    def save_order(self, order: Order) -> None:
        own = (orders.c.id == order.id) & (orders.c.customer_id == order.customer_id)
        changed = self._connection.execute(update(orders).where(own).values(rows.order_values(order)))
        _check_one(changed.rowcount, "order of this customer")
        rows.delete_order_parts(self._connection, order.id)
        rows.insert_order_parts(self._connection, [order])


def _first(found: Sequence[_Record]) -> _Record | None:
    return found[0] if found else None


def _found(found: Sequence[_Record], kind: str) -> _Record:
    _check_one(len(found), kind)
    return found[0]


def _check_one(count: int, kind: str) -> None:
    if count != 1:
        raise NotFoundError(f"The store has no such {kind}.")


def _hold_session(connection: Connection, session_id: str, version: int) -> None:
    """Keep the session at ``version`` until the transaction ends; messages of its may be read, none may come."""
    row = select(sessions.c.version).where(sessions.c.id == session_id).with_for_update(key_share=True)
    if connection.execute(row).scalar() != version:
        raise ConflictError("The conversation went on elsewhere.", remedy="Load it and try again.")


def _ledger_entry(connection: Connection, call_id: str, *, is_replay: bool = False) -> Written | None:
    row: Row[Any] | None = connection.execute(select(writes).where(writes.c.call_id == call_id)).first()
    if row is None:
        return None
    return Written(
        row.call_id,
        row.session_id,
        row.customer_id,
        row.tool,
        row.arguments,
        row.result,
        utc(row.written_at),
        is_replay,
    )


def _replayed(connection: Connection, call_id: str, asked: Mapping[str, Any]) -> Written:
    entry = _ledger_entry(connection, call_id, is_replay=True)
    if entry is None or any(getattr(entry, name) != value for name, value in asked.items()):
        raise StoreError("This call id belongs to another write.", remedy="Give every write an id of its own.")
    return entry
