"""A database of ours that is open: its connections for reading and for writing, at the newest schema."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from shopbot.errors import StoreError
from shopbot.stores import migrations
from shopbot.stores.connect import WRITES, open_engine, our_errors, parse_url, to_json, use_wal
from shopbot.stores.tables import is_storable


class Database:
    """What every part of the SQL store works with. Thread-safe; one instance a process.

    ``create=False`` opens only what is a store already (an older schema is upgraded all the same).
    """

    def __init__(self, url: str, create: bool = False) -> None:
        self.url = parse_url(url)
        self._engine = open_engine(self.url, create=create)
        is_sqlite = self._engine.dialect.name == "sqlite"
        # a record is read with several statements; they must see one moment
        self._readers = self._engine if is_sqlite else self._engine.execution_options(isolation_level="REPEATABLE READ")
        self._fast_writers = self._engine.execution_options(**{WRITES: "fast"})
        self._writers = self._engine.execution_options(**{WRITES: "durable"})
        self._insert = sqlite.insert if is_sqlite else postgresql.insert
        try:
            with our_errors(self.url):
                migrations.prepare(self._readers, self._writers, create=create)
            if is_sqlite:
                with contextlib.suppress(StoreError), our_errors(self.url):
                    use_wal(self._engine)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections; an SQLite store is one file again afterwards."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with our_errors(self.url), self._readers.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self, *, is_durable: bool = True) -> Iterator[Connection]:
        engine = self._writers if is_durable else self._fast_writers
        with our_errors(self.url), engine.begin() as connection:
            yield connection

    def _insert_new(self, connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
        """Insert the row unless its key is there; waits for a transaction that is inserting the same key."""
        statement = self._insert(table).values(values).on_conflict_do_nothing()
        # the count of an INSERT is not kept unless asked for
        return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1


def plain(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """As it will come back from the database: tuples as lists. :class:`~shopbot.errors.StoreError` if it is no JSON."""
    try:
        return dict(json.loads(to_json(dict(mapping))))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"This cannot be stored as JSON: {error}.", remedy="Use text, numbers, lists.") from None


def mended(text: str) -> str:
    """The text with what a database cannot hold replaced."""
    return "".join(char if is_storable(char) else "\ufffd" for char in text)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


def utc(moment: datetime) -> datetime:
    """SQLite gives the time back without its zone, PostgreSQL in the server's."""
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
