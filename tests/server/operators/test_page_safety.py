"""The operator page: everything is text, nothing comes from elsewhere, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from shopbot.bot import Bot
from shopbot.hookspecs import hookimpl
from shopbot.server.static_file import FOLDER
from shopbot.store import Feedback, Message
from shopbot.types import Report

from .conftest import HOSTILE, Desk, Service, ask

SECTIONS = ("Inbox", "Transcripts", "Checkpoints", "Reports", "Health")


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
