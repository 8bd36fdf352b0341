"""A bot on the scripted backend with a tiny plugin, served by a real server on a free port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import httpx
import pytest

from shopbot.backends.scripted import ScriptedBackend
from shopbot.bot import Bot
from shopbot.config import Config, check
from shopbot.hookspecs import hookimpl
from shopbot.plugins import PluginManager
from shopbot.server.app import create_app
from shopbot.server.guard import LOOPBACK_NAMES
from shopbot.server.run import Server, bind, url_of
from shopbot.stores.sql import open_store
from shopbot.tools import Context, Slot, Tool, tool
from shopbot.transcript import Recorder
from shopbot.types import Answer

SCRIPT = {
    "when do you open?": "opening_hours()",
    "wrap it": "wrap_gift()",
    "wait for me": "wait_here()",
    "I want a human": "handoff()",
    "": "out_of_scope()",
}
SECRET = "s3cret"


class Door:
    """Holds turns back until it is opened; ``entered`` counts those that wait."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.is_open = threading.Event()

    def tools(self) -> list[Tool]:
        @tool(effect="read", examples=["when do you open?", "are you open on sunday"])
        def opening_hours(ctx: Context) -> Answer:
            "When the shop is open."
            return Answer("We are open from 9 to 18. <b>Really</b>.")

        @tool(effect="read", examples=["wrap it", "gift wrap please"])
        def wrap_gift(ctx: Context, paper: Annotated[Literal["red", "blue"], Slot("Which paper?")]) -> Answer:
            "Wrap a gift."
            return Answer(f"Wrapped in {paper} paper.")

        @tool(effect="read", examples=["wait for me", "hold on a minute"])
        def wait_here(ctx: Context) -> Answer:
            "Wait."
            self.entered.release()
            assert self.is_open.wait(20), "the test did not open the door"
            return Answer("Here you are.")

        return [opening_hours, wrap_gift, wait_here]


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.is_open.set()


@pytest.fixture
def make_bot(tmp_path: Path, door: Door) -> Iterator[Callable[..., Bot]]:
    with ExitStack() as opened:

        def make(recorder: Recorder | None = None, **sections: Any) -> Bot:
            config: Config = check({"identity": {"token_secret": SECRET}, **sections})
            plugins = PluginManager(is_strict=True)
            hook = hookimpl(lambda config: door.tools(), specname="shopbot_register_tools")
            plugins.register(SimpleNamespace(shopbot_register_tools=hook), "tiny")
            store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
            return opened.enter_context(
                Bot(config=config, store=store, plugins=plugins, backend=ScriptedBackend(SCRIPT), recorder=recorder)
            )

        yield make


_RUNNING: dict[str, Server] = {}


@contextmanager
def serving(bot: Bot, **options: Any) -> Iterator[str]:
    """The address of a running server for ``bot``."""
    ready = threading.Event()
    with bind("127.0.0.1", 0) as bound:
        url = url_of(bound)
        server = _RUNNING[url] = Server(create_app(bot, **options), ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            assert ready.wait(20), "the server did not start"
            yield url
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"
            del _RUNNING[url]


class Visitor:
    """What the chat page does: start sessions and say things. It keeps the sessions' tokens, and no cookies."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)
        self.tokens: dict[str, str] = {}

    def session(self, **body: Any) -> str:
        answer = self.http.post("/v1/sessions", json=body)
        assert answer.status_code == 200, answer.text
        self.http.cookies.clear()
        started = answer.json()
        self.tokens[started["session_id"]] = started["session_token"]
        return str(started["session_id"])

    def key(self, session_id: str) -> dict[str, str]:
        """The header that opens the session; some header for one that is not ours."""
        return {"Authorization": f"Bearer {self.tokens.get(session_id, 'a-token-of-no-session')}"}

    def ask(self, method: str, session_id: str, path: str = "", **options: Any) -> httpx.Response:
        """A request for something of a session, with its key."""
        headers = {**self.key(session_id), **options.pop("headers", {})}
        return self.http.request(method, f"/v1/sessions/{session_id}{path}", headers=headers, **options)

    def say(self, session_id: str, text: str, **more: Any) -> httpx.Response:
        return self.ask("POST", session_id, "/messages", json={"text": text, **more})


@pytest.fixture(name="serving")
def _serving() -> Callable[..., Any]:
    return serving


@pytest.fixture
def stop() -> Callable[[str], None]:
    """Tell the server at an address to stop, as a signal would."""

    def tell(url: str) -> None:
        _RUNNING[url].should_exit = True

    return tell


@pytest.fixture
def visitor_of() -> type[Visitor]:
    return Visitor


@pytest.fixture
def visit(make_bot: Callable[..., Bot]) -> Iterator[Callable[..., Visitor]]:
    """Serve a bot and visit it: ``visit(hosts=…, server={…})``; sections are those of the configuration."""
    with ExitStack() as opened:

        def start(hosts: frozenset[str] | None = LOOPBACK_NAMES, **sections: Any) -> Visitor:
            visitor = Visitor(opened.enter_context(serving(make_bot(**sections), hosts=hosts)))
            opened.callback(visitor.http.close)
            return visitor

        yield start


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    return visit()
