"""Requests of known customers on the imported retail store; judged by the end state.

    python -m benchmarks.tau_retail.run [--lora FILE] [--limit N] [--show N] [--json]

The scripted customer says the request, gives name and postcode or e-mail when asked, answers a question about a slot
with what the request says about it, and confirms with yes. Scored: rows with ``gold_replays`` that are not
``underspecified``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.setup import open_model, plugins, retail_stores
from benchmarks.shared_data import read
from shopbot.bot import Bot
from shopbot.config import Config, TranscriptsSection
from shopbot.evals import CASE_DAY, snapshot, wilson
from shopbot.types import Awaiting

_MAX_TURNS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="print so many failed conversations")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [row for row in read("toolcall_tau.jsonl") if row["gold_replays"] and not row["underspecified"]]
    rows = rows[: arguments.limit or None]
    backend, manifest = open_model(arguments.lora)
    config = Config(transcripts=TranscriptsSection(enabled=False))
    manager = plugins()
    right, by_kind, turns = 0, Counter[str](), 0
    with retail_stores() as (document, make_store):
        for row in rows:
            store = make_store()
            bot = Bot(
                config=config,
                store=store,
                plugins=manager,
                backend=backend,
                manifest=manifest,
                today=lambda: CASE_DAY,
            )
            lines, count = play(bot, Customer(row))
            problems = compare(document, snapshot(store), row["expected_changed_records"])
            store.close()
            turns += count
            right += not problems
            kind = "+".join(sorted({call["name"] for call in row["expected_calls"]})) or "nothing"
            by_kind[kind] += bool(problems)
            if problems and arguments.show > 0:
                arguments.show -= 1
                print("\n".join(["=" * 100, row["id"], *lines, "  ✗ " + "; ".join(problems)[:600]]), flush=True)
    backend.close()
    low, high = wilson(right, len(rows))
    if arguments.json:
        print(json.dumps({"right": right, "rows": len(rows), "interval_95": [low, high], "turns": turns}))
        return
    print(f"end state right: {right}/{len(rows)} = {right / len(rows):.1%} [{low:.1%}, {high:.1%}], {turns} turns")
    print("failures by kind:", {kind: count for kind, count in by_kind.most_common() if count})


class Customer:
    """Says the request, and answers questions from what the request and the row know."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.request: str = row["request"]
        who = row["auth"] or {}
        found = re.search(r"[\w.]+@[\w.]+\w", row["instruction"])
        email = who.get("email") or (found[0] if found else None)
        name = who.get("name") or ""
        self.identity = f"My email is {email}" if email else f"I'm {name} and my zip code is {who.get('zip')}"

    def answer(self, awaiting: Awaiting | None) -> str | None:
        """The next message, or None when the conversation is over."""
        if awaiting is None:
            return None
        if awaiting.kind == "identity":
            return self.identity
        if awaiting.kind == "confirmation":
            return "yes"
        facts = {
            "order": r"#?W\d{7}",
            "payment": r"(?:gift_card|paypal|credit_card)_\d+|\bpaypal\b|gift card|credit card|website credit",
        }
        if awaiting.slot == "reason":
            return "ordered by mistake" if re.search("mistake|accident", self.request) else "no longer needed"
        if awaiting.slot in facts:
            match = re.search(facts[awaiting.slot], self.request, re.IGNORECASE)
            if match:
                return match[0]
        return "the first one" if awaiting.choices else self.request


def play(bot: Bot, customer: Customer) -> tuple[list[str], int]:
    session = bot.session()
    said, lines = customer.request, []
    for turn in range(_MAX_TURNS):
        reply = session.ask(said)
        lines += [f"customer: {said}", f"   acts: {' ; '.join(map(str, reply.acts))}", f"bot: {reply.text}"]
        answer = customer.answer(reply.awaiting)
        if answer is None or (answer == said != "yes" and turn > 4):
            return lines, turn + 1
        said = answer
    return lines, _MAX_TURNS


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], expected: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Where the end state differs from ``expected`` changes on top of ``before``."""
    problems = []
    for table in ("users", "orders"):
        for key, record in after[table].items():
            wanted = expected.get(table, {}).get(key, before[table][key])
            if _rounded(record) != _rounded(wanted):
                fields = [
                    name for name in {*record, *wanted} if _rounded(record.get(name)) != _rounded(wanted.get(name))
                ]
                problems.append(
                    f"{key}: " + ", ".join(f"{name} {record.get(name)!r} ≠ {wanted.get(name)!r}" for name in fields)
                )
    return problems


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value


if __name__ == "__main__":
    main()
