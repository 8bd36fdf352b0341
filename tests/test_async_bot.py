"""The asyncio wrapper: turns in threads, and what a cancelled await leaves behind."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path

import pytest
import shopbot_orders

from shopbot import ActEvent, AsyncBot, Bot, Context, DeltaEvent, ReplyEvent, ShopbotError, tool
from shopbot.errors import ModelNotFoundError, SessionError, TokenError
from shopbot.store import CANCELLED, Store
from shopbot.testing import find_customer
from shopbot.tools import Tool
from shopbot.types import Answer

ADA = "ada@example.com"
ORDER = "#W4382745"
WISH = f"cancel {ORDER}, no longer needed"
SCRIPT = {
    WISH: f'cancel_order(order="{ORDER}", reason="no longer needed")',
    "wait": "wait_here()",
    "yes": "affirm()",
    "": "smalltalk()",
}
PLACE: ContextVar[str] = ContextVar("PLACE", default="nowhere")


class Door:
    """A tool that holds its turn until the test opens it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.is_open = threading.Event()
        self.seen: list[str] = []

    def tool(self) -> Tool:
        @tool(effect="read", examples=["wait", "wait here"])
        def wait_here(ctx: Context) -> Answer:
            "Wait."
            self.seen.append(PLACE.get())
            self.entered.set()
            assert self.is_open.wait(20), "the test did not open the door"
            return Answer("Here you are.")

        return wait_here


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot], door: Door) -> Bot:
    return shopbot_bot(plugins={"orders": shopbot_orders}, tools=[door.tool()], script=SCRIPT)


async def entered(door: Door) -> None:
    assert await asyncio.to_thread(door.entered.wait, 20), "the turn did not begin"


def test_a_conversation(bot: Bot) -> None:
    async def talk() -> None:
        async with AsyncBot(bot) as shop:
            session = await shop.session()
            assert "look that up" in (await session.ask(WISH)).text
            reply = await session.ask(ADA)
            assert reply.awaiting is not None and reply.awaiting.kind == "confirmation"
            assert (await session.view()).tasks == ("cancel_order",)
            assert "is cancelled" in (await session.ask("yes")).text

            again = await shop.session(session.id)
            assert (await again.view()).turns == 3

    asyncio.run(talk())
    order = bot.store.order(ORDER)
    assert order is not None and order.status == CANCELLED
    assert bot.session().ask("hello").text, "the wrapped bot stays open"


def test_errors_come_through(bot: Bot) -> None:
    async def ask_wrongly() -> None:
        async with AsyncBot(bot) as shop:
            with pytest.raises(SessionError):
                await shop.ask("nobody", "hello")
            with pytest.raises(TokenError):
                await shop.session(customer_token="rubbish")
        with pytest.raises(ShopbotError, match=r"closed\. Open another one"):
            await shop.session()

    asyncio.run(ask_wrongly())


def test_the_loop_goes_on_while_a_turn_runs_and_the_turn_sees_its_context(bot: Bot, door: Door) -> None:
    async def talk() -> str:
        async with AsyncBot(bot) as shop:
            PLACE.set("this request")
            session = await shop.session()
            turn = asyncio.create_task(session.ask("wait"))
            await entered(door)  # only a loop that is free gets here
            door.is_open.set()
            return (await turn).text

    assert asyncio.run(talk()) == "Here you are."
    assert door.seen == ["this request"]


def test_a_cancelled_turn_that_runs_is_finished_and_its_reply_is_kept(bot: Bot, door: Door) -> None:
    async def talk() -> str:
        async with AsyncBot(bot) as shop:
            session = await shop.session()
            turn = asyncio.create_task(session.ask("wait", request_id="once"))
            await entered(door)
            turn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await turn
            door.is_open.set()
            reply = await session.ask("wait", request_id="once")
            assert (await session.view()).turns == 1
            return reply.text

    assert asyncio.run(talk()) == "Here you are."
    assert len(door.seen) == 1, "the tool ran once"


def test_a_cancelled_write_is_done_once(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The await is given up while the write's transaction is open."""
    begun, go_on = threading.Event(), threading.Event()
    execute = bot.store.execute

    def slow_execute(*arguments: object, **named: object) -> object:
        begun.set()
        assert go_on.wait(20), "the test did not let the write go on"
        return execute(*arguments, **named)  # type: ignore[arg-type]

    # patched because nothing else stops exactly between the customer's yes and the write
    monkeypatch.setattr(bot.store, "execute", slow_execute)

    async def talk() -> str:
        async with AsyncBot(bot) as shop:
            session = await shop.session()
            bot.identify(session.id, find_customer(bot.store, ADA))
            await session.ask(WISH)
            turn = asyncio.create_task(session.ask("yes", request_id="yes-1"))
            assert await asyncio.to_thread(begun.wait, 20), "the write did not begin"
            turn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await turn
            go_on.set()
            return (await session.ask("yes", request_id="yes-1")).text

    assert f"Order {ORDER} is cancelled" in asyncio.run(talk())
    assert ledger_of(bot.store) == ["cancel_order"]


def test_a_turn_comes_event_by_event(bot: Bot, door: Door) -> None:
    async def talk() -> list[object]:
        async with AsyncBot(bot) as shop:
            session = await shop.session()
            events = session.stream("wait", request_id="once")
            first = await anext(events)
            assert isinstance(first, ActEvent) and not door.is_open.is_set(), "told before the tool has run"
            door.is_open.set()
            rest = [event async for event in events]
            again = [event async for event in session.stream("wait", request_id="once")]
            assert [type(event) for event in again] == [type(event) for event in rest]
            assert isinstance(again[-1], ReplyEvent) and again[-1].reply.text == "Here you are."
            return rest

    *pieces, last = asyncio.run(talk())
    assert isinstance(last, ReplyEvent) and last.reply.text == "Here you are."
    assert "".join(piece.text for piece in pieces if isinstance(piece, DeltaEvent)) == last.reply.text


def test_a_turn_that_is_no_longer_read_is_finished_and_its_reply_is_kept(bot: Bot, door: Door) -> None:
    async def talk() -> str:
        async with AsyncBot(bot) as shop:
            session = await shop.session()
            events = session.stream("wait", request_id="once")
            async for _ in events:
                break
            await events.aclose()
            door.is_open.set()
            return (await session.ask("wait", request_id="once")).text

    assert asyncio.run(talk()) == "Here you are."
    assert len(door.seen) == 1, "the tool ran once"


def test_the_errors_of_a_stream_come_where_it_is_read(bot: Bot) -> None:
    async def talk() -> None:
        async with AsyncBot(bot) as shop:
            with pytest.raises(SessionError):
                async for _ in shop.stream("nobody", "hello"):
                    pass

    asyncio.run(talk())


def test_a_cancelled_turn_that_waits_is_not_taken(bot: Bot, door: Door) -> None:
    async def talk() -> int:
        async with AsyncBot(bot, threads=1) as shop:
            first, second = await shop.session(), await shop.session()
            running = asyncio.create_task(first.ask("wait"))
            await entered(door)
            waiting = asyncio.create_task(second.ask("hello"))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            door.is_open.set()
            await running
            return (await second.view()).turns

    assert asyncio.run(talk()) == 0


def test_a_session_takes_one_thread_and_its_turns_keep_their_order(bot: Bot, door: Door) -> None:
    async def talk() -> list[str]:
        async with AsyncBot(bot, threads=2) as shop:
            busy, other = await shop.session(), await shop.session()
            waiting = [asyncio.create_task(busy.ask("wait")) for _ in range(4)]
            await entered(door)
            assert (await other.ask("hello")).text, "the second thread is free for others"
            door.is_open.set()
            return [(await turn).text for turn in waiting]

    assert asyncio.run(talk()) == ["Here you are."] * 4


def test_closing_waits_for_the_turn_that_runs(bot: Bot, door: Door) -> None:
    async def talk() -> int:
        shop = AsyncBot(bot)
        session = await shop.session()
        turn = asyncio.create_task(session.ask("wait"))
        await entered(door)
        turn.cancel()
        closing = asyncio.create_task(shop.aclose())
        await asyncio.sleep(0)
        assert not closing.done()
        door.is_open.set()
        await closing
        return bot.view(session.id).turns

    assert asyncio.run(talk()) == 1


def test_open_says_what_is_missing(shopbot_home: Path) -> None:
    async def open_it() -> None:
        async with AsyncBot.open():
            raise AssertionError("there is no model here")

    with pytest.raises(ModelNotFoundError, match="shopbot model pull"):
        asyncio.run(open_it())


def test_open_owns_its_bot(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is opened only after the await was cancelled."""
    let_it_open, closed = threading.Event(), threading.Event()

    def slow_open(*_arguments: object, **_named: object) -> Bot:
        assert let_it_open.wait(20)
        return bot

    # patched because the real one takes as long as a model takes to load, not as long as the test needs
    monkeypatch.setattr(Bot, "open", slow_open)
    monkeypatch.setattr(bot, "close", closed.set)

    async def enter() -> None:
        async with AsyncBot.open() as shop:
            await shop.session()

    async def cancel() -> None:
        opening = asyncio.create_task(enter())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    asyncio.run(cancel())
    assert not closed.is_set()
    let_it_open.set()
    assert closed.wait(20), "nobody closed the bot"

    closed.clear()
    asyncio.run(enter())
    assert closed.is_set()


def ledger_of(store: Store) -> list[str]:
    """The tools of every write in the store's ledger."""
    with closing(sqlite3.connect(store.url.database)) as connection:  # type: ignore[attr-defined]
        return [tool for (tool,) in connection.execute("SELECT tool FROM writes ORDER BY written_at")]
