"""The bot for asyncio: turns run in a few threads, so that the event loop stays free.

::

    async with AsyncBot.open() as bot:
        session = await bot.session()
        print((await session.ask("where is my order?")).text)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from weakref import WeakValueDictionary

from shopbot.bot import Bot
from shopbot.config import Config
from shopbot.errors import ShopbotError
from shopbot.events import ActEvent, OnActs, TurnEvent, reply_events
from shopbot.session import SessionView
from shopbot.types import Act, Reply

T = TypeVar("T")


class AsyncBot:
    """A :class:`Bot` whose methods are awaited.

    Made by :meth:`open`; the constructor wraps a bot that its caller closes, afterwards. ``threads``: how many turns
    may run at once; None: as many as the model has slots. Turns of one session are taken in the order they were asked.

    Cancelling never loses or repeats a write: a turn that has not begun is not taken, and one that has begun runs to
    its end and is saved. Ask again with the same ``request_id`` for the reply of either.
    """

    def __init__(self, bot: Bot, *, threads: int | None = None) -> None:
        self.bot = bot
        self._pool = ThreadPoolExecutor(threads or bot.config.model.slots, thread_name_prefix="shopbot")
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, config: Config | Path | str | None = None, *, strict_plugins: bool = False, threads: int | None = None
    ) -> AsyncIterator[AsyncBot]:
        """Open a bot as :meth:`Bot.open` does, with the same errors, and close it after the last turn has ended."""
        opener = ThreadPoolExecutor(1)
        opening = opener.submit(Bot.open, config, strict_plugins=strict_plugins)
        opener.shutdown(wait=False)
        try:
            bot = await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise
        opened = cls(bot, threads=threads)
        try:
            yield opened
        finally:
            await asyncio.to_thread(opened._close, bot)

    async def session(
        self,
        session_id: str | None = None,
        *,
        customer_token: str | None = None,
        allows_refine: bool = True,
        allows_cloud: bool = True,
    ) -> AsyncSession:
        """Start a session, or go on with one; see :meth:`Bot.session`."""
        session = await self._run(
            lambda: self.bot.session(
                session_id, customer_token=customer_token, allows_refine=allows_refine, allows_cloud=allows_cloud
            )
        )
        return AsyncSession(self, session.id)

    async def ask(self, session_id: str, message: str, *, request_id: str | None = None) -> Reply:
        """Answer one message; see :meth:`Bot.ask`."""
        return await self._ask(session_id, message, request_id)

    async def stream(
        self, session_id: str, message: str, *, request_id: str | None = None
    ) -> AsyncGenerator[TurnEvent, None]:
        """Answer one message, event by event; see :meth:`Bot.stream`. To stop reading is to cancel."""
        happened: asyncio.Queue[ActEvent | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(acts: tuple[Act, ...]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody reads any more, and the turn goes on
                loop.call_soon_threadsafe(happened.put_nowait, ActEvent(acts))

        turn = asyncio.ensure_future(self._ask(session_id, message, request_id, tell))
        turn.add_done_callback(lambda _: happened.put_nowait(None))
        try:
            while (event := await happened.get()) is not None:
                yield event
            for told in reply_events(await turn):
                yield told
        finally:
            turn.cancel()

    async def view(self, session_id: str) -> SessionView:
        """A read-only look at a session."""
        return await self._run(lambda: self.bot.view(session_id))

    async def aclose(self) -> None:
        """Wait for the turns that run, and take no more. The bot itself stays open."""
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> AsyncBot:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _close(self, bot: Bot | None = None) -> None:
        """In one thread, so that a cancelled close still keeps the order: the turns end before the bot does."""
        self._pool.shutdown(wait=True)
        if bot is not None:
            bot.close()

    async def _ask(self, session_id: str, message: str, request_id: str | None, on_acts: OnActs | None = None) -> Reply:
        """A session takes one thread at most, so that a visitor who sends ten messages at once delays nobody else."""
        async with self._line(session_id):
            return await self._run(lambda: self.bot.ask(session_id, message, request_id=request_id, on_acts=on_acts))

    async def _run(self, work: Callable[[], T]) -> T:
        """``work`` in one of the threads. Cancelled: not begun, or to its end without anybody waiting."""
        try:
            future = self._pool.submit(copy_context().run, work)
        except RuntimeError:
            raise ShopbotError("The bot is closed.", remedy="Open another one.") from None
        return await asyncio.wrap_future(future)

    def _line(self, session_id: str) -> asyncio.Lock:
        """The lock of a session; it is forgotten when nobody waits in it."""
        return self._lines.setdefault(session_id, asyncio.Lock())


class AsyncSession:
    """A handle on one session of an :class:`AsyncBot`."""

    def __init__(self, bot: AsyncBot, session_id: str) -> None:
        self._bot = bot
        self.id = session_id

    async def ask(self, message: str, *, request_id: str | None = None) -> Reply:
        """Answer one message; see :meth:`Bot.ask`."""
        return await self._bot.ask(self.id, message, request_id=request_id)

    def stream(self, message: str, *, request_id: str | None = None) -> AsyncGenerator[TurnEvent, None]:
        """Answer one message, event by event; see :meth:`AsyncBot.stream`."""
        return self._bot.stream(self.id, message, request_id=request_id)

    async def view(self) -> SessionView:
        """A read-only look at the session."""
        return await self._bot.view(self.id)


def _close_unwanted(opening: Future[Bot]) -> None:
    """Close the bot that nobody waits for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
