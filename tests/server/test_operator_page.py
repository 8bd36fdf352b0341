"""The operator page in a real Chromium, against the real service; only the model is scripted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
import shopbot_orders
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from shopbot.bot import Bot, Session
from shopbot.checkpoint import Base, CheckpointStore, Manifest, write_manifest
from shopbot.handoff import Desk as AgentsDesk
from shopbot.hookspecs import hookimpl
from shopbot.keys import hash_key
from shopbot.manifest import Gate
from shopbot.server.static_file import FOLDER
from shopbot.store import Feedback, Message
from shopbot.transcript import Recorder
from shopbot.types import Report

from .widget.conftest import Service, browser  # noqa: F401 - a fixture

KIM, RAY = "kims-key", "rays-key"
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script> javascript:alert(1)"
SCRIPT = {"": "out_of_scope()", "a human please": "handoff()", "list my orders": "find_orders()"}
SECTIONS = ("Inbox", "Transcripts", "Checkpoints", "Reports", "Health")
#: The box may be busy.
TIMEOUT_MS = 30_000
expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def bot(shopbot_bot: Callable[..., Bot], tmp_path: Path, shopbot_home: Path) -> Iterator[Bot]:
    config = {
        "server": {"operator_keys": {"kim": hash_key(KIM), "ray": hash_key(RAY)}},
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


def test_the_key_is_typed_once_and_kept_for_this_tab_alone(visit: Callable[..., Desk], service: Service) -> None:
    desk = visit(key="")
    desk.sign_in("nonsense")
    expect(desk.problem).to_have_text("That key opens nothing here.")
    expect(desk.page.get_by_label("Operator's key")).to_be_focused()
    desk.sign_in()
    expect(desk.page.locator("#who")).to_have_text("kim")
    desk.page.reload()
    expect(desk.page.locator("#who")).to_have_text("kim")
    kept = desk.page.evaluate("[localStorage.length, document.cookie, location.href, sessionStorage.length]")
    assert kept == [0, "", f"{service.url}/operator", 1]
    other = desk.page.context.new_page()
    other.goto(f"{service.url}/operator")
    expect(other.get_by_label("Operator's key")).to_be_visible()
    desk.button("Sign out").click()
    expect(desk.page.get_by_label("Operator's key")).to_be_visible()
    assert desk.page.evaluate("sessionStorage.length") == 0


def test_a_customer_who_asks_for_a_human_agent_gets_one(visit: Callable[..., Desk], bot: Bot) -> None:
    desk = visit()
    expect(desk.conversations.get_by_text("Nobody is talking to the shop right now.")).to_be_visible()
    session = ask(bot, "hello", "a human please")
    expect(desk.conversations.get_by_role("heading", name="Waiting (1)")).to_be_visible()
    expect(desk.page).to_have_title("(1) Operator")
    expect(desk.page.locator("#announcer")).to_have_text("A customer waits for a human agent.")
    desk.choose(session)
    desk.says("a human please")
    desk.button("Claim this conversation").click()
    expect(desk.answer).to_be_focused()
    assert session.ask("are you there?").text == ""
    desk.says("are you there?")
    desk.answer.fill("I am.\nWhat is it?")
    desk.answer.press("Enter")
    desk.says("I am.\nWhat is it?")
    expect(desk.answer).to_have_value("")
    said = session.history()[-1]
    assert (said.role, said.text, said.payload) == ("agent", "I am.\nWhat is it?", {"name": "kim"})
    desk.button("Back to the bot").click()
    expect(desk.button("Claim this conversation")).to_be_focused()
    expect(desk.page).to_have_title("Operator")
    assert session.ask("hello").text, "the bot answers again"


def test_a_whole_answer_by_keyboard(visit: Callable[..., Desk], bot: Bot) -> None:
    session = ask(bot, "a human please")
    desk = visit(key="")
    press = desk.page.keyboard.press
    desk.page.keyboard.type(KIM)  # the field has the focus
    press("Enter")
    expect(desk.conversations.get_by_role("link")).to_have_count(1)

    def tab_to(wanted: Locator) -> None:
        for _ in range(20):
            press("Tab")
            if wanted.evaluate("element => element === document.activeElement"):
                outline = wanted.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline != "none", "nobody sees where the focus is"
                return
        raise AssertionError("it cannot be reached with Tab")

    tab_to(desk.conversations.get_by_role("link"))
    press("Enter")
    expect(desk.button("Claim this conversation")).to_be_visible()
    tab_to(desk.button("Claim this conversation"))
    press("Enter")
    expect(desk.answer).to_be_focused()
    desk.page.keyboard.type("Hello, this is Kim.")
    press("Shift+Enter")
    desk.page.keyboard.type("How can I help?")
    press("Enter")
    desk.says("Hello, this is Kim.\nHow can I help?")
    tab_to(desk.button("To a colleague"))
    press("Enter")
    expect(desk.button("Claim this conversation")).to_be_focused()
    entry = bot.store.session_entry(session.id)
    assert entry is not None and (entry.mode, entry.agent) == ("waiting", None)


def test_everything_is_text(visit: Callable[..., Desk], bot: Bot, tmp_path: Path) -> None:
    class Plugin:
        @hookimpl
        def shopbot_reports(self) -> list[Report]:
            return [Report("r", HOSTILE, HOSTILE, datetime.now(timezone.utc))]

    bot.plugins.register(Plugin(), HOSTILE)
    bot.plugins.failures[HOSTILE] = ""
    session = ask(bot, HOSTILE, f"a human please {HOSTILE}", "a human please")
    bot.give_feedback(session.id, 2, Feedback("down", HOSTILE))
    bot.store.append_message(session.id, Message("agent", HOSTILE, {"name": HOSTILE}))
    bot.store.queue_notice(HOSTILE, {}, due_at=datetime.now(timezone.utc))
    bot.store.settle_notice(HOSTILE, "dead", error=HOSTILE)
    bot.store.begin_action(HOSTILE, "claim", HOSTILE)
    desk = visit()
    desk.choose(session)
    expect(desk.log.get_by_text(HOSTILE, exact=True)).to_have_count(2)
    desk.log.locator("summary").first.click()
    expect(desk.log.get_by_text(re.compile("Took .* ms"))).to_be_visible()
    for section in SECTIONS[1:]:
        desk.open(section)
        expect(
            desk.page.locator("main").get_by_text(HOSTILE[:20]).first
            if section != "Checkpoints"
            else desk.page.get_by_role("table")
        ).to_be_visible()
        assert desk.page.locator("img, main script").count() == 0
    assert desk.page.evaluate("window.hacked") is None
    assert desk.page.locator("h1").last.inner_text() == f"Tea {HOSTILE}"


def test_what_the_bot_understood_is_shown_and_explained(visit: Callable[..., Desk], bot: Bot) -> None:
    session = ask(bot, "list my orders", "ada@example.com")
    desk = visit()
    desk.choose(session)
    expect(desk.page.get_by_role("heading", name="Ada Example")).to_be_visible()
    first = desk.log.locator(".message.bot").first
    expect(first.get_by_role("list", name="Understood")).to_have_text("find_orders() 100 %")
    first.get_by_text("Why?").click()
    expect(first.get_by_text("Needs to know who the customer is, for find_orders.")).to_be_visible()


def test_of_two_operators_the_slower_one_is_told(visit: Callable[..., Desk], bot: Bot, service: Service) -> None:
    session = ask(bot, "a human please")
    desk = visit()
    desk.page.route("**/v1/operator/events", lambda route: route.abort())  # the page hears of nothing by itself
    desk.page.goto(f"{service.url}/operator#inbox/{session.id}")
    desk.page.reload()
    expect(desk.button("Claim this conversation")).to_be_visible()
    AgentsDesk(bot.store).claim(session.id, "ray")
    desk.button("Claim this conversation").click()
    expect(desk.problem).to_contain_text("ray has this conversation. Ask them to give it back.")
    expect(desk.page.get_by_role("region", name="Conversation")).to_contain_text("with ray")
    expect(desk.button("Claim this conversation")).to_have_count(0)
    desk.button("Close this message").click()
    expect(desk.problem).to_have_count(0)


def test_a_lost_connection_loses_and_doubles_nothing(visit: Callable[..., Desk], bot: Bot, service: Service) -> None:
    session = ask(bot, "a human please")
    desk = visit()
    desk.choose(session)
    desk.button("Claim this conversation").click()
    desk.answer.fill("one moment")
    lost: list[str] = []

    def lose(route: Any) -> None:
        if lost:
            route.fallback()
            return
        lost.append(route.request.post_data)
        route.fetch()  # it arrives, and the answer does not
        route.abort("connectionreset")

    desk.page.route("**/messages", lose)
    desk.answer.press("Enter")
    expect(desk.problem).to_contain_text("cannot be reached")
    expect(desk.answer).to_have_value("one moment")
    service.stop()
    expect(desk.page.locator("#connection")).to_have_text("No connection; it is being tried again.")
    service.start()
    expect(desk.page.locator("#connection")).to_have_text("")
    desk.answer.press("Enter")
    expect(desk.answer).to_have_value("")
    assert [one.text for one in session.history() if one.role == "agent"] == ["one moment"]
    expect(desk.log.locator(".message.agent")).to_have_count(1)
    session.ask("thanks")
    desk.says("thanks")


def test_what_is_typed_survives_a_look_elsewhere(visit: Callable[..., Desk], bot: Bot) -> None:
    session, other = ask(bot, "a human please"), ask(bot, "hello")
    desk = visit()
    desk.choose(session)
    desk.button("Claim this conversation").click()
    desk.answer.fill("half a sen")
    desk.choose(other)
    expect(desk.button("Claim this conversation")).to_be_visible()
    desk.choose(session)
    expect(desk.answer).to_have_value("half a sen")


def test_transcripts_are_searched(visit: Callable[..., Desk], bot: Bot) -> None:
    for number in range(60):
        ask(bot, f"parcel number {number} please")
    session = ask(bot, "where is the zeppelin of ann@example.org")
    bot.give_feedback(session.id, 2, Feedback("down", "no answer"))
    desk = visit()
    desk.open("Transcripts")
    turns = desk.page.get_by_role("article")
    expect(turns).to_have_count(50)
    desk.button("Show more").click()
    expect(turns).to_have_count(61)
    expect(desk.button("Show more")).to_be_hidden()
    desk.page.get_by_label("Words in the message or the reply").fill("ZEPPELIN where")
    desk.button("Search").click()
    expect(turns).to_have_count(1)
    expect(turns).to_contain_text("where is the zeppelin of <EMAIL_1>")
    desk.page.get_by_role("link", name="whole conversation").click()
    expect(turns).to_contain_text("Not found helpful: no answer")
    desk.button("← Back").click()
    expect(desk.page.get_by_label("Words in the message or the reply")).to_have_value("ZEPPELIN where")
    desk.page.get_by_label("It came to").select_option("wrote")
    desk.button("Search").click()
    expect(desk.page.get_by_text("Nothing was found.")).to_be_visible()


def test_a_checkpoint_is_rolled_back_with_one_click_and_a_yes(
    visit: Callable[..., Desk], shopbot_home: Path, tmp_path: Path
) -> None:
    store = CheckpointStore(shopbot_home)
    shipped = store.current_name()
    for name, passed in (("good", True), ("bad", False)):
        folder = tmp_path / name
        folder.mkdir()
        write_manifest(
            folder,
            Manifest(
                name=name,
                base=Base(source="x", sha256="0" * 64),
                prompt_format=1,
                parent=shipped,
                created=datetime.now(timezone.utc),
                gate=Gate(passed=passed, report="3 of 4 right"),
            ),
        )
        store.add(folder)
    desk = visit()
    desk.open("Checkpoints")
    expect(desk.button("Promote good")).to_be_visible()
    expect(desk.button("Promote bad")).to_have_count(0)
    dialog = desk.page.get_by_role("dialog")
    desk.button("Promote good").click()
    expect(dialog).to_have_accessible_name("Put ‘good’ in force?")
    expect(desk.button("Cancel")).to_be_focused()
    desk.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(desk.button("Promote good")).to_be_focused()
    assert store.current_name() == shipped
    desk.button("Promote good").click()
    desk.button("Promote it").click()
    expect(desk.page.get_by_role("rowheader", name="good")).to_contain_text("in force")
    assert store.current_name() == "good"
    desk.button("Roll back").click()
    expect(dialog).to_contain_text(f"Roll back from ‘good’ to what served before, ‘{shipped}’?")
    dialog.get_by_role("button", name="Roll back").click()
    expect(desk.page.get_by_role("rowheader", name=shipped)).to_contain_text("in force")
    assert store.current_name() == shipped


def test_a_report_is_read_in_a_frame_where_nothing_runs(visit: Callable[..., Desk], bot: Bot, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(
        "<style>b { color: rgb(1, 2, 3) }</style><b>Three of four</b>"
        "<script>document.body.append('it ran'); top.hacked = 1</script><img src=/v1/operator/me>"
        "<form action=/v1/sessions method=post><button>Send</button></form><a href=/ target=_top>out</a>",
        encoding="utf-8",
    )

    class Plugin:
        @hookimpl
        def shopbot_reports(self) -> list[Report]:
            return [Report("r", "A run", "done", datetime.now(timezone.utc), file)]

    bot.plugins.register(Plugin(), "tiny-reports")
    refused: list[str] = []
    desk = visit(errors=refused)
    desk.open("Reports")
    expect(desk.button("Read A run")).to_be_visible()
    answered: list[str] = []
    desk.page.on("response", lambda response: answered.append(response.url.rpartition("/operator/")[2]))
    desk.button("Read A run").click()
    frame = desk.page.frame_locator("iframe[title=Report]")
    expect(frame.get_by_text("Three of four")).to_be_visible()
    assert frame.locator("b").evaluate("element => getComputedStyle(element).color") == "rgb(1, 2, 3)"
    frame.get_by_text("out").click()
    frame.get_by_role("button", name="Send").click()
    expect(desk.page.get_by_role("heading", name="Reports")).to_be_visible()
    assert "it ran" not in frame.locator("body").inner_text()
    assert desk.page.evaluate("window.hacked") is None
    assert answered == ["reports/tiny-reports/r"], "nothing else was fetched or sent"
    assert any("Blocked script execution" in text for text in refused)
    assert KIM not in desk.page.content()


def test_health_and_what_the_webhook_did_not_take(visit: Callable[..., Desk], bot: Bot) -> None:
    bot.store.queue_notice("T1", {}, due_at=datetime.now(timezone.utc))
    bot.store.settle_notice("T1", "dead", error="HTTP 500")
    desk = visit()
    desk.open("Health")
    expect(desk.page.get_by_text("Ready: turns are taken.")).to_be_visible()
    expect(desk.page.get_by_text("The webhook did not take 1 event.")).to_be_visible()
    expect(desk.page.get_by_role("row", name="T1")).to_contain_text("given up: HTTP 500")
    desk.button("Send T1 again").click()
    expect(desk.page.get_by_role("row", name="T1")).to_contain_text("waiting")
    assert bot.store.count_notices()["waiting"] == 1
    desk.open("Inbox")
    desk.open("Health")
    expect(desk.page.get_by_role("listitem").filter(has_text="kim: retry T1")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_section_has_a_serious_fault_of_accessibility(visit: Callable[..., Desk], bot: Bot, scheme: str) -> None:
    session = ask(bot, "list my orders", "a human please")
    bot.store.queue_notice("T1", {}, due_at=datetime.now(timezone.utc))
    desk = visit(key="", color_scheme=scheme)

    def examine(where: str) -> None:
        found = Axe().run(desk.page)
        serious = [one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert serious == [], f"{where}: {found.generate_report()}"

    examine("signing in")
    desk.sign_in()
    desk.choose(session)
    desk.button("Claim this conversation").click()
    expect(desk.answer).to_be_visible()
    examine("a conversation")
    for section in SECTIONS[1:]:
        desk.open(section)
        expect(desk.page.get_by_role("heading", level=2, name=section)).to_be_visible()
        expect(
            desk.page.locator("main").get_by_role("status").or_(desk.page.locator("main .soft")).first
        ).to_be_visible()
        examine(section)


def test_on_a_small_screen_list_and_conversation_take_turns(visit: Callable[..., Desk], bot: Bot) -> None:
    session = ask(bot, "a human please")
    desk = visit(viewport={"width": 360, "height": 640})
    desk.choose(session)
    expect(desk.button("Claim this conversation")).to_be_in_viewport()
    expect(desk.conversations).to_be_hidden()
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 360
    desk.page.get_by_role("link", name="← All conversations").click()
    expect(desk.conversations).to_be_visible()


def test_the_page_keeps_to_its_policy_and_takes_nothing_from_elsewhere(service: Service) -> None:
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        answer = client.get("/operator")
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        for path in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
            assert client.get(path).status_code == 200, path
            assert not path.startswith(("/", "http")), "relative, so that the application can be mounted anywhere"
        tag = client.get("/operator/main.js").headers["etag"]
        assert client.get("/operator/main.js", headers={"If-None-Match": tag}).status_code == 304
        for path in ("/operator/nothing.js", "/operator/..%2Foperator.html", "/operator/widget.css"):
            assert client.get(path).status_code == 404, path
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|https?://"
    scripts = [file for file in (FOLDER / "operator").iterdir() if file.name.endswith(".js")]
    assert len(scripts) > 5
    for file in scripts:
        assert not re.findall(forbidden, file.read_text(encoding="utf-8")), file.name
