"""Many threads on one bot: sessions stay apart, and one session's turns come one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import shopbot_orders
import shopbot_returns

from shopbot import Bot, Reply
from shopbot.store import CANCELLED, PENDING, Customer, Order, Store

THREADS, ROUNDS = 16, 3


def acts(prompt: str) -> str:
    """The model's part: a message that names an order means to cancel it."""
    message = prompt.rpartition("] ")[2].removesuffix("<|im_end|>")
    order = message.partition("cancel ")[2].partition(",")[0]
    return f'cancel_order(order="{order}", reason="no longer needed")' if order else "smalltalk()"


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot]) -> Bot:
    return shopbot_bot(plugins={"orders": shopbot_orders, "returns": shopbot_returns}, script=acts)


def pending(store: Store) -> list[tuple[Customer, Order]]:
    """Every order that can still be cancelled, with its customer."""
    customers = store.contents().customers  # type: ignore[attr-defined]
    found = [(customer, order) for customer in customers for order in store.orders(customer.id)]
    return [(customer, order) for customer, order in found if order.status == PENDING]


def at_once(works: Sequence[Callable[[], Reply]]) -> list[Reply]:
    """Run every work in a thread of its own, all starting together."""
    gate = threading.Barrier(len(works))

    def start(work: Callable[[], Reply]) -> Reply:
        gate.wait(20)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(start, works))


def test_many_sessions_in_many_threads_stay_apart(bot: Bot) -> None:
    wanted = pending(bot.store)[:THREADS]
    assert len(wanted) > 4, "the demo store has too few pending orders for this test"

    def visit(customer: Customer, order: Order) -> list[str]:
        texts = []
        session = bot.session()
        for _ in range(ROUNDS):
            session.ask("hello")
        texts.append(session.ask(f"cancel {order.id}, no longer needed").text)
        texts.append(session.ask(customer.email).text)
        texts.append(session.ask("yes").text)
        assert session.view.customer_id == customer.id
        return texts

    with ThreadPoolExecutor(len(wanted)) as pool:
        said = list(pool.map(lambda pair: visit(*pair), wanted))

    for (customer, order), texts in zip(wanted, said, strict=True):
        after = bot.store.order(order.id)
        assert after is not None and after.status == CANCELLED, texts
        others = [other.id for _, other in wanted if other.customer_id != customer.id]
        assert not [other for other in others if other in " ".join(texts)], "another visitor's order in the reply"


def test_one_session_from_two_threads_writes_once(bot: Bot) -> None:
    for customer, order in pending(bot.store)[:8]:
        session = bot.session()
        bot.identify(session.id, customer.id)
        session.ask(f"cancel {order.id}, no longer needed")
        replies = at_once([lambda: session.ask("yes"), lambda: session.ask("yes")])  # noqa: B023
        writes = [call for reply in replies for call in reply.tool_calls if call.effect == "write"]
        assert [call.arguments["order"] for call in writes] == [order.id]
        assert session.view.turns == 3, "both were answered"


def test_a_request_sent_twice_at_once_is_one_turn(bot: Bot) -> None:
    customer, order = pending(bot.store)[0]
    session = bot.session()
    bot.identify(session.id, customer.id)
    session.ask(f"cancel {order.id}, no longer needed")
    first, second = at_once([lambda: session.ask("yes", request_id="r1")] * 2)
    assert first.text == second.text
    assert first.tool_calls == second.tool_calls
    assert session.view.turns == 2


def test_one_session_in_two_bots_at_once_writes_once(bot: Bot, shopbot_bot: Callable[..., Bot]) -> None:
    """As two processes on one store do: neither has the other's lock."""
    other = shopbot_bot(plugins={"orders": shopbot_orders}, script=acts)
    customer, order = pending(bot.store)[0]
    session = bot.session()
    bot.identify(session.id, customer.id)
    session.ask(f"cancel {order.id}, no longer needed")
    replies = at_once([lambda: session.ask("yes"), lambda: other.ask(session.id, "yes")])
    writes = [call for reply in replies for call in reply.tool_calls if call.effect == "write"]
    assert [call.arguments["order"] for call in writes] == [order.id]
