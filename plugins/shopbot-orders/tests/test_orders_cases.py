"""The golden cases are well-formed, cover the plugin, and expect only what the policy allows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import shopbot_orders

from shopbot.evals import Case, demo_stores
from shopbot.types import Answer

CASES: list[Case] = list(shopbot_orders.shopbot_register_cases())
WRITES = {tool.name for tool in shopbot_orders.shopbot_register_tools({}) if tool.effect == "write"}
READS = {tool.name for tool in shopbot_orders.shopbot_register_tools({}) if tool.effect == "read"}


def test_there_are_enough_cases_and_conversations() -> None:
    multi_turn = [case for case in CASES if "multi-turn" in case.tags]
    assert len(CASES) >= 66
    assert len(multi_turn) >= 26
    assert all(len(case.turns) > 1 for case in multi_turn)
    doubles = [name for name, count in Counter(case.name for case in CASES).items() if count > 1]
    assert not doubles, f"two cases have one name: {doubles}"


def test_every_tool_is_judged() -> None:
    written = {write["tool"] for case in CASES for write in case.writes}
    ran = {tool for case in CASES for turn in case.turns for tool in turn.tools or ()}
    assert written >= WRITES, f"no case writes with {WRITES - written}"
    assert ran >= READS, f"no case reads with {READS - ran}"


def test_no_message_is_used_twice() -> None:
    said = Counter(turn.say.casefold() for case in CASES for turn in case.turns if len(turn.say.split()) > 3)
    assert said.most_common(1)[0][1] == 1, said.most_common(1)


def test_the_demo_store_has_everyone_and_the_policy_allows_every_expected_write(
    clerk_for: Callable[..., Any],
) -> None:
    """All cases on one store: a customer's orders are used up at most once each, so only doubles need a fresh one."""
    problems: list[str] = []
    with demo_stores() as make:
        fresh, shared = make(), make()
        used: set[str] = set()
        for case in CASES:
            emails = [case.customer, *(write.get("customer") for write in case.writes)]
            problems += [f"{case.name}: nobody is {email}" for email in emails if email and not _id(fresh, email)]
            for write in case.writes:
                email = write.get("customer", case.customer)
                order = fresh.order(write["order"]) if "order" in write else None
                customer_id = order.customer_id if order else _id(fresh, email)
                key = json.dumps([customer_id, write.get("order")])
                store = make() if key in used and len(case.writes) == 1 else shared
                used.add(key)
                ids = {slot: value for slot, value in write.items() if slot not in ("tool", "customer")}
                answer = clerk_for(store, customer_id).call(write["tool"], **ids)
                if not isinstance(answer, Answer):
                    problems.append(f"{case.name}: {answer.text}")
    assert not problems, "\n".join(problems)


def _id(store: Any, email: str) -> str | None:
    customer = store.customer_by_email(email)
    return customer.id if customer else None
