"""The widget in a merchant's page, on another origin, with rules and a policy of its own."""

from __future__ import annotations

from typing import Any

import pytest

PHONE = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
OPEN = "Open the chat"


@pytest.fixture
def embedded(serve: Any, foreign: Any) -> Any:
    """A service, and the page of a shop that shows its widget: ``embedded("data-…", server={…})``."""

    def embed(attributes: str = "", **sections: Any) -> Any:
        service = serve(**{"server": {"cors_origins": [foreign.url]}, **sections})
        foreign.embed(service.url, attributes)
        return service

    return embed


def test_an_allowed_origin(embedded: Any, foreign: Any, visit: Any) -> None:
    service = embedded()
    chat = visit(foreign.url)
    chat.button(OPEN).click()
    chat.page.get_by_role("heading", name="Tea & more").wait_for()
    chat.say("can you juggle?")
    assert service.said_by_customer() == ["can you juggle?"]
    assert chat.page.context.cookies() == [], "no third-party cookie"


def test_an_origin_that_is_not_allowed(embedded: Any, foreign: Any, visit: Any) -> None:
    embedded(server={"cors_origins": ["https://shop.example"]})
    errors: list[str] = []
    chat = visit(foreign.url, errors=errors)
    with chat.page.expect_console_message(lambda line: "shopbot:" in line.text) as told:
        chat.page.reload()
    assert f"is {foreign.url} in its server.cors_origins?" in told.value.text
    assert chat.page.locator("shopbot-chat").count() == 0, "no button that would lead nowhere"
    assert chat.page.get_by_role("heading", name="A shop").is_visible()


def test_the_pages_rules_stay_outside(embedded: Any, foreign: Any, visit: Any) -> None:
    embedded()
    chat = visit(foreign.url)
    chat.button(OPEN).click()
    bubble = chat.log.locator(".bubble").first
    style = bubble.evaluate(
        "node => { const s = getComputedStyle(node); return [s.letterSpacing, s.fontSize, s.color]; }"
    )
    assert style == ["normal", "16px", "rgb(27, 36, 34)"]
    assert chat.page.evaluate("Object.keys(window).filter((name) => /shopbot/i.test(name))") == [], (
        "no names in the page"
    )


def test_it_takes_the_shops_colours_and_words(embedded: Any, foreign: Any, visit: Any) -> None:
    embedded("data-greeting='Hi &lt;b&gt;there' data-starters='Do you gift wrap? | ' data-side=left data-scheme=dark")
    foreign.html += (
        "<style>shopbot-chat { --shopbot-accent: #5b2a86; --shopbot-on-accent: #ffffff; --shopbot-radius: 0px }</style>"
    )
    chat = visit(foreign.url)
    launcher = chat.button(OPEN)
    launcher.wait_for()
    assert launcher.bounding_box()["x"] < 100
    assert launcher.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(91, 42, 134)"
    launcher.click()
    assert chat.messages() == ["Assistant: Hi <b>there"]
    assert chat.choices.get_by_role("button").all_text_contents() == ["Do you gift wrap?"]
    assert chat.panel.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(26, 33, 32)"


def test_by_keyboard_alone(embedded: Any, foreign: Any, visit: Any) -> None:
    service = embedded()
    chat = visit(foreign.url)
    chat.button(OPEN).wait_for()
    keys = chat.page.keyboard

    def focused() -> str:
        return str(chat.inside("({activeElement: node}) => node?.ariaLabel ?? node?.textContent ?? ''"))

    keys.press("Tab")
    keys.press("Tab")
    assert focused() == OPEN
    keys.press("Enter")
    chat.panel.wait_for()
    keys.type("show me an order")
    keys.press("Enter")
    chat.wait_for("what is your e-mail address")
    chat.settle()
    keys.type("ada@example.com")
    keys.press("Enter")
    chat.choices.wait_for()
    labels = chat.choices.get_by_role("button").all_text_contents()
    keys.press("Shift+Tab")
    assert focused() == labels[-1]
    keys.press("Enter")
    chat.wait_for("Total:")
    chat.settle()
    keys.type("can you juggle?")  # the keyboard is back where one writes
    keys.press("Enter")
    chat.wait_for("I can't help with that")
    assert service.said_by_customer()[-1] == "can you juggle?"

    stops = set()
    for _ in range(40):  # round and round, and never out
        keys.press("Tab")
        stops.add(focused())
    assert {"New conversation", "Close the chat", "Conversation", "Good answer", "Send"} <= stops
    assert chat.page.evaluate("document.activeElement.localName") == "shopbot-chat"
    keys.press("Escape")
    assert chat.panel.is_hidden()
    assert focused() == OPEN


def test_the_page_can_open_it_and_gets_the_focus_back(embedded: Any, foreign: Any, visit: Any) -> None:
    embedded()
    chat = visit(foreign.url)
    chat.button(OPEN).wait_for()
    chat.page.locator("#help").focus()
    chat.page.evaluate("document.querySelector('shopbot-chat').open()")
    assert chat.panel.is_visible()
    chat.button("Close the chat").click()
    assert chat.page.evaluate("document.activeElement.id") == "help"


def test_it_is_open_on_the_next_page_and_does_not_take_the_focus(embedded: Any, foreign: Any, visit: Any) -> None:
    embedded()
    chat = visit(foreign.url)
    chat.button(OPEN).click()
    chat.say("can you juggle?")
    chat.page.reload()
    chat.wait_for("I can't help with that")
    assert chat.page.evaluate("document.activeElement.localName") == "body"


def test_news_of_a_human_agent_while_it_is_closed(embedded: Any, foreign: Any, visit: Any) -> None:
    from shopbot.handoff import Desk

    service = embedded()
    chat = visit(foreign.url)
    chat.button(OPEN).click()
    chat.say("a human please")
    chat.button("Close the chat").click()
    desk = Desk(service.bot.store)
    desk.claim(service.session_id, "Kim")
    desk.reply(service.session_id, "Kim", "Hello, Kim here.", "1")
    chat.button(f"{OPEN}, 1 new message").click()
    assert chat.messages()[-1] == "Kim: Hello, Kim here."


def test_on_a_small_screen(embedded: Any, foreign: Any, visit: Any) -> None:
    embedded()
    chat = visit(foreign.url, **PHONE)
    chat.button(OPEN).tap()
    chat.page.wait_for_function(
        "() => !document.querySelector('shopbot-chat').shadowRoot.querySelector('.panel').getAnimations().length"
    )
    assert chat.panel.bounding_box() == {"x": 0, "y": 0, "width": 360, "height": 640}
    assert chat.field.evaluate("field => field.getRootNode().activeElement !== field"), "no keys over half the chat"
    chat.say("list my orders")
    chat.say("ada@example.com")
    chat.log.locator("summary").last.tap()
    width = chat.log.evaluate("log => log.scrollWidth - log.clientWidth")
    assert width <= 0, "nothing sticks out"
    small = [
        box
        for node in chat.page.get_by_role("button").all()
        if node.is_visible() and (box := node.bounding_box())["height"] < 24
    ]
    assert small == [], "big enough for a finger (WCAG 2.5.8)"
