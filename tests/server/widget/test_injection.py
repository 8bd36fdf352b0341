"""Whatever a customer, the store, the FAQ or a human agent says, it is text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import shopbot_faq

from shopbot.handoff import Desk
from shopbot.store import Fulfillment
from shopbot.tools import Context, tool
from shopbot.types import Answer

from .conftest import ADA

ATTACK = (
    "<img src=x onerror=\"window.stolen='img'\"><script>window.stolen='script'</script>"
    '<a href="javascript:stolen()">x</a>'
)
LINK = "javascript:window.stolen='link'"


@pytest.fixture
def watched(visit: Any) -> Iterator[Any]:
    """Visit, and check at the end that nothing of the attack became an element, a request or a script that ran."""
    chats = []

    def open_page(url: str) -> Any:
        chat = visit(url)
        chat.requests = []
        chat.page.on("request", lambda request: chat.requests.append(request.url))
        chats.append(chat)
        return chat

    yield open_page
    for chat in chats:
        for selector in ("img", "script", "iframe", "[onerror]", "a:not([href^='https://'], [href^='http://'])"):
            assert chat.inside("(root, selector) => root.querySelectorAll(selector).length", selector) == 0, selector
        assert chat.page.evaluate("window.stolen") is None
        assert [url for url in chat.requests if not url.startswith(("http://127.0.0.1", "data:"))] == []


def test_from_the_customer_also_after_a_reload(serve: Any, watched: Any) -> None:
    chat = watched(serve().url)
    chat.say(ATTACK)
    chat.say(LINK)
    assert chat.messages()[1] == f"You: {ATTACK}"
    chat.page.reload()
    chat.wait_for(LINK)
    assert chat.messages()[1] == f"You: {ATTACK}"


def test_from_the_store(serve: Any, watched: Any) -> None:
    service = serve()
    [order, *_] = service.orders_of_ada().values()
    item = replace(order.items[0], name=ATTACK, options={ATTACK: LINK})
    parcel = Fulfillment((LINK,), (item.variant_id,), carrier=ATTACK)
    customer = service.bot.store.customer_by_email(ADA)

    def spoil(unit: Any) -> dict[str, str]:
        unit.save_order(replace(order, items=(item, *order.items[1:]), fulfillments=(parcel,)))
        return {}

    service.bot.store.execute("spoil", session_id="s", customer_id=customer.id, tool="test", arguments={}, action=spoil)
    chat = watched(service.url)
    chat.say("list my orders")
    chat.say(ADA)
    for summary in chat.log.locator("summary").all():
        summary.click()
    card = chat.log.locator("details.card", has_text=order.id)
    assert ATTACK in card.text_content()
    assert LINK in card.text_content()
    chat.say("show me an order")
    chat.choices.get_by_role("button").last.click()
    chat.settle()


def test_from_the_faq_and_its_links(serve: Any, watched: Any, tmp_path: Any) -> None:
    (tmp_path / "shipping.md").write_text(
        "# Shipping\n\n## Delivery to the moon\n\n"
        f'See https://shop.example/moon?a=1&b=2. Or {LINK} and http://shop.example/x" '
        "onmouseover=alert(1)\n\n`<img src=x onerror=alert(1)>`\n",
        encoding="utf-8",
    )
    question = "how is delivery to the moon?"
    plugins = {"faq": {"folder": str(tmp_path)}}
    chat = watched(serve(more={"faq": shopbot_faq}, script={question: "faq()"}, plugins=plugins).url)
    chat.say(question)
    assert LINK in chat.messages()[-1]
    links = [link.get_attribute("href") for link in chat.log.get_by_role("link").all()]
    assert links == ["https://shop.example/moon?a=1&b=2", "http://shop.example/x"]


def test_from_a_tool_with_links(serve: Any, watched: Any) -> None:
    @tool(effect="read", examples=["show me the link", "give me the link"])
    def show_link(ctx: Context) -> Answer:
        "Show a link."
        return Answer(
            f"{ATTACK} {LINK} https://shop.example/a?b=1&c=2. (http://shop.example/d) data:text/html,<b>x</b>"
        )

    chat = watched(serve(tools=[show_link], script={"show me the link": "show_link()"}).url)
    chat.say("show me the link")
    links = chat.log.get_by_role("link")
    assert [link.get_attribute("href") for link in links.all()] == [
        "https://shop.example/a?b=1&c=2",
        "http://shop.example/d",
    ]
    assert {link.get_attribute("rel") for link in links.all()} == {"noopener noreferrer nofollow"}
    assert ATTACK in chat.messages()[-1]


def test_from_a_human_agent_and_from_choices(serve: Any, watched: Any) -> None:
    service = serve()
    chat = watched(service.url)
    chat.say("a human please")
    desk = Desk(service.bot.store)
    desk.claim(service.session_id, ATTACK)
    desk.reply(service.session_id, ATTACK, ATTACK, "1")
    chat.wait_for("window.stolen")
    assert chat.messages()[-1] == f"{ATTACK}: {ATTACK}"


def test_from_the_service_itself(serve: Any, watched: Any, answer_once: Any) -> None:
    """Even were the service's answer the attacker's."""
    chat = watched(serve(shop={"name": ATTACK}).url)
    card = {
        "order": ATTACK, "status": "__proto__", "placed_on": ATTACK, "total": ATTACK, "currency": ATTACK,
        "items": [{"name": ATTACK, "options": {ATTACK: ATTACK}, "price": ATTACK, "count": 2}],
        "parcels": [{"carrier": ATTACK, "tracking_ids": [ATTACK], "expected_on": ATTACK, "delivered_on": None}],
    }  # fmt: skip
    reply = {
        "reply": ATTACK,
        "seq": 2,
        "cards": [card],
        "awaiting": {"kind": "slot", "choices": [ATTACK, LINK]},
        "handoff": None,
    }
    events = [("act", {}), ("delta", {"text": ATTACK}), ("reply", reply)]
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    answer_once(chat.page, status=200, content_type="text/event-stream", body=body)
    chat.say("hello")
    assert chat.messages()[-1] == f"Assistant: {ATTACK}"
    assert chat.choices.get_by_role("button").all_text_contents() == [ATTACK, LINK]
    answer_once(chat.page, status=422, json={"error": {"code": "invalid", "message": ATTACK}})
    chat.type("hello")
    chat.notice.get_by_text("window.stolen").wait_for()
