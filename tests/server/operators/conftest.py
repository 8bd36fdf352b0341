"""An operator's key, what opens with it over HTTP, and the operator page in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
import shopbot_orders
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from shopbot.bot import Bot, Session
from shopbot.checkpoint import Base, CheckpointStore, Manifest, write_manifest
from shopbot.keys import hash_key
from shopbot.manifest import Gate
from shopbot.transcript import Recorder
from tests.server.widget.conftest import Service, browser  # noqa: F401 - a fixture

KIM, RAY = "kims-key", "rays-key"
KEYS = {"kim": hash_key(KIM), "ray": hash_key(RAY)}
SCRIPT = {"": "out_of_scope()", "a human please": "handoff()", "list my orders": "find_orders()"}
#: The box may be busy.
TIMEOUT_MS = 30_000
expect.set_options(timeout=TIMEOUT_MS)


HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script> javascript:alert(1)"


class Operators:
    """A served bot, a visitor of it, and two operators."""

    def __init__(self, bot: Any, visitor: Any) -> None:
        self.bot, self.visitor = bot, visitor

    def ask(self, method: str, path: str, key: str = KIM, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.visitor.http.request(method, f"/v1/operator{path}", headers=headers, **options)  # type: ignore[no-any-return]

    def get(self, path: str, **options: Any) -> Any:
        answer = self.ask("GET", path, **options)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    def waiting(self) -> str:
        """A session that waits for a human agent."""
        session = self.visitor.session()
        self.visitor.say(session, "I want a human")
        return str(session)


@pytest.fixture
def operators(make_bot: Any, serving: Any, visitor_of: Any, tmp_path: Path, shopbot_home: Path) -> Iterator[Operators]:
    path = tmp_path / "transcripts.db"
    bot = make_bot(Recorder(path), server={"operator_keys": KEYS}, transcripts={"path": str(path)})
    with serving(bot) as url:
        visitor = visitor_of(url)
        yield Operators(bot, visitor)
        visitor.http.close()


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot], tmp_path: Path, shopbot_home: Path) -> Iterator[Bot]:
    config = {
        "server": {"operator_keys": KEYS},
        "shop": {"name": f"Tea {HOSTILE}"},
        "transcripts": {"path": str(tmp_path / "transcripts.db")},
    }
    made = shopbot_bot(plugins={"orders": shopbot_orders}, script=SCRIPT, config=config)
    recorder = Recorder(tmp_path / "transcripts.db")
    # make_bot records nothing; the page shows transcripts
    yield Bot(config=made.config, store=made.store, plugins=made.plugins, backend=made.backend, recorder=recorder)
    recorder.close()


@pytest.fixture
def service(bot: Bot) -> Iterator[Service]:
    started = Service(bot)
    yield started
    started.stop()


class Desk:
    """What an operator does on the page, and sees of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.conversations = page.get_by_role("navigation", name="Conversations")
        self.log = page.get_by_role("log")
        self.answer = page.get_by_label("Your answer, as kim")
        self.problem = page.get_by_role("alert")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def sign_in(self, key: str = KIM) -> None:
        self.page.get_by_label("Operator's key").fill(key)
        self.button("Sign in").click()

    def open(self, section: str) -> None:
        self.page.get_by_role("navigation", name="Sections").get_by_role("link", name=section).click()

    def choose(self, session: Session) -> None:
        self.conversations.locator(f"a[href='#inbox/{session.id}']").click()

    def says(self, text: str) -> None:
        expect(self.log.get_by_text(text, exact=True)).to_be_visible()


@pytest.fixture
def visit(browser: Browser, service: Service) -> Iterator[Callable[..., Desk]]:  # noqa: F811
    """Open the operator page: ``visit(key=KIM, viewport={…})``; options are those of a browser context.

    What the page writes on the console as an error, or does not catch, fails the test; ``errors`` collects it instead.
    """
    contexts: list[BrowserContext] = []
    unexpected: list[str] = []

    def open_page(key: str = KIM, *, errors: list[str] = unexpected, **options: Any) -> Desk:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(f"{service.url}/operator")
        desk = Desk(page)
        if key:
            desk.sign_in(key)
            expect(page.get_by_role("navigation", name="Sections")).to_be_visible()
        return desk

    yield open_page
    for context in contexts:
        context.close()
    # a request that was refused, or got no answer, is told of by the browser itself
    assert [text for text in unexpected if "Failed to load resource" not in text] == []


def ask(bot: Bot, *messages: str) -> Session:
    session = bot.session()
    for message in messages:
        session.ask(message)
    return session


@pytest.fixture
def add_checkpoint(shopbot_home: Path, tmp_path: Path) -> Callable[..., None]:
    def add(name: str, *, passed: bool, parent: str | None = None) -> None:
        folder = tmp_path / name
        folder.mkdir()
        manifest = Manifest(
            name=name,
            base=Base(source="x", sha256="0" * 64),
            prompt_format=1,
            parent=parent,
            created=datetime.now(timezone.utc),
            gate=Gate(passed=passed, report="3 of 4 right"),
        )
        write_manifest(folder, manifest)
        CheckpointStore(shopbot_home).add(folder)

    return add
