"""A small shop on SQLite and on a real PostgreSQL; the same tests run on both."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shopbot.store import (
    DELIVERED,
    PENDING,
    Address,
    Customer,
    Fulfillment,
    Order,
    OrderItem,
    Payment,
    PaymentMethod,
    Product,
    Variant,
)
from shopbot.stores.sql import Contents, SqlStore, open_store

HOME = Address("1 Pier Road", "", "Bergen", "", "5003", "Norway")
OFFICE = Address("9 Canal Street", "Floor 2", "Leeds", "", "LS1 4AP", "United Kingdom")
CARD = PaymentMethod("credit_card_1", "credit_card", "visa", "1111")
GIFT = PaymentMethod("gift_card_1", "gift_card", balance=Decimal("50.00"))
LAMP = Variant("v-lamp", "p-lamp", "Lamp", {"power": "USB", "color": "red"}, Decimal("19.90"), True)
LAMP_OUT = Variant("v-lamp-2", "p-lamp", "Lamp", {"power": "mains", "color": "blue"}, Decimal("0.10"), False)
MUG = Variant("v-mug", "p-mug", "Mug", {}, Decimal("7.00"), True)


def item(variant: Variant) -> OrderItem:
    return OrderItem(variant.id, variant.product_id, variant.product_name, variant.options, variant.price)


def small_shop() -> Contents:
    """Two customers, three orders; Nils has two, one of them sent to the office with two equal lamps around a mug."""
    nils = Customer("nils", "Nils", "Øst", "Nils@Example.com", HOME, (CARD, GIFT), ("#W1", "#W2"))
    uma = Customer("uma", "Uma", "Rao", "uma@example.com", OFFICE, (PaymentMethod("paypal_1", "paypal"),), ("#W3",))
    delivered = Order(
        "#W1",
        "nils",
        OFFICE,
        (item(LAMP), item(MUG), item(LAMP)),
        DELIVERED,
        (Fulfillment(("t1", "t2"), ("v-lamp", "v-mug"), "Bird Post", date(2026, 5, 4), date(2026, 5, 3)),),
        (Payment("payment", Decimal("46.80"), "credit_card_1", date(2026, 5, 1)),),
        date(2026, 5, 1),
    )
    pending = Order("#W2", "nils", HOME, (item(MUG),), PENDING, (), (Payment("payment", Decimal(7), "gift_card_1"),))
    other = Order("#W3", "uma", OFFICE, (item(MUG),), PENDING, (), (Payment("payment", Decimal(7), "paypal_1"),))
    products = (Product("p-lamp", "Lamp", (LAMP, LAMP_OUT)), Product("p-mug", "Mug", (MUG,)))
    return Contents(products, (nils, uma), (delivered, other, pending))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Path]:
    """The socket folder of a PostgreSQL server of our own; skips, with the reason, where none can be started."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL programs (initdb, pg_ctl) on this machine")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # not below tmp_path: its parents are closed to other users
    who: dict[str, Any] = {}
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # the server refuses to run as root
        who = _other_user()
        os.chown(folder, who["user"], who["group"])
    control = [str(programs / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    try:
        make = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "shop", "-A", "trust", "--no-sync"]
        _call([*make, "-E", "UTF8", "--locale=C"], folder, who)
        settings = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=120"
        _call([*control, "-l", str(folder / "log"), "-o", settings, "start"], folder, who)
        try:
            yield folder
        finally:
            _call([*control, "-m", "immediate", "stop"], folder, who)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4))
    on_path = shutil.which("initdb")
    candidates = [*reversed(folders), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


def _other_user() -> dict[str, Any]:
    import pwd

    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no other user to run it as")


def _call(command: list[str], folder: Path, who: dict[str, Any]) -> None:
    # the server keeps what it inherits open: no pipes, or we would wait for its end
    with (folder / "calls.txt").open("a+b") as log:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **who)
        log.seek(0)
        if done.returncode:
            pytest.skip(f"PostgreSQL does not start here: {log.read().decode(errors='replace')[-400:]}")


_SCHEMAS = itertools.count(1)


def new_schema(folder: Path) -> str:
    """The URL of an empty schema, which costs less than a database."""
    import psycopg

    name = f"shop_{next(_SCHEMAS)}"
    with psycopg.connect(f"host={folder} user=shop dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"postgresql://shop@/postgres?host={folder}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database: a test that uses it runs on each."""
    if request.param == "postgresql":
        request.getfixturevalue("postgresql")
    return str(request.param)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that holds nothing yet."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'store.db'}"
    return new_schema(request.getfixturevalue("postgresql"))


@pytest.fixture(scope="session")
def _filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop, made once; to be copied."""
    path = tmp_path_factory.mktemp("shop") / "filled.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.fill(small_shop())
    return path


@pytest.fixture(scope="session")
def _migrated_schema(postgresql: Path) -> str:
    """A schema with the store's tables, made once; to be filled afresh."""
    url = new_schema(postgresql)
    open_store(url).close()
    return url


@pytest.fixture
def store(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """The small shop."""
    if backend == "sqlite":
        path = shutil.copyfile(request.getfixturevalue("_filled_file"), tmp_path / "store.db")
        opened = open_store(f"sqlite:///{path}")
    else:
        opened = open_store(request.getfixturevalue("_migrated_schema"))
        opened.fill(small_shop(), replace=True)
    with closing(opened):
        yield opened
