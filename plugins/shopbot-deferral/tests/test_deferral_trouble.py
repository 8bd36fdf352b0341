"""What goes wrong: the customer waits no longer than the time budget, and is answered as without a cloud."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Any

import pytest
from shopbot_deferral.consultation import Consultation
from shopbot_deferral.ledger import Ledger, ledger_file
from shopbot_deferral.settings import Settings
from shopbot_refine.testing.teacher_server import Mishap, RefusedError

from shopbot import Bot, Question

ASK = Question("hm", "-", ())


def refuse(chat: object, schema: object) -> str:
    raise RefusedError("no")


@pytest.mark.parametrize(
    ("says", "mishap", "outcome"),
    [
        ("handoff()", Mishap("status", 429), "unavailable"),
        ("handoff()", Mishap("status", 500), "unavailable"),
        ("handoff()", Mishap("status", 504), "unavailable"),
        ("handoff()", Mishap("status", 401, code="invalid_api_key"), "rejected"),
        ("handoff()", Mishap("status", 302, headers={"Location": "http://127.0.0.1:1/"}), "rejected"),
        ("handoff()", Mishap("status", 400, code="content_filter"), "refused"),
        ("handoff()", Mishap("garbage"), "malformed"),
        ("handoff()", Mishap("cut"), "offline"),
        ("handoff()", Mishap("cut_answer"), "offline"),
        ("handoff()", Mishap("slow"), "timed_out"),
        (refuse, None, "refused"),
        ("", None, "malformed"),
        ("handoff()\n" * 400, None, "malformed"),
        ("x" * 300_000, None, "malformed"),
    ],
)
def test_the_bot_asks_back_as_it_would_without(
    make_bot: Callable[..., Bot], serve: Callable[..., Any], says: Any, mishap: Mishap | None, outcome: str
) -> None:
    cloud = serve(says, mishap)
    started = monotonic()
    reply = make_bot(cloud, time_budget_s=0.5).session().ask("hm")
    assert monotonic() - started < 3
    assert reply.explain is not None and reply.explain.deferral == outcome
    without = make_bot(cloud, enabled=False).session().ask("hm")
    assert (reply.text, reply.acts) == (without.text, without.acts)


def test_nobody_there_is_offline(make_bot: Callable[..., Bot]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    reply = make_bot(f"http://127.0.0.1:{port}/v1").session().ask("hm")
    assert reply.explain is not None and reply.explain.deferral == "offline"


def test_a_server_that_drips_does_not_hold_a_turn(make_bot: Callable[..., Bot]) -> None:
    """Each byte comes well within any timeout of a read; all of them together do not."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with closing(listening.accept()[0]) as connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        threading.Thread(target=drip, daemon=True).start()
        started = monotonic()
        reply = make_bot(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", time_budget_s=0.4).session().ask("hm")
        waited_s = monotonic() - started
        stop.set()
    assert reply.explain is not None and reply.explain.deferral == "timed_out"
    assert 0.3 < waited_s < 2
    assert reply.timings_ms["defer"] == pytest.approx(400, abs=200)


def test_the_breaker_opens_waits_and_lets_one_try(serve: Callable[..., Any]) -> None:
    now = [0.0]
    cloud = serve("handoff()", *[Mishap("status", 500)] * 4)
    with closing(open_on(cloud, clock=lambda: now[0])) as asked:
        said = [asked.ask(ASK).failure for _ in range(5)]
        assert said == ["unavailable"] * 3 + ["breaker_open"] * 2
        assert len(cloud.exchanges) == 3, "an open breaker sends nothing"
        now[0] = 60.0
        assert [asked.ask(ASK).failure for _ in range(2)] == ["unavailable", "breaker_open"], "the try failed"
        now[0] = 119.0
        assert asked.ask(ASK).failure == "breaker_open"
        now[0] = 120.0
        assert asked.ask(ASK).acts == "handoff()", "half-open, and it is well again"
        assert asked.ask(ASK).acts == "handoff()"


def test_an_endpoint_that_asks_for_a_pause_gets_it(serve: Callable[..., Any]) -> None:
    now = [0.0]
    cloud = serve("handoff()", Mishap("status", 429, headers={"Retry-After": "300"}))
    with closing(open_on(cloud, clock=lambda: now[0])) as asked:
        assert asked.ask(ASK).failure == "unavailable"
        now[0] = 299.0
        assert asked.ask(ASK).failure == "breaker_open"
        now[0] = 300.0
        assert asked.ask(ASK).acts == "handoff()"


def test_a_turn_does_not_wait_behind_another_ones_call(serve: Callable[..., Any]) -> None:
    cloud = serve("handoff()", Mishap("slow"))
    with closing(open_on(cloud, time_budget_s=2.0)) as asked:
        first = threading.Thread(target=asked.ask, args=(ASK,))
        first.start()
        cloud.wait_for(lambda: len(cloud.exchanges) == 1)
        started = monotonic()
        assert asked.ask(ASK).failure == "busy"
        assert monotonic() - started < 0.5
        first.join()


def test_an_endpoint_that_knows_the_old_name_of_the_limit_only(serve: Callable[..., Any]) -> None:
    def check(body: dict[str, Any]) -> Mishap | None:
        is_new = "max_completion_tokens" in body
        return Mishap("status", 400, "unsupported_parameter", param="max_completion_tokens") if is_new else None

    cloud = serve("handoff()", check=check)
    with closing(open_on(cloud)) as asked:
        assert [asked.ask(ASK).acts for _ in range(2)] == ["handoff()"] * 2
        assert [exchange.status for exchange in cloud.exchanges] == [400, 200, 200], "it is learnt once"


def test_a_broken_ledger_sends_nothing(make_bot: Callable[..., Bot], serve: Callable[..., Any]) -> None:
    cloud = serve("handoff()")
    bot = make_bot(cloud)
    with closing(sqlite3.connect(ledger_file())) as other:
        other.execute("DROP TABLE calls")
    reply = bot.session().ask("hm")
    assert reply.explain is not None and reply.explain.deferral == "failed"
    assert not cloud.exchanges


def open_on(cloud: Any, clock: Callable[[], float] = monotonic, **settings: Any) -> Consultation:
    free = {"input_price": 0, "output_price": 0}
    made = Settings(enabled=True, base_url=cloud.base_url, model="large", **free, **settings)
    return Consultation(made, Ledger(ledger_file()), clock)
