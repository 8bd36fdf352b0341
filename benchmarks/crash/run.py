"""Kill -9 at random points of write turns: each write happens once or not at all, and the customer is told which.

    python -m benchmarks.crash.run [--turns 200] [--seed 0]

A child process takes the turn in which the customer says yes and is killed after a random time. The client then
repeats its request (the same request id, as the chat page does) to a fresh process, and its answer is compared with
the store: money moved once and the answer says so, or nothing moved and the answer asks again or says that nothing
was changed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.setup import plugins
from shopbot.backends.scripted import ScriptedBackend
from shopbot.bot import Bot
from shopbot.config import Config, TranscriptsSection
from shopbot.evals import CASE_DAY, demo_stores
from shopbot.plugins import PluginManager
from shopbot.store import PENDING, Order, Store
from shopbot.stores.sql import SqlStore, open_store


def crash(turns: int, seed: int, progress: Callable[[Counter[str]], None] = lambda counts: None) -> Counter[str]:
    """Play ``turns`` cancellations with a kill each; keys of the result that begin with "broken" are holes."""
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    manager = plugins()
    with demo_stores() as make_store:
        store = make_store()
        url = _url(store)
        pending = [order for order in store.contents().orders if order.status == PENDING]
        store.close()
        whole_turn_s = _uninterrupted_s(url, manager, pending.pop())
        for number in range(turns):
            if number % len(pending) == 0 and number:
                counts["store refilled"] += 1
                store = make_store()
                url = _url(store)
                store.close()
            order = pending[number % len(pending)]
            counts[_one(url, manager, order.id, order.customer_id, rng.uniform(0.3, 1.1) * whole_turn_s)] += 1
            progress(counts)
    return counts


def _uninterrupted_s(url: str, manager: PluginManager, order: Order) -> float:
    """How long the child lives when nobody kills it, so that kills can be spread over its whole life."""
    return _child_s(url, manager, _read_back(url, manager, order.id, order.customer_id)[0], None)


def _one(url: str, manager: PluginManager, order_id: str, customer_id: str, delay_s: float | None) -> str:
    session_id, problem = _read_back(url, manager, order_id, customer_id)
    if problem:
        return problem
    _child_s(url, manager, session_id, delay_s)
    bot = _bot(url, manager)
    try:
        return _verdict(bot, session_id, order_id)
    finally:
        bot.close()


def _read_back(url: str, manager: PluginManager, order_id: str, customer_id: str) -> tuple[str, str]:
    """(session id, what is wrong) of a session in which the cancellation was read back and waits for a yes."""
    bot = _bot(url, manager)
    session = bot.session()
    bot.identify(session.id, customer_id)
    asked = session.ask(f"cancel {order_id}, ordered by mistake")
    bot.close()
    is_asked = asked.awaiting is not None and asked.awaiting.kind == "confirmation"
    return session.id, "" if is_asked else f"broken: no read-back but {asked.text!r}"


def _child_s(url: str, manager: PluginManager, session_id: str, delay_s: float | None) -> float:
    """Say yes in a child process, killed after ``delay_s`` seconds; how long it lived."""
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            inside = _bot(url, manager)
            inside.ask(session_id, "yes", request_id="r1")
        finally:
            os._exit(0)
    if delay_s is not None:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return time.perf_counter() - started


def _verdict(bot: Bot, session_id: str, order_id: str) -> str:
    """What the customer is told after the restart, against what the store says."""
    before = _refunds(bot.store, order_id)
    reply = bot.ask(session_id, "yes", request_id="r1")
    refunds = _refunds(bot.store, order_id)
    told_done = "is cancelled" in reply.text
    if refunds > 1:
        return "broken: written twice"
    if told_done != (refunds == 1):
        return f"broken: told {'done' if told_done else 'not done'}, refunds {refunds}: {reply.text!r}"
    if refunds:
        return "once: done before the restart" if before else "once: done by the repeated request"
    if reply.awaiting is not None and reply.awaiting.kind == "confirmation":
        return "not at all: asked again"
    return f"broken: not done and not asked again: {reply.text!r}"


def _refunds(store: Store, order_id: str) -> int:
    order = store.order(order_id)
    return sum(payment.kind == "refund" for payment in order.payments) if order else 0


def _url(store: SqlStore) -> str:
    return store.url.render_as_string(hide_password=False)


def _bot(url: str, manager: PluginManager) -> Bot:
    def script(prompt: str) -> str:
        order_id = prompt[prompt.find("#W") :][:9]
        return f'cancel_order(order="{order_id}", reason="ordered by mistake")' if "#W" in prompt else "affirm()"

    return Bot(
        config=Config(transcripts=TranscriptsSection(enabled=False)),
        store=open_store(url),
        plugins=manager,
        backend=ScriptedBackend(script),
        today=lambda: CASE_DAY,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts = crash(arguments.turns, arguments.seed)
    for what, count in counts.most_common():
        print(f"{count:5}  {what}")
    raise SystemExit(any(what.startswith("broken") for what in counts))


if __name__ == "__main__":
    main()
