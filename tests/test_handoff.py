"""Hand-off: who has a session, that one of two gets it, and that nobody is left waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import shopbot_orders

from shopbot import phrases
from shopbot.bot import Bot
from shopbot.errors import HandoffError, SessionError
from shopbot.handoff import Desk
from shopbot.store import PENDING, Message
from shopbot.stores.sql import open_store
from shopbot.testing import find_customer

IDLE = timedelta(minutes=15)
ORDER = "#W4382745"
CANCEL = f"cancel {ORDER}, it is no longer needed"
SCRIPT = {
    "a person please": "handoff()",
    CANCEL: f'cancel_order(order="{ORDER}", reason="no longer needed")',
    "": "out_of_scope()",
}


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot]) -> Bot:
    return shopbot_bot(plugins={"orders": shopbot_orders}, script=SCRIPT)


@pytest.fixture
def desk(bot: Bot) -> Desk:
    return Desk(bot.store)


@pytest.fixture
def asked(bot: Bot) -> str:
    """A session that waits for a human agent."""
    session = bot.session()
    session.ask("a person please")
    return session.id


def in_a_while(bot: Bot, minutes: float) -> Desk:
    """A desk whose clock is ahead."""
    return Desk(bot.store, now=lambda: datetime.now(timezone.utc) + timedelta(minutes=minutes))


def stands(bot: Bot, session: str) -> tuple[str, str | None, int]:
    """(mode, agent, open tickets)"""
    entry = bot.store.session_entry(session)
    assert entry is not None
    return entry.mode, entry.agent, len(bot.store.tickets(sessions=[session]))


def last(bot: Bot, session: str) -> Message:
    return bot.history(session)[-1]


def test_a_session_goes_to_a_human_agent_and_back(bot: Bot, desk: Desk, asked: str) -> None:
    assert stands(bot, asked) == ("waiting", None, 1)
    assert bot.ask(asked, "hello").text, "the bot goes on until somebody comes"
    desk.claim(asked, "kim")
    assert stands(bot, asked) == ("human", "kim", 1)
    reply = bot.ask(asked, "are you there?")
    assert reply.text == "" and reply.handoff is not None
    seq = desk.reply(asked, "kim", "I am. <b>Hi</b>", "r1")
    said = last(bot, asked)
    assert (said.seq, said.role, said.text, said.payload) == (seq, "agent", "I am. <b>Hi</b>", {"name": "kim"})
    desk.release(asked, "kim")
    assert stands(bot, asked) == ("bot", None, 0)
    told = last(bot, asked)
    assert (told.role, told.text) == ("bot", phrases.AGENT_DONE)
    assert told.payload["acts"] == told.payload["tool_calls"] == []
    assert bot.ask(asked, "hello").text
    bot.ask(asked, "a person please")
    assert stands(bot, asked) == ("waiting", None, 1), "a new ticket"


def test_a_message_that_is_sent_again_is_said_once(bot: Bot, desk: Desk, asked: str) -> None:
    desk.claim(asked, "kim")
    assert desk.reply(asked, "kim", "hi", "r1") == desk.reply(asked, "kim", "hi", "r1")
    desk.release(asked, "kim")
    assert desk.reply(asked, "kim", "hi", "r1") == 3, "also when it is over"
    assert [message.text for message in bot.history(asked) if message.role == "agent"] == ["hi"]


def test_what_was_read_back_is_not_done_by_a_yes_to_the_human_agent(bot: Bot, desk: Desk) -> None:
    session = bot.session()
    bot.identify(session.id, find_customer(bot.store, "ada@example.com"))
    awaiting = session.ask(CANCEL).awaiting
    assert awaiting is not None and awaiting.kind == "confirmation"
    desk.claim(session.id, "kim")
    session.ask("yes")
    desk.release(session.id, "kim")
    session.ask("yes")
    order = bot.store.order(ORDER)
    assert order is not None and order.status == PENDING


def test_of_two_who_claim_one_gets_it(bot: Bot, asked: str) -> None:
    with closing(open_store(str(bot.store.url))) as elsewhere:  # type: ignore[attr-defined]
        start, got, told = threading.Barrier(2), [], []

        def claim(desk: Desk, agent: str) -> None:
            start.wait(20)
            try:
                desk.claim(asked, agent)
                got.append(agent)
            except HandoffError as error:
                told.append(str(error))

        desks = [(Desk(bot.store), "kim"), (Desk(elsewhere), "ray")]
        threads = [threading.Thread(target=claim, args=pair) for pair in desks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(got) == 1
    assert told == [f"{got[0]} has this conversation. Ask them to give it back."]
    assert stands(bot, asked) == ("human", got[0], 1)


def test_only_who_has_a_session_may_answer_in_it(bot: Bot, desk: Desk, asked: str) -> None:
    uses: list[Callable[[str], Any]] = [
        lambda agent: desk.reply(asked, agent, "hi", "r9"),
        lambda agent: desk.release(asked, agent),
    ]
    for use in uses:
        with pytest.raises(HandoffError, match="Claim it first"):
            use("kim")
    desk.claim(asked, "ray")
    desk.claim(asked, "ray")
    for use in [*uses, lambda agent: desk.close(asked, agent), lambda agent: desk.claim(asked, agent)]:
        with pytest.raises(HandoffError, match="ray has this conversation"):
            use("kim")
    assert stands(bot, asked) == ("human", "ray", 1)
    for use in (lambda: desk.claim("nobody", "kim"), lambda: desk.close("nobody", "kim")):
        with pytest.raises(SessionError):
            use()


def test_a_session_is_given_to_a_colleague(bot: Bot, desk: Desk, asked: str) -> None:
    desk.claim(asked, "kim")
    desk.release(asked, "kim", to="waiting")
    assert stands(bot, asked) == ("waiting", None, 1)
    assert last(bot, asked).text == phrases.AGENT_LEFT
    desk.claim(asked, "ray")
    assert stands(bot, asked) == ("human", "ray", 1)


def test_what_was_settled_elsewhere_is_closed_without_a_word(bot: Bot, desk: Desk, asked: str) -> None:
    said = len(bot.history(asked))
    desk.close(asked, "kim")
    desk.close(asked, "kim")
    assert stands(bot, asked) == ("bot", None, 0)
    assert len(bot.history(asked)) == said
    desk.claim(asked, "kim")
    desk.close(asked, "kim")
    assert last(bot, asked).text == phrases.AGENT_DONE


def test_a_ticket_of_a_session_that_is_with_the_bot_again_can_be_closed(bot: Bot, desk: Desk, asked: str) -> None:
    bot.set_mode(asked, "bot")
    assert stands(bot, asked) == ("bot", None, 1)
    desk.close(asked, "kim")
    assert stands(bot, asked) == ("bot", None, 0)


def test_a_customer_whose_agent_does_not_answer_waits_again(bot: Bot, desk: Desk, asked: str) -> None:
    desk.claim(asked, "kim")
    bot.ask(asked, "hello?")
    assert in_a_while(bot, 14).return_idle(IDLE) == []
    assert stands(bot, asked)[0] == "human"
    assert in_a_while(bot, 16).return_idle(IDLE) == [asked]
    assert stands(bot, asked) == ("waiting", None, 1)
    assert last(bot, asked).text == phrases.AGENT_LEFT
    assert in_a_while(bot, 60).return_idle(IDLE) == []


def test_a_customer_whose_agent_says_nothing_at_all_waits_again(bot: Bot, desk: Desk, asked: str) -> None:
    desk.claim(asked, "kim")
    assert in_a_while(bot, 16).return_idle(IDLE) == [asked]
    assert stands(bot, asked) == ("waiting", None, 1)


def test_an_agent_has_time_to_answer_however_long_they_were_quiet(bot: Bot) -> None:
    session = bot.session().id
    in_a_while(bot, -30).claim(session, "kim")
    bot.ask(session, "back again")
    assert Desk(bot.store).return_idle(IDLE) == []
    assert stands(bot, session)[0] == "human"


def test_where_nobody_says_anything_the_bot_takes_over(bot: Bot, desk: Desk, asked: str) -> None:
    desk.claim(asked, "kim")
    desk.reply(asked, "kim", "anything else?", "r1")
    assert in_a_while(bot, 16).return_idle(IDLE) == []
    assert stands(bot, asked) == ("bot", None, 0)
    assert last(bot, asked).text == phrases.AGENT_DONE


def test_a_message_that_comes_while_the_agent_answers_is_kept(bot: Bot, desk: Desk, asked: str) -> None:
    desk.claim(asked, "kim")

    def answer() -> None:
        for number in range(10):
            desk.reply(asked, "kim", f"agent {number}", f"a{number}")

    thread = threading.Thread(target=answer)
    thread.start()
    for number in range(10):
        bot.ask(asked, f"customer {number}", request_id=f"c{number}")
    thread.join(30)
    texts = [message.text for message in bot.history(asked)]
    assert {f"{who} {number}" for who in ("agent", "customer") for number in range(10)} <= set(texts)
    assert [message.seq for message in bot.history(asked)] == list(range(1, len(texts) + 1))
