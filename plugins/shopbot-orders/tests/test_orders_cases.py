"""The golden cases are well-formed, cover the plugin, and expect only what the policy allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
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
    """All cases share a store, except those that touch an order which another case has touched."""
    problems: list[str] = []
    with demo_stores() as make:
        fresh = shared = make()
        used: set[str] = set()
        for case in CASES:
            people = {_actor(fresh, case, write) for write in case.writes} | {
                case.customer and _id(fresh, case.customer)
            }
            if None in people and case.customer:
                problems.append(f"{case.name}: nobody is {case.customer}")
            touched = {str(write.get("order", write)) for write in case.writes}
            store = make() if touched & used else shared
            used |= touched
            for write in case.writes:
                ids = {slot: value for slot, value in write.items() if slot not in ("tool", "customer")}
                answer = clerk_for(store, _actor(store, case, write)).call(write["tool"], **ids)
                if not isinstance(answer, Answer):
                    problems.append(f"{case.name}: {answer.text}")
    assert not problems, "\n".join(problems)


def _actor(store: Any, case: Case, write: Mapping[str, Any]) -> str | None:
    """Whose write it is: the order's customer, else the one the write or the case names."""
    order = store.order(write["order"]) if "order" in write else None
    return order.customer_id if order else _id(store, write.get("customer", case.customer))


def _id(store: Any, email: str) -> str | None:
    customer = store.customer_by_email(email)
    return customer.id if customer else None
