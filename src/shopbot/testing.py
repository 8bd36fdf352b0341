"""Test plugins and apps: a pytest plugin with a demo store, a bot on the scripted backend, and conversations to read.

Installed with shopbot; nothing happens in a test that asks for none of its fixtures::

    def test_cancel(shopbot_conversation):
        talk = shopbot_conversation(plugins={"orders": shopbot_orders}, customer="ada@example.com")
        talk.say("cancel my last order", acts='cancel_order(order="my last order")')
        talk.say("no longer needed", acts='inform(reason="no longer needed")')
        talk.say("yes")
        assert_wrote(talk, "cancel_order", reason="no longer needed")

When such a test fails, the conversation is printed beneath the traceback. The demo store is the same everywhere: seed
7, on 15 June 2026.
"""

from __future__ import annotations

import ipaddress
import shutil
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shopbot.backends.scripted import Script
    from shopbot.bot import Bot
    from shopbot.store import Store
    from shopbot.tools import Tool
    from shopbot.types import Reply, ToolCall

DEMO_DAY = date(2026, 6, 15)
DEMO_SEED = 7


class NetworkForbiddenError(RuntimeError):
    """A test asked for something outside this machine while the fixture ``no_network`` was on."""


class Conversation:
    """One session with a bot whose model is scripted turn by turn. Made by the fixture ``shopbot_conversation``."""

    def __init__(self, bot: Bot, script: TurnScript, *, customer: str | None = None) -> None:
        self.bot = bot
        self.store = bot.store
        self.replies: list[Reply] = []
        self._script = script
        self._lines: list[str] = []
        self.session = bot.session()
        if customer is not None:
            bot.identify(self.session.id, find_customer(bot.store, customer))

    def say(self, message: str, acts: str | Sequence[str] | None = None) -> Reply:
        """Play one turn: the customer says ``message`` and the model understands ``acts``.

        ``acts`` as the model writes them, ``'cancel_order(order="#W1")'``, several as a sequence. Leave them out where
        code understands by itself (a plain yes or no, an e-mail address that was asked for); if the model is asked all
        the same, the test fails.
        """
        self._script.expect(message, [acts] if isinstance(acts, str) else acts)
        self._lines.append(f"customer: {message}")
        reply = self.session.ask(message)
        self.replies.append(reply)
        self._lines += [f"    act: {act}" for act in reply.acts]
        for call in reply.tool_calls:
            self._lines.append(f"    {call.effect}: {call.tool}({_arguments(call)}){_failure(call)}")
        self._lines.append(f"bot: {reply.text}")
        return reply

    @property
    def writes(self) -> list[ToolCall]:
        """Every write that was done in this conversation."""
        calls = [call for reply in self.replies for call in reply.tool_calls]
        return [call for call in calls if call.effect == "write" and call.error is None]

    @property
    def transcript(self) -> str:
        """What was said, understood and done, for reading."""
        return "\n".join(self._lines)


class TurnScript:
    """The scripted model's part: the acts of the turn that is being played, checked against the enabled tools."""

    def __init__(self) -> None:
        self._signatures: Mapping[str, Mapping[str, Sequence[str]]] = {}
        self._acts: list[str] | None = None
        self._message = ""

    def learn(self, tools: Iterable[Tool]) -> None:
        from shopbot.grammar import signatures

        self._signatures = signatures(tools)

    def expect(self, message: str, acts: Sequence[str] | None) -> None:
        """Set the acts of the next turn; an act that no model could produce fails the test here."""
        from shopbot.grammar import parse

        self._message, self._acts = message, None if acts is None else list(acts)
        for written in self._acts or ():
            parsed = parse(written)
            if len(parsed) != len([line for line in written.splitlines() if line.strip()]):
                pytest.fail(f'{written!r} is no act; write tool(argument="words").')
            for act in parsed:
                known = self._signatures.get(act.name)
                if known is None:
                    pytest.fail(f"There is no tool or dialogue act '{act.name}'; known: {', '.join(self._signatures)}.")
                strangers = [key for key in act.arguments if key not in known]
                if strangers:
                    pytest.fail(f"'{act.name}' takes no '{strangers[0]}'; it takes: {', '.join(known) or 'nothing'}.")

    def __call__(self, _prompt: str) -> str:
        if self._acts is None:
            pytest.fail(f"The model was asked about {self._message!r}; say what it understands: say(…, acts=…).")
        return "\n".join(self._acts)


def make_bot(
    store: Store,
    *,
    tools: Iterable[Tool] = (),
    plugins: Mapping[str, object] | None = None,
    script: Script | None = None,
    config: Mapping[str, Any] | None = None,
    today: date = DEMO_DAY,
) -> Bot:
    """A bot on the scripted backend with these ``plugins`` (name → module) and single ``tools``, and no others.

    ``script``: see :class:`~shopbot.backends.scripted.ScriptedBackend`; without one the model understands nothing.
    ``config``: the tables of shopbot.toml. The caller closes the bot; the store is closed with it.
    """
    from shopbot.backends.scripted import ScriptedBackend
    from shopbot.bot import Bot
    from shopbot.checkpoint import Base, Manifest
    from shopbot.config import check
    from shopbot.plugins import PluginManager
    from shopbot.understand import PROMPT_FORMAT

    settings = check(config or {}, origin="the test's config")
    manager = PluginManager(settings.plugins, is_strict=True)
    for name, plugin in (plugins or {}).items():
        manager.register(plugin, name)
    if offered := list(tools):
        manager.register(_ToolsOnly(offered), "test")
    # every tool counts as trained, so that nothing but the script decides what is understood
    manifest = Manifest(
        name="scripted",
        base=Base(source="scripted", sha256="0" * 64),
        prompt_format=PROMPT_FORMAT,
        tools=tuple(manager.tools()),
        created=datetime(2026, 6, 15, tzinfo=timezone.utc),
    )
    backend = ScriptedBackend({"": "out_of_scope()"} if script is None else script)
    return Bot(
        config=settings,
        store=store,
        plugins=manager,
        backend=backend,
        manifest=manifest,
        today=lambda: today,
        cloud=manager.cloud_model(),
    )


def find_customer(store: Store, customer: str) -> str:
    """The id of a customer named by id or e-mail address; fails the test if there is none."""
    found = store.customer(customer) or store.customer_by_email(customer)
    if found is None:
        pytest.fail(f"The store has no customer '{customer}'.")
    return found.id


def assert_wrote(conversation: Conversation, tool: str, **arguments: Any) -> ToolCall:
    """Assert that ``tool`` wrote exactly once, with at least these arguments, and that the ledger has it."""
    done = [call for call in conversation.writes if call.tool == tool]
    others = ", ".join(f"{call.tool}({_arguments(call)})" for call in conversation.writes) or "nothing"
    assert len(done) == 1, f"{tool} should have written once; written: {others}\n{conversation.transcript}"
    [call] = done
    for key, value in arguments.items():
        assert call.arguments.get(key) == value, f"{tool}: {key} is {call.arguments.get(key)!r}, not {value!r}"
    assert conversation.store.written(call.call_id) is not None, f"{tool} is not in the store's ledger"
    return call


@contextmanager
def assert_nothing_changed(store: Store) -> Iterator[None]:
    """Assert that the block leaves the store's customers and orders as they are."""
    from shopbot.evals import snapshot

    before = snapshot(store)
    yield
    after = snapshot(store)
    changed = [
        f"{table}.{key}"
        for table in sorted({*before, *after})
        for key in sorted({*before.get(table, {}), *after.get(table, {})})
        if before.get(table, {}).get(key) != after.get(table, {}).get(key)
    ]
    assert not changed, f"changed in the store: {', '.join(changed[:20])}"


@pytest.fixture(scope="session")
def _shopbot_demo_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo store's file, filled once."""
    from shopbot.stores.demo import fill_demo
    from shopbot.stores.sql import open_store

    path = tmp_path_factory.mktemp("shopbot-demo") / "demo.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        fill_demo(store, seed=DEMO_SEED, today=DEMO_DAY)
    return path


@pytest.fixture
def demo_store(_shopbot_demo_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A fresh demo store, a copy of one that is filled once a run."""
    from shopbot.stores.sql import open_store

    path = tmp_path / "shopbot-demo.db"
    shutil.copyfile(_shopbot_demo_template, path)
    with closing(open_store(f"sqlite:///{path}")) as store:
        yield store


@pytest.fixture
def shopbot_bot(demo_store: Store) -> Iterator[Callable[..., Bot]]:
    """``make_bot`` on ``demo_store``: call it with ``plugins``, ``tools``, ``script``, ``config``, ``today``."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Bot:
            bot = make_bot(settings.pop("store", demo_store), **settings)
            stack.callback(bot.close)
            return bot

        yield make


@pytest.fixture
def shopbot_conversation(
    shopbot_bot: Callable[..., Bot], request: pytest.FixtureRequest
) -> Callable[..., Conversation]:
    """Start a :class:`Conversation`: arguments as ``shopbot_bot``, and ``customer`` (e-mail or id) who is signed in."""
    conversations = request.node.stash.setdefault(_CONVERSATIONS, [])

    def start(*, customer: str | None = None, **settings: Any) -> Conversation:
        script = TurnScript()
        bot = shopbot_bot(script=script, **settings)
        script.learn(bot.tools.values())
        conversation = Conversation(bot, script, customer=customer)
        conversations.append(conversation)
        return conversation

    return start


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid every connection and name lookup beyond this machine; loopback and local sockets work."""
    connect, connect_ex, send_to, look_up = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.getaddrinfo,
    )

    def guarded_connect(self: socket.socket, address: Any) -> None:
        connect(self, _allowed(self, address))

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        return connect_ex(self, _allowed(self, address))

    def guarded_send_to(self: socket.socket, data: Any, *arguments: Any) -> int:
        _allowed(self, arguments[-1])
        return send_to(self, data, *arguments)

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        _check_host(host)
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket.socket, "sendto", guarded_send_to)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


_CONVERSATIONS: pytest.StashKey[list[Conversation]] = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Print the conversations of a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for conversation in item.stash.get(_CONVERSATIONS, []):
            report.sections.append(("shopbot conversation", conversation.transcript))


class _ToolsOnly:
    """A plugin that offers tools and nothing else."""

    def __init__(self, tools: list[Tool]) -> None:
        from shopbot.hookspecs import hookimpl

        def shopbot_register_tools() -> list[Tool]:
            return tools

        self.shopbot_register_tools = hookimpl(shopbot_register_tools)


def _allowed(connection: socket.socket, address: Any) -> Any:
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        _check_host(address[0])
    return address


def _check_host(host: Any) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name is None or name in ("", "localhost"):
        return
    try:
        is_here = ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise NetworkForbiddenError(f"This test may not reach '{name}': it runs with the fixture 'no_network'.")


def _arguments(call: ToolCall) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in call.arguments.items())


def _failure(call: ToolCall) -> str:
    return f" failed: {call.error}" if call.error else ""
