"""The retail document: in and out unchanged, and nothing but whole documents in."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopbot.errors import StoreError
from shopbot.store import CANCELLED, EXCHANGE_REQUESTED, RETURN_REQUESTED, Exchange, Return, Unit
from shopbot.stores.retail_json import export_retail, import_retail, parse_document, read_document, write_document
from shopbot.stores.retail_schema import money
from shopbot.stores.sql import Contents, SqlStore, open_store

from .conftest import small_shop

SHARED = Path(__file__).parents[3] / "shared" / "data" / "retail_store" / "db.json"

ADDRESS = {"address1": "1 Ä", "address2": "", "city": "B", "country": "C", "state": "", "zip": "1"}
ITEM = {"name": "Lamp", "product_id": "p", "item_id": "v2", "price": 2.5, "options": {"z": "1", "a": "ü"}}
DOCUMENT: dict[str, Any] = {
    "products": {
        "p": {
            "name": "Lamp",
            "product_id": "p",
            "variants": {
                "v2": {"item_id": "v2", "options": {"z": "1", "a": "ü"}, "available": True, "price": 2.5},
                "v1": {"item_id": "v1", "options": {}, "available": False, "price": 1234.56},
            },
        }
    },
    "users": {
        "u": {
            "user_id": "u",
            "name": {"first_name": "Ü", "last_name": "V"},
            "address": ADDRESS,
            "email": "U@x.y",
            "payment_methods": {
                "paypal_1": {"source": "paypal", "id": "paypal_1"},
                "credit_card_1": {"source": "credit_card", "id": "credit_card_1", "brand": "visa", "last_four": "0042"},
                "gift_card_1": {"source": "gift_card", "id": "gift_card_1", "balance": 60.0},
            },
            "orders": ["#W2", "#W1"],
        }
    },
    "orders": {
        "#W1": {
            "order_id": "#W1",
            "user_id": "u",
            "address": ADDRESS,
            "items": [ITEM, {**ITEM, "item_id": "v1"}, ITEM],
            "status": "return requested",
            "fulfillments": [{"tracking_id": ["1", "2"], "item_ids": ["v2"]}, {"tracking_id": [], "item_ids": []}],
            "payment_history": [{"transaction_type": "payment", "amount": 5.0, "payment_method_id": "gone"}],
            "return_items": ["v2", "v2"],
            "return_payment_method_id": "paypal_1",
        },
        "#W2": {
            "order_id": "#W2",
            "user_id": "u",
            "address": ADDRESS,
            "items": [],
            "status": "exchange requested",
            "fulfillments": [],
            "payment_history": [],
            "cancel_reason": "no longer needed",
            "exchange_items": ["v2"],
            "exchange_new_items": ["v1"],
            "exchange_payment_method_id": "gift_card_1",
            "exchange_price_difference": -23.24,
        },
    },
}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}")) as store:
        yield store


def test_a_document_comes_out_as_it_went_in(url: str) -> None:
    with closing(open_store(url)) as store:
        import_retail(store, DOCUMENT)
        assert write_document(export_retail(store)) == json.dumps(DOCUMENT, indent=4).encode()
        assert [order.id for order in store.orders("u")] == ["#W2", "#W1"]


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data is not on this machine")
def test_the_published_document_comes_out_byte_for_byte(empty: SqlStore) -> None:
    import_retail(empty, parse_document(SHARED.read_bytes()))
    assert write_document(export_retail(empty)) == SHARED.read_bytes()
    assert empty.counts() == {"products": 50, "customers": 500, "orders": 1000}


def test_a_complete_document_brings_everything_back(store: SqlStore) -> None:
    order = replace(small_shop().orders[0], returned=Return(("v-lamp",), "credit_card_1", "refunded", date(2026, 5, 9)))
    shop = replace(small_shop(), orders=(order, *small_shop().orders[1:]))
    store.fill(shop, replace=True)
    document = parse_document(write_document(export_retail(store, is_complete=True)))
    import_retail(store, document, replace=True)
    assert store.contents() == shop
    common = export_retail(store)
    assert "placed_on" not in common["orders"]["#W1"] and "carrier" not in common["orders"]["#W1"]["fulfillments"][0]


def test_changes_are_exported_under_the_published_names(store: SqlStore) -> None:
    def action(unit: Unit) -> dict[str, Any]:
        back, swap, gone = (unit.order(order_id) for order_id in ("#W1", "#W2", "#W3"))
        unit.save_order(
            replace(back, status=RETURN_REQUESTED, returned=Return(("v-lamp",), "m", requested_on=date(2026, 6, 1)))
        )
        exchanged = Exchange(("v-mug",), ("v-lamp",), "m", Decimal("12.90"), date(2026, 6, 1))
        unit.save_order(replace(swap, status=EXCHANGE_REQUESTED, exchanged=exchanged))
        unit.save_order(replace(gone, status=CANCELLED, cancel_reason="ordered by mistake"))
        return {}

    before = export_retail(store)["orders"]
    store.execute("c", session_id="s", customer_id="nils", tool="t", arguments={}, action=action)
    after = export_retail(store)["orders"]
    changed = {key: {name: v for name, v in after[key].items() if before[key].get(name) != v} for key in after}
    assert changed == {
        "#W1": {"status": "return requested", "return_items": ["v-lamp"], "return_payment_method_id": "m"},
        "#W2": {
            "status": "exchange requested",
            "exchange_items": ["v-mug"],
            "exchange_new_items": ["v-lamp"],
            "exchange_payment_method_id": "m",
            "exchange_price_difference": 12.9,
        },
        "#W3": {"status": "cancelled", "cancel_reason": "ordered by mistake"},
    }


def put(value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


BROKEN = [
    (put([], "products"), "products"),
    (put(None, "orders", "#W1"), "orders.#W1"),
    (put("1", "products", "p", "variants", "v1", "price"), "products.p.variants.v1.price"),
    (put(True, "products", "p", "variants", "v1", "price"), "products.p.variants.v1.price"),
    (put(-1, "products", "p", "variants", "v1", "price"), "products.p.variants.v1.price"),
    (put(float("nan"), "products", "p", "variants", "v1", "price"), "products.p.variants.v1.price"),
    (put(10**400, "products", "p", "variants", "v1", "price"), "products.p.variants.v1.price"),
    (put(1, "products", "p", "variants", "v1", "available"), "products.p.variants.v1.available"),
    (put(5, "products", "p", "variants", "v1", "options", "k"), "products.p.variants.v1.options.k"),
    (put("other", "products", "p", "variants", "v1", "item_id"), "products.p.variants.v1.item_id"),
    (put("lost", "orders", "#W1", "status"), "orders.#W1.status"),
    (put("gift", "orders", "#W1", "payment_history", 0, "transaction_type"), "orders.#W1.payment_history.0"),
    (put("a\x00b", "users", "u", "address", "city"), "users.u.address.city"),
    (put("a\ud800b", "users", "u", "address", "city"), "users.u.address.city"),
    (put("x" * 10_000, "users", "u", "name", "first_name"), "users.u.name.first_name"),
    (put("a\x1b[31m", "users", "u", "name", "first_name"), "users.u.name.first_name"),
    (put("12345", "users", "u", "payment_methods", "credit_card_1", "last_four"), "credit_card_1.last_four"),
    (put(["#W2"], "users", "u", "orders"), "orders.#W1.user_id"),
    (put(["#W2", "#W1", "#W1"], "users", "u", "orders"), "users.u.orders.2"),
    (put(["#W2", "#W1", "#W9"], "users", "u", "orders"), "users.u.orders.2"),
    (put("nobody", "orders", "#W1", "user_id"), "users.u.orders.1"),
    (put({**DOCUMENT["users"]["u"], "user_id": "w", "email": "u@X.y", "orders": []}, "users", "w"), "users.w.email"),
    (put("2026-05-01", "orders", "#W1", "placed"), "orders.#W1.placed"),
    (put("soon", "orders", "#W1", "placed_on"), "orders.#W1.placed_on"),
    (put(None, "orders", "#W1", "return_payment_method_id"), "orders.#W1"),
    (lambda document: document["orders"]["#W1"].pop("address"), "orders.#W1.address"),
    (lambda document: document.pop("users"), "users"),
]


@pytest.mark.parametrize(("change", "path"), BROKEN, ids=[path for _, path in BROKEN])
def test_a_broken_document_is_refused_by_path(change: Callable[[dict[str, Any]], None], path: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(StoreError, match="nothing was imported") as caught:
        read_document(document)
    assert path in str(caught.value), caught.value


def test_nothing_of_a_refused_document_stays(empty: SqlStore) -> None:
    with pytest.raises(StoreError):
        import_retail(empty, {**DOCUMENT, "orders": {}})
    assert empty.contents() == Contents()
    import_retail(empty, DOCUMENT)
    with pytest.raises(StoreError, match="not empty"):
        import_retail(empty, DOCUMENT)
    assert export_retail(empty) == DOCUMENT


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": 1, "a": 2}', b"\xff\xfe\xfa", '{"a": 1} x'])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(StoreError, match="no JSON document"):
        parse_document(text)


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_paths = st.sampled_from(
    [("products",), ("users", "u"), ("users", "u", "payment_methods"), ("orders", "#W1"), ("orders", "#W1", "items", 0)]
)


@settings(deadline=None)
@given(path=_paths, value=_anything, key=st.text(max_size=8) | st.none())
def test_any_damage_is_an_error_or_a_document(path: tuple[Any, ...], value: Any, key: str | None) -> None:
    document = copy.deepcopy(DOCUMENT)
    put(value, *path, *([] if key is None or path[-1] == 0 else [key]))(document)
    said = ""
    try:
        read_document(document)
    except StoreError as error:
        said = str(error)
    assert said.isprintable()


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=1, max_value=50))
def test_noise_is_rounded_to_the_cent_that_was_meant(cents: int, steps: int) -> None:
    assert money(cents / 100) == Decimal(cents).scaleb(-2)
    noisy = sum([cents / 100 / steps] * steps)
    assert money(noisy) == Decimal(cents).scaleb(-2)
