"""The inbox on the operator page: signing in, answering, with and without a mouse or a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, expect

from shopbot.bot import Bot
from shopbot.handoff import Desk as AgentsDesk
from tests.server.widget.conftest import Service

from .conftest import KIM, Desk, ask


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


def test_on_a_small_screen_list_and_conversation_take_turns(visit: Callable[..., Desk], bot: Bot) -> None:
    session = ask(bot, "a human please")
    desk = visit(viewport={"width": 360, "height": 640})
    desk.choose(session)
    expect(desk.button("Claim this conversation")).to_be_in_viewport()
    expect(desk.conversations).to_be_hidden()
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 360
    desk.page.get_by_role("link", name="← All conversations").click()
    expect(desk.conversations).to_be_visible()


def test_a_conversation_that_the_customer_erases_is_gone(visit: Callable[..., Desk], bot: Bot) -> None:
    session = ask(bot, "a human please")
    desk = visit()
    desk.choose(session)
    desk.button("Claim this conversation").click()
    desk.answer.fill("one mom")
    bot.forget(session.id)
    expect(desk.page.get_by_text("There is no such conversation (any more).")).to_be_visible()
    expect(desk.answer).to_have_count(0)
    desk.page.goto(desk.page.url.partition("#")[0] + "#inbox/%E0%")
    expect(desk.page.get_by_text("Choose a conversation.")).to_be_visible()
