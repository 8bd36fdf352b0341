"""Databases are created, upgraded and, where they are somebody else's or newer, left alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from shopbot.errors import StoreError
from shopbot.store import Message
from shopbot.stores.connect import parse_url
from shopbot.stores.migrations import upgrade
from shopbot.stores.sql import SqlStore, open_store
from shopbot.stores.tables import METADATA, SCHEMA_REVISION, VERSION_TABLE

from .conftest import small_shop


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(parse_url(url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def test_an_empty_database_becomes_the_schema_the_code_knows(url: str) -> None:
    open_store(url).close()
    with connected(url) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == SCHEMA_REVISION
        assert compare_metadata(context, METADATA) == []
        assert len(inspect(connection).get_table_names()) == len(METADATA.tables) + 1


def test_opening_again_keeps_what_is_there(url: str) -> None:
    with closing(open_store(url)) as store:
        store.fill(small_shop())
    for create in (True, False):
        with closing(SqlStore(url, create=create)) as store:
            assert store.contents() == small_shop()


def test_many_may_open_a_new_store_at_once(url: str) -> None:
    start = threading.Barrier(4)

    def open_it(_: int) -> int:
        start.wait(30)
        with closing(open_store(url)) as store:
            return store.counts()["orders"]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_it, range(4))) == [0] * 4


def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    with closing(open_store(url)) as store:
        store.fill(small_shop())
    with connected(url) as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer version: update shopbot"):
        open_store(url)
    with connected(url) as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{SCHEMA_REVISION}'"))
    with closing(open_store(url)) as store:
        assert store.contents() == small_shop()


def test_somebody_elses_database_is_left_alone(url: str, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with connected(url) as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    with pytest.raises(StoreError, match="Name another file"):
        open_store(url)
    with connected(url) as connection:
        assert inspect(connection).get_table_names() == ["orders"]


def test_only_what_is_a_store_is_opened_without_create(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="shopbot store init"):
        SqlStore(url)
    assert not (tmp_path / "new").exists(), "a file was made"


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://u@h/d", "sqlite://", "sqlite:///:memory:", "postgresql://h:x/", "oracle+x://", "\x00"],
)
def test_a_url_that_names_no_store_is_explained(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///"):
        open_store(url)


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="Check that it is running") as caught:
        open_store("postgres://bot:hush@127.0.0.1:1/shop?connect_timeout=2")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_files_that_are_no_database_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_bytes(b"Dear customer, " * 400)
    with pytest.raises(StoreError, match="no intact SQLite database"):
        open_store(f"sqlite:///{file}")
    assert file.read_bytes() == b"Dear customer, " * 400
    with pytest.raises(StoreError):
        open_store(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError):
        open_store(f"sqlite:///{file}/store.db")


def test_a_torn_file_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.fill(small_shop())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError), closing(open_store(f"sqlite:///{path}")) as store:
        store.contents()


def test_a_closed_sqlite_store_is_one_file(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}")) as store:
        store.fill(small_shop())
        with connected(f"sqlite:///{tmp_path / 'store.db'}") as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_sessions_of_the_first_schema_go_on(url: str, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    saved_at = "2026-06-15 12:00:00+00:00"
    with connected(url) as connection:
        upgrade(connection, "0001")
        row = {"id": "s", "version": 3, "state": '{"turns": 1, "last_request": "r"}', "saved_at": saved_at}
        connection.execute(text("INSERT INTO sessions VALUES (:id, :version, :state, :saved_at)"), row)
    with closing(open_store(url)) as store:
        assert store.load_session("s") == ({"turns": 1, "last_request": "r"}, 3)
        entry = store.session_entry("s")
        assert entry is not None
        assert (entry.mode, entry.last_seq, entry.active_at) == ("bot", 0, datetime.fromisoformat(saved_at))
        assert store.append_message("s", Message("agent", "hello")) == 1
