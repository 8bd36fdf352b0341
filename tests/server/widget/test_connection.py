"""Nothing is lost, and nothing is done twice, whatever happens to the page, the connection and the service."""

from __future__ import annotations

from typing import Any

import pytest

from shopbot.identity import sign_token

from .conftest import ADA, BOOTS

RETURN = f"return {BOOTS}, money on my gift card"
SECRET = "s3cret"
EVENTS = "**/v1/sessions/*/events*"


def test_a_reload_in_the_middle(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say(RETURN)
    chat.say(ADA)
    before = chat.messages()
    chat.page.reload()
    chat.button("Yes, go ahead").wait_for()
    assert chat.messages() == before
    chat.choose("Yes, go ahead")
    assert sum(order.returned is not None for order in service.orders_of_ada().values()) == 1


def test_a_reload_while_a_message_is_under_way(serve: Any, visit: Any, lose_answers: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say(RETURN)
    chat.say(ADA)
    chat.page.route(EVENTS, lambda route: route.abort())
    lost = lose_answers(chat.page, 1)
    chat.button("Yes, go ahead").click()
    chat.notice.wait_for()
    assert len(lost) == 1
    chat.page.unroute(EVENTS)
    chat.page.reload()
    chat.wait_for("is requested")
    chat.settle()
    assert service.said_by_customer() == [RETURN, ADA, "yes"]
    assert [text for text in chat.messages() if text == "You: yes"] == ["You: yes"]
    assert sum(order.returned is not None for order in service.orders_of_ada().values()) == 1


def test_an_answer_that_got_lost_is_asked_for_again(serve: Any, visit: Any, lose_answers: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.page.route(EVENTS, lambda route: route.abort())  # else it comes that way
    chat.say(RETURN)
    chat.say(ADA)
    lost = lose_answers(chat.page, 2)
    chat.choose("Yes, go ahead")
    assert len({route.request.post_data_json["request_id"] for route in lost}) == 1
    assert len(lost) == 2
    assert service.said_by_customer() == [RETURN, ADA, "yes"]
    assert chat.messages()[-1].startswith("Assistant: Your return for order")
    assert sum(order.returned is not None for order in service.orders_of_ada().values()) == 1


def test_an_answer_that_comes_another_way_is_not_waited_for(serve: Any, visit: Any, lose_answers: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say("can you juggle?")
    lose_answers(chat.page, 1000)
    chat.say("can you sing?")
    chat.notice.wait_for(state="hidden")
    assert service.said_by_customer() == ["can you juggle?", "can you sing?"]
    assert len(chat.messages()) == 5


def test_the_service_goes_away_and_comes_back(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say("can you juggle?")
    service.stop()
    chat.type("can you sing?")
    chat.notice.get_by_text("There is no connection to the shop").wait_for()
    assert chat.log.get_by_text("Not sent yet").is_visible()
    chat.type("yes")
    chat.notice.get_by_text("has not been answered yet").wait_for()
    assert chat.field.input_value() == "yes", "one after the other; what was typed stays"
    service.start()
    chat.button("Try again").click()
    chat.settle()
    assert service.said_by_customer() == ["can you juggle?", "can you sing?"]
    assert chat.messages()[-1].startswith("Assistant: I can't help with that")
    assert chat.notice.is_hidden()


def test_offline_and_back(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say("can you juggle?")
    chat.page.context.set_offline(True)
    chat.type("can you sing?")
    chat.notice.get_by_text("There is no connection to the shop").wait_for()
    chat.page.context.set_offline(False)  # the browser says so, nobody clicks
    chat.settle()
    assert service.said_by_customer() == ["can you juggle?", "can you sing?"]


@pytest.mark.parametrize("status", [429, 503])
def test_whoever_is_told_to_wait_waits(serve: Any, visit: Any, answer_once: Any, status: int) -> None:
    service = serve()
    chat = visit(service.url)
    error = {"error": {"code": "busy", "message": "Too many people are asking right now."}}
    answer_once(chat.page, status=status, headers={"Retry-After": "1"}, json=error)
    chat.type("can you juggle?")
    chat.notice.get_by_text("Too many people are asking right now. Your message is kept; next try in 1 s.").wait_for()
    assert chat.button("Try again").is_hidden()
    chat.settle()
    assert service.said_by_customer() == ["can you juggle?"]


def test_too_many_messages(serve: Any, visit: Any) -> None:
    service = serve(server={"messages_per_minute": 1})
    chat = visit(service.url)
    chat.say("can you juggle?")
    chat.type("can you sing?")
    chat.notice.get_by_text("Please wait a moment. Your message is kept; next try in").wait_for()
    assert service.said_by_customer() == ["can you juggle?"]


def test_an_error_of_the_service(serve: Any, visit: Any, answer_once: Any) -> None:
    service = serve()
    chat = visit(service.url)
    answer_once(chat.page, status=500, body="oops")
    chat.type("can you juggle?")
    chat.notice.get_by_text("Something went wrong at the shop").wait_for()
    chat.button("Try again").click()
    chat.settle()
    assert service.said_by_customer() == ["can you juggle?"]


def test_a_message_that_is_refused_for_good(serve: Any, visit: Any) -> None:
    service = serve(session={"max_message_chars": 100_000})
    chat = visit(service.url)
    chat.type("x" * 70_000)
    chat.notice.get_by_text("at most 65536 bytes").wait_for()
    assert chat.log.get_by_text("Not sent", exact=True).is_visible()
    assert chat.button("Try again").is_hidden()
    chat.say("can you juggle?")
    assert service.said_by_customer() == ["can you juggle?"]


def test_a_message_that_is_too_long_is_not_cut_off(serve: Any, visit: Any) -> None:
    service = serve(session={"max_message_chars": 50})
    chat = visit(service.url)
    chat.type("x" * 51)
    chat.notice.get_by_text("at most 50 characters").wait_for()
    assert chat.field.input_value() == "x" * 51
    chat.say("can you juggle?")
    assert service.said_by_customer() == ["can you juggle?"]
    assert chat.notice.is_hidden()


def test_a_session_that_is_gone(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    chat.say(RETURN)
    chat.say(ADA)
    service.bot.forget(service.session_id)
    chat.type("yes")
    chat.wait_for("The conversation above has ended")
    chat.settle()
    assert service.said_by_customer() == ["yes"], "in a new session"
    assert "nothing waiting for a yes" in chat.messages()[-1]
    assert not any(order.returned for order in service.orders_of_ada().values())


def test_what_is_kept_may_be_anything(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit(service.url)
    name = f"shopbot {service.url}/"
    for kept in (
        "{",
        "null",
        "7",
        '{"id": 3}',
        '{"id": "x", "token": "y", "mode": "<b>"}',
        '{"id": "x", "token": "y", "mode": "bot"}',
    ):
        script = "([names, kept]) => { for (const name of names) sessionStorage.setItem(name, kept); }"
        chat.page.evaluate(script, [[name, f"{name} unsent", f"{name} open"], kept])
        chat.page.reload()
        chat.say("can you juggle?")
        assert chat.messages()[-1].startswith("Assistant: I can't help with that"), kept


def test_without_storage(serve: Any, visit: Any) -> None:
    service = serve()
    chat = visit("about:blank")
    chat.page.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('denied'); } })"
    )
    chat.page.goto(service.url)
    chat.say("can you juggle?")
    assert chat.messages()[-1].startswith("Assistant: I can't help with that")


@pytest.mark.parametrize("remembers", [False, True])
def test_another_tab_goes_on_only_where_the_shop_wants_that(
    serve: Any, visit: Any, foreign: Any, remembers: bool
) -> None:
    service = serve(server={"cors_origins": [foreign.url]})
    foreign.embed(service.url, "data-remember" if remembers else "")
    chat = visit(foreign.url)
    chat.button("Open the chat").click()
    chat.say("can you juggle?")
    other = type(chat)(chat.page.context.new_page())
    other.page.goto(foreign.url)
    other.button("Open the chat").click()
    other.say("can you sing?")
    assert service.said_by_customer() == (["can you juggle?", "can you sing?"] if remembers else ["can you sing?"])
    if remembers:
        chat.wait_for("can you sing?")


def test_whoever_signs_out_leaves_nothing_behind(serve: Any, visit: Any, foreign: Any) -> None:
    service = serve(server={"cors_origins": [foreign.url]}, identity={"token_secret": SECRET})
    ada = service.bot.store.customer_by_email(ADA)
    daniel = service.bot.store.customer_by_email("daniel.bianchi@example.com")

    def sign_in(customer: Any) -> None:
        token = sign_token(customer.id, SECRET) if customer else ""
        foreign.embed(service.url, f"data-customer-token='{token}'" if token else "")

    sign_in(ada)
    chat = visit(foreign.url)
    chat.button("Open the chat").click()
    chat.say("list my orders")
    assert chat.log.locator("details.card").count() == 4, "known without being asked"
    chat.page.reload()
    chat.wait_for("Here is what I found")
    for customer in (daniel, None):
        sign_in(customer)
        chat.page.reload()
        chat.say("can you juggle?")
        assert "list my orders" not in " ".join(chat.messages())
        assert service.said_by_customer() == ["can you juggle?"]
    sign_in(None)
    foreign.embed(service.url, "data-customer-token='expired.or.forged'")
    chat.page.reload()
    chat.say("list my orders")
    assert "what is your e-mail address" in chat.messages()[-1], "a token that is no good: the bot asks"


def test_a_service_that_keeps_no_session_is_not_asked_for_ever(serve: Any, visit: Any) -> None:
    chat = visit(serve().url)
    asked: list[str] = []
    gone = {"error": {"code": "no_such_session", "message": "There is no such session."}}

    def forget(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, json=gone)

    chat.page.route("**/v1/sessions/*/messages", forget)
    chat.type("can you juggle?")
    chat.notice.get_by_text("Something went wrong at the shop").wait_for()
    assert len([url for url in asked if url.endswith("/messages")]) < 20
