"""Routing and arguments on the held-out rows of the third-party data, by the real model.

python -m benchmarks.routing.run [--lora FILE] [--part held_out] [--bias out_of_scope=0.5] [--limit N] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.setup import open_model, plugins
from benchmarks.shared_data import ACTS_OF_INTENT, call_as_act, part_of, read
from shopbot import grammar
from shopbot.evals import wilson
from shopbot.understand import Understanding

_NOT_WANTED = {"out_of_scope", "smalltalk", "abuse", "other_language"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--part", default="held_out", choices=["train", "dev", "held_out"])
    parser.add_argument("--limit", type=int, default=0, help="rows per file, drawn at random (0: all)")
    parser.add_argument(
        "--bias", type=_pair, action="append", help="ACT=LOGIT instead of the manifest's; to choose it on dev"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--show", type=int, default=0, help="print so many mistakes")
    arguments = parser.parse_args()
    backend, manifest = open_model(arguments.lora)
    manager = plugins()
    bias = dict(arguments.bias) if arguments.bias else manifest.bias if manifest else None
    understanding = Understanding(backend, manager.tools().values(), trained=manager.tools(), bias=bias)
    routing = _rows("intent_routing.jsonl", arguments)
    swapped = _rows("toolcall_single_swapped.jsonl", arguments)
    scores = {**_routing(understanding, routing, arguments.show), **_swapped(understanding, swapped, arguments.show)}
    backend.close()
    if arguments.json:
        print(json.dumps(scores, indent=2))
        return
    for name, (right, total) in scores.items():
        low, high = wilson(right, total)
        print(f"{name:42} {right / max(total, 1):7.2%}  [{low:.2%}, {high:.2%}]  n={total}")


def _pair(text: str) -> tuple[str, float]:
    act, _, value = text.partition("=")
    return act, float(value)


def _rows(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    rows = [row for row in read(name) if part_of(row["id"]) == arguments.part]
    if arguments.limit:
        rows = random.Random(0).sample(rows, min(arguments.limit, len(rows)))
    return rows


def _routing(understanding: Understanding, rows: list[dict[str, Any]], show: int) -> dict[str, tuple[int, int]]:
    hits: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for row in rows:
        acts = understanding(row["text"], "-").acts
        name = acts[0].name if acts else "none"
        group = "in-domain strict" if row["domain"] == "in" else f"recall {row['intent']}"
        is_right = name in ACTS_OF_INTENT[row["intent"]]
        if row["intent"] == "smalltalk":
            is_right = name in ("smalltalk", "out_of_scope")
        for key in (group, f"source {row['source']}"):
            totals[key] += 1
            hits[key] += is_right
        if row["domain"] == "in":
            totals["false alarms (in-domain called out of scope)"] += 1
            hits["false alarms (in-domain called out of scope)"] += name in _NOT_WANTED
        if not is_right and show > 0:
            show -= 1
            print(f"  {row['intent']:16} → {name:22} {acts[0].confidence if acts else 0:.2f} {row['text'][:100]}")
    return {key: (hits[key], totals[key]) for key in sorted(totals)}


def _swapped(understanding: Understanding, rows: list[dict[str, Any]], show: int) -> dict[str, tuple[int, int]]:
    right = invented = 0
    for row in rows:
        acts = understanding(row["text"], "-").acts
        wanted = grammar.parse(call_as_act(row))[0]
        found = acts[0] if acts else None
        is_right = bool(found and found.name == wanted.name and dict(found.arguments) == dict(wanted.arguments))
        right += is_right
        invented += bool(found and set(found.arguments) - set(wanted.arguments))
        if not is_right and show > 0:
            show -= 1
            print(f"  {call_as_act(row)} → {found}   {row['text'][:100]}")
    return {"swapped arguments, joint": (right, len(rows)), "swapped: invented argument": (invented, len(rows))}


if __name__ == "__main__":
    main()
