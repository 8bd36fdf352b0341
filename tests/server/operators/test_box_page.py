"""The other sections of the operator page: transcripts, checkpoints, reports, health."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from playwright.sync_api import expect

from shopbot.bot import Bot
from shopbot.checkpoint import CheckpointStore
from shopbot.hookspecs import hookimpl
from shopbot.store import Feedback
from shopbot.types import Report

from .conftest import KIM, Desk, ask


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
    visit: Callable[..., Desk], shopbot_home: Path, add_checkpoint: Callable[..., None]
) -> None:
    store = CheckpointStore(shopbot_home)
    shipped = store.current_name()
    add_checkpoint("good", passed=True, parent=shipped)
    add_checkpoint("bad", passed=False, parent=shipped)
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
