"""What axe-core finds, and what it cannot see: what is read out, and what moves."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import ADA, BOOTS

RETURN = f"return {BOOTS}, money on my gift card"


def serious(page: Any) -> list[str]:
    """The serious and critical violations on a page as it is."""
    found = Axe().run(page).response
    assert len(found["passes"]) > 10, "axe has looked at the page"
    told = [entry for entry in found["violations"] if entry["impact"] in ("serious", "critical")]
    return [f"{entry['id']}: {entry['help']}: {node['html'][:120]}" for entry in told for node in entry["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_at_any_stage(serve: Any, visit: Any, scheme: str) -> None:
    service = serve()
    chat = visit(service.url, color_scheme=scheme, reduced_motion="reduce")
    chat.field.wait_for()
    assert serious(chat.page) == []
    chat.say("list my orders")
    chat.say(ADA)
    chat.log.locator("summary").first.click()
    chat.say(RETURN)
    assert serious(chat.page) == []
    chat.button("Bad answer").click()
    chat.page.get_by_label("What was wrong?").wait_for()
    chat.choose("No, leave it")
    chat.say("a human please")
    service.stop()
    chat.type("can you juggle?")
    chat.notice.wait_for()
    assert serious(chat.page) == []
    service.start()


def test_nothing_serious_in_the_dialog(serve: Any, visit: Any, foreign: Any) -> None:
    service = serve(server={"cors_origins": [foreign.url]})
    foreign.embed(service.url, "data-starters='Where is my order?'")
    foreign.html = foreign.html.replace("color: red;", "")  # not ours to judge
    chat = visit(foreign.url, reduced_motion="reduce")
    chat.button("Open the chat").wait_for()
    assert serious(chat.page) == []
    chat.button("Open the chat").click()
    assert serious(chat.page) == []
    dialog = chat.page.get_by_role("dialog", name="Tea & more: Chat")
    assert dialog.get_attribute("aria-modal") == "true"


def test_what_is_said_is_read_out(serve: Any, visit: Any) -> None:
    chat = visit(serve().url)
    chat.say("can you juggle?")
    expect(chat.log).to_have_attribute("aria-live", "polite")  # it is off while what was said before is fetched
    expect(chat.log).to_have_attribute("aria-busy", "false")
    assert chat.page.get_by_role("log", name="Conversation").count() == 1
    assert [text.split(":")[0] for text in chat.messages()] == ["Assistant", "You", "Assistant"]


@pytest.mark.parametrize(("wanted", "moves"), [("reduce", False), ("no-preference", True)])
def test_motion(serve: Any, visit: Any, wanted: str, moves: bool) -> None:
    chat = visit(serve().url, reduced_motion=wanted)
    chat.field.wait_for()
    name = chat.log.locator(".message").first.evaluate("node => getComputedStyle(node).animationName")
    assert (name != "none") is moves
