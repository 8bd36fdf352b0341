"""The writes on somebody else's shop: the end states of the retail data set, where it is on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shopbot.stores.retail_json import export_retail, import_retail
from shopbot.stores.sql import open_store
from shopbot.types import Answer

SHARED = Path(__file__).parents[4] / "shared" / "data"
CALLS = {
    "cancel_pending_order": "cancel_order",
    "modify_pending_order_address": "change_address",
    "modify_pending_order_payment": "change_payment",
    "modify_pending_order_items": "change_items",
    "modify_user_address": "change_default_address",
}
SLOTS = {
    "order_id": "order",
    "reason": "reason",
    "item_ids": "item",
    "new_item_ids": "want",
    "payment_method_id": "payment",
}
LINES = {
    "address1": "line1",
    "address2": "line2",
    "city": "city",
    "state": "state",
    "zip": "postcode",
    "country": "country",
}


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "toolcall_tau.jsonl").exists(), reason="../shared/data is not on this machine")
def test_every_expected_write_leads_to_the_expected_records(tmp_path: Path, clerk_for: Callable[..., Any]) -> None:
    template = json.loads((SHARED / "retail_store" / "db.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (SHARED / "toolcall_tau.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["gold_replays"] and not row["underspecified"]]
    assert len(rows) == 268
    wrong: list[str] = []
    calls = 0
    for number, batch in enumerate(_disjoint(rows)):
        store = open_store(f"sqlite:///{tmp_path / f'{number}.db'}")
        import_retail(store, _part(template, {row["user_id"] for row in batch}))
        for row in batch:
            for call in row["expected_calls"]:
                if call["name"] in CALLS:
                    write = _write(call)
                    answer = clerk_for(store, row["user_id"]).call(**write)
                    assert isinstance(answer, Answer), f"{row['id']} {write}: {answer}"
                    calls += 1
        found = export_retail(store)
        store.close()
        for row in batch:
            wrong += _differences(row, found)
    assert calls == sum(call["name"] in CALLS for row in rows for call in row["expected_calls"]) > 200
    assert not wrong, f"{len(wrong)} records differ, first: {wrong[0]}"


def _disjoint(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows in batches with every customer at most once, so that a batch can share a store."""
    batches: list[tuple[set[str], list[dict[str, Any]]]] = []
    for row in rows:
        fitting = next((batch for batch in batches if row["user_id"] not in batch[0]), None)
        if fitting is None:
            fitting = (set(), [])
            batches.append(fitting)
        fitting[0].add(row["user_id"])
        fitting[1].append(row)
    return [batch for _, batch in batches]


def _part(document: dict[str, Any], users: set[str]) -> dict[str, Any]:
    """The shop with these customers only."""
    return {
        "products": document["products"],
        "users": {user: record for user, record in document["users"].items() if user in users},
        "orders": {key: order for key, order in document["orders"].items() if order["user_id"] in users},
    }


def _write(call: dict[str, Any]) -> dict[str, Any]:
    given = call["arguments"]
    write: dict[str, Any] = {"tool_name": CALLS[call["name"]]}
    write |= {slot: given[name] for name, slot in SLOTS.items() if name in given}
    if "address1" in given:
        write["address"] = {slot: given[name] for name, slot in LINES.items()}
    return write


def _differences(row: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Orders that only this plugin's writes changed, and customers, against what the row expects."""
    foreign = {call["arguments"].get("order_id") for call in row["expected_calls"] if call["name"] not in CALLS}
    expected = row["expected_changed_records"]
    wrong = [
        f"{row['id']} {key}: {found['orders'][key]} instead of {order}"
        for key, order in expected.get("orders", {}).items()
        if key not in foreign and _rounded(found["orders"][key]) != _rounded(order)
    ]
    return wrong + [
        f"{row['id']} {key}: {found['users'][key]} instead of {user}"
        for key, user in expected.get("users", {}).items()
        if _rounded(found["users"][key]) != _rounded(user)
    ]


def _rounded(record: Any) -> Any:
    """Floats to the cent: the data set adds prices as binary floats."""
    if isinstance(record, dict):
        # made_on is ours: the data set keeps no days
        return {key: _rounded(value) for key, value in record.items() if key != "made_on"}
    if isinstance(record, list):
        return [_rounded(value) for value in record]
    return round(float(record), 2) if isinstance(record, int | float) and not isinstance(record, bool) else record
