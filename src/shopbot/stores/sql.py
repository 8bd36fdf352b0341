"""The SQL store: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.exc import DBAPIError, IntegrityError

from shopbot.errors import ConflictError, NotFoundError, StoreError
from shopbot.store import Customer, Order, Product, Store, Ticket, Unit, Written
from shopbot.stores import tables
from shopbot.stores.schema import migrate

_CUSTOMER = TypeAdapter(Customer)
_ORDER = TypeAdapter(Order)
_PRODUCT = TypeAdapter(Product)
_CATALOGUE_AGE_S = 5.0
_MAX_FOUND = 1000


def open_store(url: str) -> SqlStore:
    """Open the store behind ``url``, creating and migrating the database where needed.

    :class:`StoreError` with a remedy if it cannot be reached, is not shopbot's, or is of a newer shopbot.
    """
    store = SqlStore(url)
    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return store


class SqlStore(Store):
    """The :class:`~shopbot.store.Store` protocol on SQLAlchemy. Thread-safe."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._catalogue: tuple[float, tuple[Product, ...]] = (0.0, ())
        self._catalogue_lock = Lock()

    def migrate(self) -> None:
        """Bring the database to the newest schema; two processes that start at once take turns."""
        with self._begin(writes=True) as connection:
            if not self._is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7270217)"))
            migrate(connection)

    def customer(self, customer_id: str) -> Customer | None:
        with self._begin() as connection:
            return _customer(connection, tables.customers.c.id == customer_id)

    def customer_by_email(self, email: str) -> Customer | None:
        with self._begin() as connection:
            return _customer(connection, tables.customers.c.email == email.strip().lower())

    def customers_by_postcode(self, postcode: str) -> Sequence[Customer]:
        wanted = _compact(postcode)
        customers, orders = tables.customers, tables.orders
        by_order = sa.select(orders.c.customer_id).where(orders.c.postcode == wanted)
        query = (
            sa.select(customers.c.id, customers.c.record)
            .where(sa.or_(customers.c.postcode == wanted, customers.c.id.in_(by_order)))
            .order_by(customers.c.position)
            .limit(_MAX_FOUND)
        )
        with self._begin() as connection:
            return [_with_orders(connection, row.record) for row in connection.execute(query)]

    def customers(self) -> Sequence[Customer]:
        """Every customer, in the order they were added."""
        query = sa.select(tables.customers.c.record).order_by(tables.customers.c.position)
        owned: dict[str, list[str]] = {}
        with self._begin() as connection:
            orders = tables.orders
            for row in connection.execute(
                sa.select(orders.c.customer_id, orders.c.id).order_by(orders.c.customer_position)
            ):
                owned.setdefault(row.customer_id, []).append(row.id)
            found = [_CUSTOMER.validate_json(record) for record in connection.scalars(query)]
        return [_replace_orders(customer, owned.get(customer.id, ())) for customer in found]

    def orders(self, customer_id: str) -> Sequence[Order]:
        orders = tables.orders
        query = (
            sa.select(orders.c.record).where(orders.c.customer_id == customer_id).order_by(orders.c.customer_position)
        )
        with self._begin() as connection:
            return [_ORDER.validate_json(record) for record in connection.scalars(query)]

    def all_orders(self) -> Sequence[Order]:
        """Every order, in the order they were added."""
        query = sa.select(tables.orders.c.record).order_by(tables.orders.c.position)
        with self._begin() as connection:
            return [_ORDER.validate_json(record) for record in connection.scalars(query)]

    def order(self, order_id: str) -> Order | None:
        query = sa.select(tables.orders.c.record).where(tables.orders.c.id == order_id)
        with self._begin() as connection:
            record = connection.scalar(query)
        return _ORDER.validate_json(record) if record else None

    def product(self, product_id: str) -> Product | None:
        return next((product for product in self.products() if product.id == product_id), None)

    def products(self) -> Sequence[Product]:
        with self._catalogue_lock:
            read_at, catalogue = self._catalogue
            if catalogue and time.monotonic() - read_at < _CATALOGUE_AGE_S:
                return catalogue
            query = sa.select(tables.products.c.record).order_by(tables.products.c.position)
            with self._begin() as connection:
                catalogue = tuple(_PRODUCT.validate_json(record) for record in connection.scalars(query))
            self._catalogue = time.monotonic(), catalogue
            return catalogue

    def add(
        self, *, customers: Iterable[Customer] = (), orders: Iterable[Order] = (), products: Iterable[Product] = ()
    ) -> None:
        """Add records in one transaction, all or none. :class:`StoreError` names what is there already."""
        with self._begin(writes=True) as connection:
            base = {
                table.name: _count(connection, table) for table in (tables.customers, tables.orders, tables.products)
            }
            product_rows = [
                {"id": product.id, "position": base["products"] + place, "record": _dump(_PRODUCT, product)}
                for place, product in enumerate(products)
            ]
            ranks: dict[str, dict[str, int]] = {}
            customer_rows = []
            for place, customer in enumerate(customers):
                ranks[customer.id] = {order_id: rank for rank, order_id in enumerate(customer.order_ids)}
                customer_rows.append(_customer_row(customer) | {"position": base["customers"] + place})
            order_rows = [
                _order_row(order)
                | {
                    "position": base["orders"] + place,
                    "customer_position": ranks.get(order.customer_id, {}).get(order.id, base["orders"] + place),
                }
                for place, order in enumerate(orders)
            ]
            try:
                for table, rows in (
                    (tables.products, product_rows),
                    (tables.customers, customer_rows),
                    (tables.orders, order_rows),
                ):
                    if rows:
                        connection.execute(sa.insert(table), rows)
            except IntegrityError as error:
                raise StoreError(
                    "Some of these records are in the store already, or two have one id or e-mail.",
                    remedy="Import into an empty store ('shopbot store init --empty --force').",
                ) from error
        self._catalogue = (0.0, ())

    def clear(self) -> None:
        """Remove everything: records, sessions, ledger and tickets."""
        with self._begin(writes=True) as connection:
            for table in reversed(tables.metadata.sorted_tables):
                connection.execute(sa.delete(table))
        self._catalogue = (0.0, ())

    def counts(self) -> dict[str, int]:
        """Table → number of rows."""
        with self._begin() as connection:
            return {table.name: _count(connection, table) for table in tables.metadata.sorted_tables}

    def execute(
        self,
        call_id: str,
        *,
        session_id: str,
        customer_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        action: Callable[[Unit], Mapping[str, Any]],
    ) -> Written:
        written_at = datetime.now(timezone.utc)
        row: dict[str, Any] = {
            "call_id": call_id,
            "session_id": session_id,
            "customer_id": customer_id,
            "tool": tool,
            "arguments": json.dumps(arguments, sort_keys=True, default=str),
            "result": "{}",
            "written_at": written_at,
        }
        try:
            with self._begin(writes=True) as connection:
                # The row goes in first: a second call with this id waits here until this one is committed or gone.
                connection.execute(sa.insert(tables.writes).values(row))
                result = dict(action(_SqlUnit(connection, is_locking=not self._is_sqlite)))
                stored = json.dumps(result, default=str)
                ledger = sa.update(tables.writes).where(tables.writes.c.call_id == call_id)
                connection.execute(ledger.values(result=stored))
        except IntegrityError:
            return self._replay(call_id, row)
        self._catalogue = (0.0, ())
        return Written(call_id, session_id, customer_id, tool, dict(arguments), json.loads(stored), written_at)

    def _replay(self, call_id: str, row: Mapping[str, Any]) -> Written:
        written = self.written(call_id)
        same = written is not None and (
            (written.session_id, written.customer_id, written.tool, json.dumps(written.arguments, sort_keys=True))
            == (row["session_id"], row["customer_id"], row["tool"], row["arguments"])
        )
        if written is None or not same:
            raise StoreError(f"The write {call_id} is in the ledger with other arguments.", remedy="Use a new call id.")
        return Written(
            written.call_id,
            written.session_id,
            written.customer_id,
            written.tool,
            written.arguments,
            written.result,
            written.written_at,
            is_replay=True,
        )

    def written(self, call_id: str) -> Written | None:
        with self._begin() as connection:
            row = connection.execute(sa.select(tables.writes).where(tables.writes.c.call_id == call_id)).first()
        if row is None:
            return None
        return Written(
            row.call_id,
            row.session_id,
            row.customer_id,
            row.tool,
            json.loads(row.arguments),
            json.loads(row.result),
            _aware(row.written_at),
        )

    def open_ticket(self, *, session_id: str, customer_id: str | None, reason: str, summary: str) -> Ticket:
        ticket = Ticket(
            f"T-{secrets.token_hex(4).upper()}", session_id, customer_id, reason, summary, datetime.now(timezone.utc)
        )
        with self._begin(writes=True) as connection:
            fields = {name: getattr(ticket, name) for name in Ticket.__dataclass_fields__}
            connection.execute(sa.insert(tables.tickets).values(fields))
        return ticket

    def tickets(self, *, open_only: bool = True) -> Sequence[Ticket]:
        query = sa.select(tables.tickets).order_by(tables.tickets.c.created_at)
        if open_only:
            query = query.where(tables.tickets.c.is_open)
        with self._begin() as connection:
            rows = connection.execute(query).all()
        return [Ticket(**{**row._mapping, "created_at": _aware(row.created_at)}) for row in rows]

    def load_session(self, session_id: str) -> tuple[Mapping[str, Any], int] | None:
        with self._begin() as connection:
            row = connection.execute(sa.select(tables.sessions).where(tables.sessions.c.id == session_id)).first()
        return (json.loads(row.state), row.version) if row else None

    def save_session(self, session_id: str, state: Mapping[str, Any], *, version: int) -> int:
        row = {"version": version + 1, "state": json.dumps(state), "saved_at": datetime.now(timezone.utc)}
        try:
            with self._begin(writes=True) as connection:
                if version == 0:
                    connection.execute(sa.insert(tables.sessions).values(id=session_id, **row))
                else:
                    sessions = tables.sessions
                    own = sa.and_(sessions.c.id == session_id, sessions.c.version == version)
                    if connection.execute(sa.update(sessions).where(own).values(row)).rowcount != 1:
                        raise ConflictError("Another process took a turn of this session at the same time.")
        except IntegrityError:
            raise ConflictError("This session exists already.") from None
        return version + 1

    def close(self) -> None:
        self._engine.dispose()

    def _begin(self, *, writes: bool = False) -> _Transaction:
        return _Transaction(self._engine, writes=writes)


class _Transaction:
    """One transaction; errors of the database become :class:`StoreError`."""

    def __init__(self, engine: sa.Engine, *, writes: bool) -> None:
        self._engine = engine
        self._writes = writes

    def __enter__(self) -> sa.Connection:
        try:
            self._connection = self._engine.connect().execution_options(shopbot_writes=self._writes)
            self._transaction = self._connection.begin()
        except DBAPIError as error:
            raise _unreachable(self._engine, error) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._transaction.commit()
            else:
                self._transaction.rollback()
        finally:
            self._connection.close()
        if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
            raise _unreachable(self._engine, error) from error


class _SqlUnit(Unit):
    """The unit of work that a write's action gets; it lives as long as the transaction."""

    def __init__(self, connection: sa.Connection, *, is_locking: bool) -> None:
        self._connection = connection
        self._is_locking = is_locking

    def customer(self, customer_id: str) -> Customer:
        record = self._locked(tables.customers, customer_id)
        return _with_orders(self._connection, record)

    def order(self, order_id: str) -> Order:
        return _ORDER.validate_json(self._locked(tables.orders, order_id))

    def product(self, product_id: str) -> Product:
        return _PRODUCT.validate_json(self._locked(tables.products, product_id))

    def save_customer(self, customer: Customer) -> None:
        self._save(tables.customers, customer.id, _customer_row(customer))

    def save_order(self, order: Order) -> None:
        self._save(tables.orders, order.id, _order_row(order))

    def _locked(self, table: sa.Table, key: str) -> str:
        query = sa.select(table.c.record).where(table.c.id == key)
        record = self._connection.scalar(query.with_for_update() if self._is_locking else query)
        if record is None:
            raise NotFoundError(f"There is no {table.name[:-1]} '{key}'.")
        return str(record)

    def _save(self, table: sa.Table, key: str, row: Mapping[str, Any]) -> None:
        if self._connection.execute(sa.update(table).where(table.c.id == key).values(row)).rowcount != 1:
            raise NotFoundError(f"There is no {table.name[:-1]} '{key}'.")


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(
            "store.url is no database URL.", remedy="Write sqlite:///file.db or postgresql://user@host/name."
        ) from None
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreError("The store needs a file.", remedy="Write sqlite:///file.db.")
        try:
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The store's folder cannot be made: {error}.", remedy="Choose another store.url."
            ) from None
    try:
        engine = sa.create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError):
        raise StoreError(
            f"There is no driver for '{parsed.drivername}'.", remedy="For PostgreSQL: pip install 'psycopg[binary]'."
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    # SQLAlchemy opens transactions itself (see _begin_sqlite); the driver must not do so behind its back.
    connection.isolation_level = None
    for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    """A transaction that will write takes the lock at once: two writers wait for each other instead of failing."""
    is_writing = connection.get_execution_options().get("shopbot_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _unreachable(engine: sa.Engine, error: DBAPIError) -> StoreError:
    reason = str(error.orig).strip().splitlines()[0] if error.orig else "unknown"
    remedy = "Check store.url and that the database is running; 'shopbot doctor' tells more."
    return StoreError(f"The store ({engine.url.render_as_string(hide_password=True)}) failed: {reason}.", remedy=remedy)


def _customer(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Customer | None:
    record = connection.scalar(sa.select(tables.customers.c.record).where(condition))
    return _with_orders(connection, record) if record else None


def _with_orders(connection: sa.Connection, record: str) -> Customer:
    customer = _CUSTOMER.validate_json(record)
    orders = tables.orders
    query = sa.select(orders.c.id).where(orders.c.customer_id == customer.id).order_by(orders.c.customer_position)
    return _replace_orders(customer, connection.scalars(query))


def _replace_orders(customer: Customer, order_ids: Iterable[str]) -> Customer:
    return Customer(
        customer.id,
        customer.first_name,
        customer.last_name,
        customer.email,
        customer.address,
        customer.payment_methods,
        tuple(order_ids),
    )


def _customer_row(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.id,
        "email": customer.email.strip().lower(),
        "postcode": _compact(customer.address.postcode),
        "record": _dump(_CUSTOMER, _replace_orders(customer, ())),
    }


def _order_row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "customer_id": order.customer_id,
        "postcode": _compact(order.address.postcode),
        "record": _dump(_ORDER, order),
    }


def _dump(adapter: TypeAdapter[Any], record: object) -> str:
    return adapter.dump_json(record).decode()


def _compact(postcode: str) -> str:
    return "".join(postcode.upper().split())[:20]


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
