"""What leaves the box: the bytes on the wire, read."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shopbot import Bot, Customer

KEY = "sk-deferral-CANARY-key"


def customers_of(bot: Bot) -> list[Customer]:
    customers: list[Customer] = bot.store.contents().customers  # type: ignore[attr-defined]
    return [customer for customer in customers if customer.order_ids and customer.payment_methods]


@pytest.mark.parametrize("place", range(4))
def test_nothing_personal_is_on_the_wire_and_the_answer_means_the_customers_own_words(
    make_bot: Callable[..., Bot],
    serve: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    own_home: Path,
    place: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud = serve(lambda chat, schema: f'order_status(order="{placeholder(chat, "ORDER")}")')
    bot = make_bot(cloud)
    who = customers_of(bot)[7 * place]
    order = who.order_ids[0]
    session = bot.session()
    bot.identify(session.id, who.id)
    canaries = {
        "order": order,
        "bare number": order.lstrip("#W"),
        "e-mail": who.email,
        "other e-mail": "canary.person@elsewhere.example",
        "first name": who.first_name,
        "last name": who.last_name,
        "street": who.address.line1,
        "postcode": who.address.postcode,
        "phone": "+1 415 555 0132",
        "card": "4111 1111 1111 1111",
        "customer": who.id,
        "payment": who.payment_methods[0].id,
        "earlier message": "umbrella",
        "session": session.id,
    }
    session.ask("my umbrella leaks")
    reply = session.ask(
        f"{who.first_name} {who.last_name} here, {who.email} or canary.person@elsewhere.example, {who.address.line1}, "
        f"{who.address.postcode}, +1 415 555 0132, card 4111 1111 1111 1111, {who.payment_methods[0].id}: "
        f"whatabout {order}"
    )
    assert reply.explain is not None and reply.explain.deferral == "answered", reply.explain
    assert reply.acts[0].arguments == {"order": order}, "the placeholder stands for the customer's own words"
    assert reply.tool_calls[0].arguments["order"] == order
    body = json.loads(cloud.exchanges[-1].body)
    static, asked = body.pop("messages")
    assert static["content"] == json.loads(cloud.exchanges[0].body)["messages"][0]["content"], "the same for everybody"
    wire = json.dumps([asked, body])
    assert "<ORDER_1>" in wire and "whatabout" in wire, wire
    leaked = {what: value for what, value in canaries.items() if value.casefold() in wire.casefold()}
    assert not leaked, wire
    assert bytes(cloud.received).count(KEY.encode()) == 2, "the key is in the header of each of the two calls alone"
    assert KEY not in wire
    assert KEY not in caplog.text and order not in caplog.text and who.email not in caplog.text
    kept = b"".join(file.read_bytes() for file in own_home.iterdir())
    assert order.encode() not in kept and b"whatabout" not in kept and KEY.encode() not in kept, "in the ledger"


def test_a_visitor_who_gave_their_mail_before_is_not_named_either(
    make_bot: Callable[..., Bot], serve: Callable[..., Any]
) -> None:
    cloud = serve("smalltalk()")
    session = make_bot(cloud).session()
    session.ask("I am nobody@known.example by the way")
    session.ask("so nobody known example it is, hm")
    assert b"known.example" not in cloud.received and b"known example" not in cloud.received


@pytest.mark.parametrize("when", ["at the start", "later"])
def test_a_session_that_said_no_sends_nothing(
    make_bot: Callable[..., Bot], serve: Callable[..., Any], when: str
) -> None:
    cloud = serve("smalltalk()")
    bot = make_bot(cloud)
    session = bot.session(allows_cloud=when != "at the start")
    if when == "later":
        bot.session(session.id, allows_cloud=False)
    reply = session.ask("hm")
    assert reply.explain is not None and reply.explain.deferral == "opted_out"
    assert not cloud.exchanges
    assert session.view.allows_cloud is False


def test_what_says_who_the_customer_is_stays_here(make_bot: Callable[..., Bot], serve: Callable[..., Any]) -> None:
    cloud = serve("find_orders()")
    session = make_bot(cloud).session()
    asked = session.ask("wheres my stuff")
    assert asked.awaiting is not None and asked.awaiting.kind == "identity"
    before = len(cloud.exchanges)
    reply = session.ask("it would be Jane Canary or so")
    assert reply.explain is not None and reply.explain.deferral == "identity"
    assert len(cloud.exchanges) == before


def test_what_code_reads_and_what_is_sure_stays_here(make_bot: Callable[..., Bot], serve: Callable[..., Any]) -> None:
    cloud = serve("find_orders()")
    bot = make_bot(cloud)
    assert bot.session().ask("Где мой заказ").explain is None, "no model was needed"
    assert not cloud.exchanges


def test_off_means_off(make_bot: Callable[..., Bot], serve: Callable[..., Any]) -> None:
    cloud = serve("find_orders()")
    reply = make_bot(cloud, enabled=False).session().ask("hm")
    assert reply.explain is not None and reply.explain.deferral == "off"
    assert not cloud.exchanges


def test_the_ledger_is_for_the_operator_alone(
    make_bot: Callable[..., Bot], serve: Callable[..., Any], own_home: Path
) -> None:
    with closing(make_bot(serve("smalltalk()"))) as bot:
        bot.session().ask("hm")
        assert (own_home / "deferral.db").stat().st_mode & 0o077 == 0


def placeholder(chat: list[dict[str, Any]], kind: str) -> str:
    """The first placeholder of that kind in the customer's message; "" if there is none."""
    said = str(json.loads(chat[-1]["content"])["message"])
    at = said.find(f"<{kind}_")
    return said[at : said.find(">", at) + 1] if at >= 0 else ""
