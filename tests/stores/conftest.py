"""A small shop on SQLite and on a real PostgreSQL; the same tests run on both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

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

from .cluster import Cluster, running_cluster

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
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server of our own; skips, with the reason, where none can be started."""
    with running_cluster() as cluster:
        yield cluster


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
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.new_schema()


@pytest.fixture(scope="session")
def _filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop, made once; to be copied."""
    path = tmp_path_factory.mktemp("shop") / "filled.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.fill(small_shop())
    return path


@pytest.fixture(scope="session")
def _migrated_schema(postgresql: Cluster) -> str:
    """A schema with the store's tables, made once; to be filled afresh."""
    url = postgresql.new_schema()
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
