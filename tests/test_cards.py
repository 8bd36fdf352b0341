"""Order cards: facts of the store beside the text, and only the customer's own."""

from __future__ import annotations

from typing import Any

import shopbot_orders

from shopbot.cards import MAX_CARDS, order_cards
from shopbot.turn import reply_from_json

ADA, DANIEL = "ada@example.com", "daniel.bianchi@example.com"


def talk_to_ada(start: Any, **config: Any) -> Any:
    return start(plugins={"orders": shopbot_orders}, customer=ADA, config=config)


def test_a_reply_about_an_order_shows_it(shopbot_conversation: Any) -> None:
    talk = talk_to_ada(shopbot_conversation, shop={"currency": "€"})
    order = talk.store.orders(talk.store.customer_by_email(ADA).id)[-1]
    reply = talk.say(f"where is {order.id}?", acts=f'order_status(order="{order.id}")')
    [card] = reply.as_json()["cards"]
    assert (card["order"], card["status"], card["currency"]) == (order.id, order.status, "€")
    assert card["total"] == f"{order.total:.2f}"
    assert sum(item["count"] for item in card["items"]) == len(order.items)
    assert [parcel["tracking_ids"] for parcel in card["parcels"]] == [
        list(one.tracking_ids) for one in order.fulfillments
    ]


def test_a_card_shows_the_order_as_the_write_left_it(shopbot_conversation: Any) -> None:
    talk = talk_to_ada(shopbot_conversation)
    talk.say("cancel my pending order", acts='cancel_order(order="my pending order")')
    if talk.replies[-1].awaiting.slot == "order":
        talk.say("1")
    asked = talk.say("no longer needed", acts='inform(reason="no longer needed")')
    assert asked.cards == ()
    [card] = talk.say("yes").cards
    assert card.status == "cancelled"
    assert talk.store.order(card.order).status == "cancelled"


def test_a_list_has_a_card_each_and_the_history_gives_them_again(shopbot_conversation: Any) -> None:
    talk = talk_to_ada(shopbot_conversation)
    reply = talk.say("list my orders", acts="find_orders()")
    listed = [entry["order"] for entry in reply.tool_calls[0].result["orders"]]
    assert [card.order for card in reply.cards] == listed
    [said] = [one for one in talk.session.history() if one.role == "bot"]
    assert reply_from_json({**said.payload, "reply": said.text}).cards == reply.cards


def test_nobody_gets_a_card_of_somebody_elses_order(demo_store: Any) -> None:
    ada = demo_store.customer_by_email(ADA)
    theirs = [f"order:{order.id}" for order in demo_store.orders(demo_store.customer_by_email(DANIEL).id)]
    mine = [f"order:{order.id}" for order in demo_store.orders(ada.id)]
    assert theirs and mine
    assert order_cards(demo_store, ada.id, theirs, currency="$") == ()
    assert order_cards(demo_store, None, [*mine, *theirs], currency="$") == ()
    shown = order_cards(
        demo_store, ada.id, [*theirs[:1], *mine, *mine, "order:none", "item:1", "product:2"], currency="$"
    )
    assert [f"order:{card.order}" for card in shown] == mine
    assert len(order_cards(demo_store, ada.id, mine * 5, currency="$")) <= MAX_CARDS
