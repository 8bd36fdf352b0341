"""Third-party rows (``../shared/data``) as examples and held-out rows of our own acts.

The data is not part of the project. The split is by a hash of the row's id: 60 % train, 10 % dev, 30 % held out; a
row made from another one (``…-sw``) falls where its origin falls, and a training text that also stands in dev or held
out is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
Part = Literal["train", "dev", "held_out"]

#: Tool of the third-party data → our act. Its argument → ours.
ACT_OF_TOOL = {
    "cancel_order": "cancel_order",
    "change_order": "change_items",
    "track_order": "order_status",
    "track_refund": "refund_status",
    "get_refund": "return_items",
    "get_invoice": "invoice",
    "check_invoice": "invoice",
    "delivery_options": "shipping_info",
    "delivery_period": "shipping_info",
    "complaint": "handoff",
    "contact_customer_service": "handoff",
    "contact_human_agent": "handoff",
    "set_up_shipping_address": "change_address",
    "change_shipping_address": "change_address",
}
ARGUMENT = {
    "order_id": "order",
    "refund_amount": "amount",
    "person_name": "name",
    "invoice_id": "number",
    "delivery_city": "place",
    "delivery_country": "place",
}
#: Intent of intent_routing.jsonl → the acts that do that work in our shop.
ACTS_OF_INTENT = {
    "account": {"faq"},
    "faq_policy": {"faq"},
    "newsletter": {"faq"},
    "payment_issue": {"faq"},
    "place_order": {"faq"},
    "review": {"faq"},
    "shipping_info": {"shipping_info"},
    "complaint": {"handoff"},
    "human_handoff": {"handoff"},
    "change_address": {"change_address", "change_default_address"},
    "change_order": {"change_items"},
    "cancel_order": {"cancel_order"},
    "invoice": {"invoice"},
    "order_status": {"order_status"},
    "refund_request": {"return_items"},
    "refund_status": {"refund_status"},
    "smalltalk": {"smalltalk"},
    "out_of_scope": {"out_of_scope"},
}


def read(name: str) -> list[dict[str, Any]]:
    """Rows of one file; FileNotFoundError where the data is absent."""
    with (FOLDER / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def part_of(row_id: str) -> Part:
    place = int(hashlib.sha1(row_id.removesuffix("-sw").encode(), usedforsecurity=False).hexdigest(), 16) % 10
    return "train" if place < 6 else "dev" if place == 6 else "held_out"


def call_as_act(row: dict[str, Any]) -> str:
    """The row's call in our form; the argument is the stretch of text it was taken from."""
    call = row["call"]
    name = ACT_OF_TOOL.get(call["name"], "faq")
    arguments = ""
    key = next((ARGUMENT[key] for key in call["arguments"] if key in ARGUMENT), None)
    if key and row["span"] and name != "faq":
        start, end = row["span"]
        arguments = f"{key}={json.dumps(row['text'][start:end], ensure_ascii=False)}"
    return f"{name}({arguments})"


def examples(part: Part) -> Iterator[dict[str, Any]]:
    """Rows ``{"state", "text", "acts"}`` of one part, for the train stage."""
    kept = {_fold(row["text"]) for row in read("intent_routing.jsonl") if part_of(row["id"]) != "train"}
    for name in ("toolcall_single.jsonl", "toolcall_single_swapped.jsonl"):
        for row in read(name):
            if part_of(row["id"]) == part and not (part == "train" and _fold(row["text"]) in kept):
                yield {"state": "-", "text": row["text"], "acts": [call_as_act(row)]}
    for row in read("intent_routing.jsonl"):
        if (
            row["source"] == "bitext8k"
            or part_of(row["id"]) != part
            or (part == "train" and _fold(row["text"]) in kept)
        ):
            continue
        yield {"state": "-", "text": row["text"], "acts": [f"{min(ACTS_OF_INTENT[row['intent']])}()"]}


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def main() -> None:
    parser = argparse.ArgumentParser(description="Write one part of the third-party rows as training examples.")
    parser.add_argument("part", choices=["train", "dev", "held_out"])
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    with arguments.output.open("w", encoding="utf-8") as file:
        for example in examples(arguments.part):
            file.write(json.dumps(example, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
