"""A customer's conversation in the browser, from the first click to the state of the store afterwards."""

from __future__ import annotations

from typing import Any

from shopbot.handoff import Desk

from .conftest import ADA, BOOTS


def test_a_whole_return_by_clicks(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.choose("I want to return something")
    chat.say(ADA)
    chat.say(BOOTS)
    assert chat.choices.get_by_role("button").all_text_contents() == ["Yes, go ahead", "No, leave it"]
    assert not any(order.returned for order in service.orders_of_ada().values()), "nothing before the yes"
    chat.button("Yes, go ahead").dblclick()
    chat.wait_for("is requested")
    chat.settle()

    [done] = [order for order in service.orders_of_ada().values() if order.returned]
    assert done.status == "return requested"
    assert service.said_by_customer() == ["I want to return something", ADA, BOOTS, "yes"]
    card = chat.log.locator("details.card")
    assert card.locator(".order").text_content() == f"Order {done.id}"
    assert card.locator(".status").text_content() == "return requested"
    assert card.locator("li").count() == len(done.items)
    assert f"${done.total}" in card.locator("summary").text_content()
    assert chat.choices.is_hidden()


def test_no_is_a_button_too(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say(f"return {BOOTS}, money on my gift card")
    chat.say(ADA)
    chat.choose("No, leave it")
    assert "nothing was changed" in chat.messages()[-1]
    assert not any(order.returned for order in service.orders_of_ada().values())


def test_choices_are_buttons(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say("show me an order")
    chat.say(ADA)
    labels = chat.choices.get_by_role("button").all_text_contents()
    assert len(labels) == len(service.orders_of_ada())
    assert labels[0] not in chat.messages()[-1], "what is a button does not stand in the text as well"
    chat.choose(labels[1])
    assert service.said_by_customer()[-1] == "2"
    assert chat.messages()[-2] == f"You: {labels[1]}"
    chat.page.reload()
    chat.wait_for("Total:")
    assert f"You: {labels[1]}" in chat.messages(), "after a reload, too, it reads as what was chosen"


def test_a_list_of_orders_has_cards_that_open(serve: Any, visit: Any) -> None:
    chat = visit(serve().url)
    chat.say("list my orders")
    chat.say(ADA)
    cards = chat.log.locator("details.card")
    assert cards.count() == 4
    assert cards.first.get_attribute("open") is None
    cards.first.locator("summary").click()
    assert cards.first.locator("li").first.is_visible()


def test_it_says_that_it_is_no_person(serve: Any, visit: Any) -> None:
    chat = visit(serve(shop={"name": "Tea & <more>"}).url)
    chat.page.get_by_role("heading", name="Tea & <more>").wait_for()
    assert chat.page.get_by_text("Automated assistant, not a person", exact=True).is_visible()
    assert chat.log.get_by_text("You can ask for a human agent at any time").is_visible()


def test_feedback(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say("can you juggle?")
    chat.button("Bad answer").click()
    chat.page.get_by_label("What was wrong?").fill("That was not my question.")
    chat.button("Send feedback").click()
    chat.button("Send feedback").wait_for(state="detached")
    [_, answer] = service.bot.history(service.session_id)
    assert answer.feedback is not None
    assert (answer.feedback.rating, answer.feedback.text) == ("down", "That was not my question.")
    chat.page.reload()
    chat.wait_for("I can't help with that")
    assert chat.button("Bad answer").get_attribute("aria-pressed") == "true"
    chat.button("Good answer").click()
    chat.page.get_by_text("Thank you, that was a good answer.").wait_for()
    [_, answer] = service.bot.history(service.session_id)
    assert answer.feedback is not None and answer.feedback.rating == "up"


def test_a_human_agent_takes_over_and_gives_back(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say("a human please")
    chat.page.get_by_text("A colleague has been asked").wait_for()
    desk = Desk(service.bot.store)
    desk.claim(service.session_id, "Kim")
    desk.reply(service.session_id, "Kim", "Hello, Kim here.", "1")
    chat.wait_for("Hello, Kim here.")
    assert chat.messages()[-1] == "Kim: Hello, Kim here."
    assert chat.page.get_by_text("Kim has joined").is_visible()
    assert chat.page.get_by_text("You are talking to a human agent").is_visible()
    chat.say("my parcel is wet")
    assert chat.messages()[-1] == "You: my parcel is wet", "the bot is silent"
    desk.release(service.session_id, "Kim")
    chat.page.get_by_text("Automated assistant, not a person", exact=True).wait_for()
    chat.say("can you juggle?")
    assert "I can't help with that" in chat.messages()[-1]
    roles = [one.role for one in service.bot.history(service.session_id)]
    assert len(chat.messages()) == len(roles) + 1, "all of it once, below the greeting"


def test_a_new_conversation(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say("can you juggle?")
    before = service.session_id
    chat.say("a human please")
    chat.page.get_by_text("A colleague has been asked").wait_for()
    questions: list[str] = []

    def keep(dialog: Any) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    chat.page.once("dialog", keep)
    chat.button("New conversation").click()
    assert len(questions) == 1 and len(chat.messages()) > 1, "one click does not lose a human agent"
    chat.page.once("dialog", lambda dialog: dialog.accept())
    chat.choose("New conversation")
    assert len(chat.messages()) == 1
    chat.say("can you sing?")
    assert service.session_id != before
    assert service.said_by_customer() == ["can you sing?"]
