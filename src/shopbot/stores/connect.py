"""From a URL to an engine: SQLite or PostgreSQL, how each begins a transaction, and their errors in our words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError, StatementError

from shopbot.errors import ConflictError, StoreError

#: How long a write waits for another one, and a connection for its server, in seconds.
LOCK_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5
#: Execution option of connections that write: ``fast`` may be lost in a power cut, ``durable`` may not.
WRITES = "shopbot_writes"
#: A turn holds one connection for its write and may read on a second one; the service has some forty threads.
_POOL_SIZE, _POOL_OVERFLOW = 8, 72
#: PostgreSQL: serialization failure, deadlock, lock not available.
_CONTENDED = {"40001", "40P01", "55P03"}


def parse_url(url: str) -> URL:
    """The store's URL with its driver. :class:`~shopbot.errors.StoreError` for anything we cannot open."""
    if url.startswith("postgres://"):
        url = f"postgresql{url.removeprefix('postgres')}"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError("The store's URL cannot be read.", remedy=_URL_REMEDY) from None
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StoreError(f"No store speaks '{parsed.drivername[:40]}'.", remedy=_URL_REMEDY)
    if parsed.database in (None, "", ":memory:"):
        raise StoreError(
            "A store in memory would be lost with the first thread.", remedy="Name a file: sqlite:///shop.db."
        )
    return parsed.set(drivername="sqlite", database=str(Path(parsed.database or "").expanduser()))


_URL_REMEDY = "Use sqlite:///FILE or postgresql://USER@HOST/DATABASE in store.url."


def open_engine(url: URL, *, create: bool) -> Engine:
    """An engine on ``url``. ``create``: make the SQLite file and the folders above it."""
    if url.get_backend_name() == "sqlite":
        _find_file(Path(url.database or ""), create=create)
        arguments: dict[str, Any] = {"check_same_thread": False}
        if "timeout" not in url.query:
            arguments["timeout"] = LOCK_TIMEOUT_S
    else:
        arguments = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        engine = create_engine(
            url,
            connect_args=arguments,
            hide_parameters=True,  # they are personal data, and would end in logs
            json_serializer=to_json,
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_OVERFLOW,
            pool_pre_ping=url.get_backend_name() != "sqlite",
        )
    except (ImportError, NoSuchModuleError):
        raise StoreError(
            "The driver for PostgreSQL is not installed.", remedy="Install it: pip install 'psycopg[binary]'."
        ) from None
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    else:
        event.listen(engine, "begin", _on_postgresql_begin)
    return engine


def _find_file(file: Path, *, create: bool) -> None:
    if str(file).startswith("file:"):
        return
    try:
        if create:
            file.parent.mkdir(parents=True, exist_ok=True)
        elif not file.exists():
            raise StoreError(f"There is no store at {file}.", remedy="Create one with 'shopbot store init'.")
    except OSError as error:
        raise StoreError(
            f"The store at {file} cannot be opened: {error.strerror or error}.", remedy="Check the path in store.url."
        ) from None


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA foreign_keys=ON")


def _on_sqlite_begin(connection: Connection) -> None:
    """Writers take the lock at once (a read that later writes could not wait for it), readers take a snapshot."""
    writes = connection.get_execution_options().get(WRITES)
    if writes is None:
        connection.exec_driver_sql("BEGIN")
        return
    # in WAL mode NORMAL loses the last commits in a power cut, but never tears the database
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if writes == 'durable' else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _on_postgresql_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITES) is not None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")


def use_wal(engine: Engine) -> None:
    """Let readers and a writer work side by side. The mode stays with the file; where it cannot be had, we go on."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()
    finally:
        raw.close()


@contextmanager
def our_errors(url: URL) -> Iterator[None]:
    """Turn the database's errors into :class:`~shopbot.errors.StoreError`, without records and passwords in them."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _translate(error, url) from None


def _translate(error: SQLAlchemyError, url: URL) -> StoreError:
    cause = getattr(error, "orig", None)
    state = getattr(cause, "sqlstate", None)
    if state in _CONTENDED or "database is locked" in str(cause):
        return ConflictError("Another write was under way.", remedy="Try again.")
    if isinstance(error, DBAPIError):
        where = url.set(query={}).render_as_string(hide_password=True)
        return StoreError(f"The store at {where} failed: {_first_line(cause)}.", remedy=_remedy(cause))
    if isinstance(error, StatementError) and cause is not None:
        return StoreError(f"The store cannot hold this: {_first_line(cause)}.", remedy="Correct the value.")
    return StoreError(f"The store failed: {_first_line(error)}.", remedy="Try again.")


def _first_line(error: object) -> str:
    """The driver's first line; PostgreSQL's further lines quote rows."""
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    return next(iter(str(diagnosis or error).splitlines()), "unknown").rstrip(". ")


def _remedy(cause: object) -> str:
    text = str(cause)
    if "not a database" in text or "malformed" in text:
        return "The file is no intact SQLite database: name another one, or restore a backup."
    if "no such table" in text or "does not exist" in text:
        return "Create the store with 'shopbot store init'."
    return "Check that it is running and that store.url is right."


def to_json(value: Any) -> str:
    """JSON in ASCII, so that any text fits into any database. :class:`ValueError`, :class:`TypeError` if it cannot."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (Decimal, date)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
