"""Another model's tool calls, drawn at random from everybody's records: nothing foreign told, nothing done unasked."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest
import shopbot_orders
import shopbot_returns

from shopbot import Bot, Customer, Reply, Store, Tool
from shopbot.errors import SessionError
from shopbot.testing import find_customer

CALLS = 130
_RECORD = re.compile(r"#W\d{7}|[\w.+-]+@[\w.-]+\w|(?:credit_card|paypal|gift_card)_\d+|\b\d{12}\b")
_WORDS = ("everything", "all of it", "the last one", "2", "yes", "go ahead", "the cheapest one", "gift card", "")


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot]) -> Bot:
    return shopbot_bot(plugins={"orders": shopbot_orders, "returns": shopbot_returns})


def owners(store: Store) -> dict[str, str]:
    """Every identifying value of the shop → whose it is."""
    customers: list[Customer] = store.contents().customers  # type: ignore[attr-defined]
    found = {}
    for customer in customers:
        found |= {customer.email: customer.id} | {method.id: customer.id for method in customer.payment_methods}
        for order in store.orders(customer.id):
            found |= {order.id: customer.id}
            found |= {number: customer.id for parcel in order.fulfillments for number in parcel.tracking_ids}
    return found


def drawn(rng: random.Random, tool: Tool, values: list[str], own: list[str]) -> dict[str, str]:
    """Arguments of any sense and none; often one's own records, so that something is read back now and then."""
    arguments = {}
    for parameter in tool.spoken:
        if parameter.choices:
            arguments[parameter.name] = rng.choice(parameter.choices)
        elif rng.random() < 0.7:
            pool = rng.choice((own, values, _WORDS))
            arguments[parameter.name] = " ".join(rng.choice(pool) for _ in range(rng.choice((1, 1, 2))))
    return arguments


def foreign(reply: Reply, whose: Mapping[str, str], me: str, given: str) -> list[str]:
    """Records of others that the reply tells and the call did not have."""
    told = " ".join([reply.text, *(repr(call) for call in reply.tool_calls)])
    return [record for record in _RECORD.findall(told) if whose.get(record, me) != me and record not in given]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_foreign_is_told_and_nothing_unconfirmed_is_done(
    bot: Bot, unchanged: Callable[[Store], AbstractContextManager[None]], seed: int
) -> None:
    rng, whose = random.Random(seed), owners(bot.store)
    me = find_customer(bot.store, "ada@example.com")
    own = [record for record, owner in whose.items() if owner == me]
    session = bot.session().id
    bot.identify(session, me)
    seen: set[str] = set()
    with unchanged(bot.store):
        for number in range(CALLS):
            if number % 60 == 59:  # a session takes so many turns at most
                session = bot.session().id
                bot.identify(session, me)
            tool = rng.choice(list(bot.tools.values()))
            arguments = drawn(rng, tool, [*whose], own)
            reply = bot.call(session, tool.name, arguments)
            assert not [call for call in reply.tool_calls if call.effect == "write"], (tool.name, arguments)
            assert not foreign(reply, whose, me, repr(arguments)), (tool.name, arguments, reply.text)
            waits = bot.pending(session)
            if waits is not None:
                seen.add(waits.tool)
            for guess in (rng.choice([*whose]), "yes", f"{rng.getrandbits(256):064x}"):
                with pytest.raises(SessionError):
                    bot.confirm(session, guess)
    assert len(seen) >= 2, f"too few read-backs were reached for this test to see anything: {seen}"
