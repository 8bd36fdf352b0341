"""One yes, one write: what is no yes, repeated and lost messages, crashes, rivals, a shop that changes meanwhile."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shopbot_orders
import shopbot_returns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot import hookimpl
from shopbot.bot import Bot
from shopbot.confirmation import is_yes
from shopbot.errors import StoreError
from shopbot.store import CANCELLED, PENDING, PROCESSED, Store, Unit, Written
from shopbot.stores.sql import open_store
from shopbot.testing import Conversation, assert_wrote, find_customer
from shopbot.types import Reply

Talk = Callable[..., Conversation]
Unchanged = Callable[[Store], AbstractContextManager[None]]
PLUGINS = {"orders": shopbot_orders, "returns": shopbot_returns}
ADA = "ada@example.com"
ORDER = "#W4382745"
CANCEL = f'cancel_order(order="{ORDER}", reason="no longer needed")'
WISH = f"cancel {ORDER}, no longer needed"


def status(store: Store, order_id: str = ORDER) -> str:
    order = store.order(order_id)
    assert order is not None
    return order.status


@pytest.fixture
def read_back(shopbot_conversation: Talk) -> Conversation:
    """A conversation in which the cancellation of Ada's pending order has just been read back."""
    talk = shopbot_conversation(plugins=PLUGINS, customer=ADA)
    reply = talk.say(WISH, acts=CANCEL)
    assert reply.awaiting is not None and reply.awaiting.kind == "confirmation", talk.transcript
    return talk


@pytest.fixture
def second_bot(shopbot_bot: Callable[..., Bot], tmp_path: Path) -> Iterator[Bot]:
    """Another process' bot on the same store: it has the connection of its own, and no memory of the first."""
    with closing(open_store(f"sqlite:///{tmp_path / 'shopbot-demo.db'}")) as store:
        yield shopbot_bot(store=store, plugins=PLUGINS, script={WISH: CANCEL, "": "affirm()"})


@pytest.mark.parametrize(
    ("message", "acts"),
    [
        ("yes, but refund my gift card", "affirm()"),
        ("yes, only if it has not shipped", "affirm()"),
        ("yes?", "affirm()"),
        ("the weather is nice", "affirm()"),
        ("yes, ordered by mistake", ["affirm()", 'inform(reason="ordered by mistake")']),
        ("yes to everything", ["affirm()", "nevermind()"]),
        ("yes no", ["affirm()", "deny()"]),
        ("please proceed with the shipping", "inform()"),
        ("what was the question", []),
    ],
)
def test_what_is_no_plain_yes_writes_nothing(
    unchanged: Unchanged, read_back: Conversation, message: str, acts: str | list[str]
) -> None:
    with unchanged(read_back.store):
        read_back.say(message, acts=acts)
    assert read_back.writes == []


def test_a_yes_that_corrects_leads_to_a_new_read_back(read_back: Conversation) -> None:
    reply = read_back.say("yes, ordered by mistake", acts=["affirm()", 'inform(reason="ordered by mistake")'])
    assert reply.awaiting is not None and reply.awaiting.kind == "confirmation"
    assert "ordered by mistake" in reply.text
    read_back.say("yes")
    assert_wrote(read_back, "cancel_order", reason="ordered by mistake")


@pytest.mark.parametrize("before", [None, ("cancel something", "cancel_order()"), ("hello", "smalltalk()")])
def test_a_yes_without_a_read_back_writes_nothing(
    unchanged: Unchanged, shopbot_conversation: Talk, before: tuple[str, str] | None
) -> None:
    talk = shopbot_conversation(plugins=PLUGINS, customer=ADA)
    with unchanged(talk.store):
        if before:
            talk.say(before[0], acts=before[1])
        talk.say("yes", acts="affirm()")
        talk.say("yes, do it", acts=["affirm()", CANCEL])
    assert talk.writes == []


def test_two_yeses_are_one_write(unchanged: Unchanged, read_back: Conversation) -> None:
    read_back.say("yes")
    with unchanged(read_back.store):
        read_back.say("yes", acts="affirm()")
    assert_wrote(read_back, "cancel_order", order=ORDER)


def test_a_repeated_request_gets_the_same_reply_and_writes_once(unchanged: Unchanged, read_back: Conversation) -> None:
    first = read_back.session.ask("yes", request_id="r1")
    with unchanged(read_back.store):
        again = read_back.session.ask("yes", request_id="r1")
    assert first.as_json() == again.as_json()
    assert [call.tool for call in first.tool_calls] == ["cancel_order"]
    turns = read_back.session.view.turns
    read_back.session.ask("yes", request_id="r1")
    assert read_back.session.view.turns == turns, "a repeated request is no turn"


def test_a_rival_process_takes_the_same_yes(shopbot_bot: Callable[..., Bot], second_bot: Bot) -> None:
    """Both processes get the yes; the second one gets it while the first is in the middle of its turn."""
    rivals: list[str] = []

    class Rival:
        @hookimpl
        def shopbot_before_turn(self, session: Any, message: str) -> None:
            if message == "yes" and not rivals:
                rivals.append(second_bot.ask(session.id, "yes").text)

    bot = shopbot_bot(plugins={**PLUGINS, "rival": Rival()}, script={WISH: CANCEL, "": "affirm()"})
    session = bot.session()
    bot.identify(session.id, find_customer(bot.store, ADA))
    session.ask(WISH)
    reply = session.ask("yes")
    order = bot.store.order(ORDER)
    assert order is not None and order.status == CANCELLED
    assert [payment.kind for payment in order.payments] == ["payment", "refund"], "refunded once"
    assert "cancelled" in rivals[0]
    assert not reply.tool_calls
    assert session.view.turns == 3


def test_two_processes_take_turns(shopbot_bot: Callable[..., Bot], second_bot: Bot) -> None:
    bot = shopbot_bot(plugins=PLUGINS, script={WISH: CANCEL})
    session = bot.session()
    bot.identify(session.id, find_customer(bot.store, ADA))
    session.ask(WISH)
    assert [call.tool for call in second_bot.ask(session.id, "yes").tool_calls] == ["cancel_order"]
    assert status(bot.store) == CANCELLED


@pytest.mark.parametrize("is_written", [True, False])
def test_after_a_crash_the_customer_is_told(
    unchanged: Unchanged, read_back: Conversation, second_bot: Bot, is_written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = read_back.store.execute

    def crash(*arguments: Any, **options: Any) -> None:
        # the power cut between the write and the reply is the one thing that cannot be had for real
        if is_written:
            execute(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(read_back.store, "execute", crash)
        with pytest.raises(KeyboardInterrupt):
            read_back.session.ask("yes")
    assert status(read_back.store) == (CANCELLED if is_written else PENDING)
    with unchanged(read_back.store):
        text = second_bot.ask(read_back.session.id, "hello, are you there?").text
    if is_written:
        assert "did go through" in text and "57.61" in text, text
        with unchanged(read_back.store):
            second_bot.ask(read_back.session.id, "yes")
    else:
        assert "nothing was changed" in text, text
        assert "Shall I go ahead?" in text, "the customer is asked again"
        assert second_bot.ask(read_back.session.id, "yes").tool_calls[0].tool == "cancel_order"
        assert status(read_back.store) == CANCELLED


@pytest.mark.parametrize("is_writing", [True, False], ids=["in the middle of the write", "just before the write"])
def test_a_rival_never_denies_what_is_written(
    read_back: Conversation, second_bot: Bot, is_writing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same yes comes to a second process, as after a lost connection, while the first one writes."""
    session, execute, load = read_back.session, read_back.store.execute, second_bot.store.load_session
    rivals: list[Reply] = []
    has_loaded = threading.Event()
    rival = threading.Thread(target=lambda: rivals.append(second_bot.ask(session.id, "yes", request_id="r")))

    def load_session(session_id: str) -> Any:
        try:
            return load(session_id)
        finally:
            has_loaded.set()

    def race(*arguments: Any, action: Callable[[Unit], Mapping[str, Any]], **options: Any) -> Written:
        # that the rival comes at just this moment is what cannot be had otherwise
        def slow(unit: Unit) -> Mapping[str, Any]:
            rival.start()
            assert has_loaded.wait(20)
            return action(unit)

        if rival.ident is not None:
            return execute(*arguments, action=action, **options)
        if is_writing:
            return execute(*arguments, action=slow, **options)
        rival.start()
        rival.join(20)
        return execute(*arguments, action=action, **options)

    monkeypatch.setattr(second_bot.store, "load_session", load_session)
    monkeypatch.setattr(read_back.store, "execute", race)
    reply = session.ask("yes", request_id="r")
    rival.join(20)
    assert [rivals[0].text] == [reply.text], "one request, one answer"
    is_cancelled = status(read_back.store) == CANCELLED
    assert ("nothing was changed" in reply.text) != is_cancelled, reply.text
    assert is_cancelled == is_writing


def test_a_connection_that_breaks_just_after_the_write(
    read_back: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = read_back.store.execute

    def breaks(*arguments: Any, **options: Any) -> Written:
        execute(*arguments, **options)
        raise StoreError("The connection was lost.")

    monkeypatch.setattr(read_back.store, "execute", breaks)
    reply = read_back.say("yes")
    assert "cancelled" in reply.text and "57.61" in reply.text, reply.text
    assert_wrote(read_back, "cancel_order", order=ORDER)


def test_a_yes_that_is_sent_again_after_a_crash_has_one_answer(
    read_back: Conversation, second_bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = read_back.store.execute

    def crash(*arguments: Any, **options: Any) -> None:
        execute(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(read_back.store, "execute", crash)
        with pytest.raises(KeyboardInterrupt):
            read_back.session.ask("yes", request_id="r")
    reply = second_bot.ask(read_back.session.id, "yes", request_id="r")
    assert "did go through" in reply.text and "\n\n" not in reply.text, reply.text
    assert reply.awaiting is None and not reply.acts


def back_office(store: Store, change: Callable[[Unit], None]) -> None:
    """Somebody in the shop changes a record while the customer thinks."""

    def action(unit: Unit) -> Mapping[str, Any]:
        change(unit)
        return {}

    store.execute("back office", session_id="", customer_id="", tool="", arguments={}, action=action)


def test_an_order_that_is_shipped_before_the_yes_is_refused(unchanged: Unchanged, read_back: Conversation) -> None:
    back_office(read_back.store, lambda unit: unit.save_order(replace(unit.order(ORDER), status=PROCESSED)))
    with unchanged(read_back.store):
        reply = read_back.say("yes")
    assert "processed already" in reply.text
    assert reply.awaiting is None and read_back.writes == []


def test_what_was_read_back_must_still_hold(unchanged: Unchanged, read_back: Conversation) -> None:
    """An amount that changed in the meantime is read back again; the old yes does not count for it."""

    def pay_part_back(unit: Unit) -> None:
        order = unit.order(ORDER)
        part = replace(order.payments[0], kind="refund", amount=order.payments[0].amount - 10)
        unit.save_order(replace(order, payments=(*order.payments, part)))

    back_office(read_back.store, pay_part_back)
    with unchanged(read_back.store):
        reply = read_back.say("yes")
    assert "$10.00" in reply.text and reply.awaiting is not None, reply.text
    read_back.say("yes")
    assert_wrote(read_back, "cancel_order", order=ORDER)


def test_an_order_that_became_somebody_elses(unchanged: Unchanged, read_back: Conversation, tmp_path: Path) -> None:
    other = find_customer(read_back.store, "chen.schmidt@example.com")
    with closing(sqlite3.connect(tmp_path / "shopbot-demo.db")) as database, database:
        database.execute("UPDATE orders SET customer_id = ? WHERE id = ?", (other, ORDER))
    with unchanged(read_back.store):
        reply = read_back.say("yes")
    assert "can't find that order in your account" in reply.text
    assert read_back.writes == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from("yes no ok but not please sure cancel W1 ?".split()))))
def test_only_a_yes_that_code_can_read_writes(second_bot: Bot, message: str | list[str]) -> None:
    """The model says ``affirm()`` to everything."""
    text = message if isinstance(message, str) else " ".join(message)
    if is_yes(text):
        return
    session = second_bot.session()
    second_bot.identify(session.id, find_customer(second_bot.store, ADA))
    session.ask(WISH)
    assert session.view.awaiting is not None and session.view.awaiting.kind == "confirmation"
    reply = session.ask(text)
    assert not [call for call in reply.tool_calls if call.effect == "write"]
    assert status(second_bot.store) == PENDING
