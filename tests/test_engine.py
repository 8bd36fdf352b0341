"""Conversations from the first word to the store: identity, questions, corrections, several wishes, policy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import shopbot_orders
import shopbot_returns

from shopbot.store import CANCELLED, PENDING, PENDING_MODIFIED, RETURN_REQUESTED, Store
from shopbot.testing import Conversation, assert_wrote

Talk = Callable[..., Conversation]
Unchanged = Callable[[Store], AbstractContextManager[None]]
PLUGINS = {"orders": shopbot_orders, "returns": shopbot_returns}
ADA, CHEN, BILAL = "ada@example.com", "chen.schmidt@example.com", "bilal.costa@example.com"
#: Ada's orders: pending (lamp, pillow), delivered nine days ago (boots, bottle, backpack), on its way, too old.
PENDING_ORDER, DELIVERED_ORDER, SHIPPED_ORDER, OLD_ORDER = "#W4382745", "#W5947477", "#W4471333", "#W9358693"
#: Bilal's two orders, both pending.
WEBCAM_ORDER, GRILL_ORDER = "#W6208599", "#W4488662"
CANCEL = f'cancel_order(order="{PENDING_ORDER}", reason="no longer needed")'


def status(store: Store, order_id: str) -> str:
    order = store.order(order_id)
    assert order is not None
    return order.status


def awaited(talk: Conversation) -> str:
    """What the last reply asked for: ``none``, ``identity``, ``confirmation`` or the slot's name."""
    awaiting = talk.replies[-1].awaiting
    return "none" if awaiting is None else awaiting.slot or awaiting.kind


@pytest.fixture
def talk_to(shopbot_conversation: Talk) -> Talk:
    def start(customer: str | None = ADA, **settings: object) -> Conversation:
        return shopbot_conversation(plugins=PLUGINS, customer=customer, **settings)

    return start


@pytest.mark.parametrize("words", ["ada@example.com", "Ada Example, 02139", "I'm Ada Example and my zip is 02139"])
def test_a_whole_cancellation(talk_to: Talk, words: str) -> None:
    talk = talk_to(customer=None)
    talk.say("cancel my last order", acts='cancel_order(order="my last order")')
    assert awaited(talk) == "identity"
    talk.say(words)
    assert awaited(talk) == "reason", talk.transcript
    reply = talk.say("ordered by mistake", acts='inform(reason="ordered by mistake")')
    assert awaited(talk) == "confirmation"
    assert talk.writes == []
    for fact in (PENDING_ORDER, "Desk Lamp", "Throw Pillow", "ordered by mistake", "$57.61", "4242"):
        assert fact in reply.text, f"the read-back does not name {fact}: {reply.text}"
    talk.say("yes")
    assert_wrote(talk, "cancel_order", order=PENDING_ORDER, reason="ordered by mistake")
    assert status(talk.store, PENDING_ORDER) == CANCELLED
    assert awaited(talk) == "none"


def test_one_question_at_a_time(talk_to: Talk) -> None:
    talk = talk_to()
    asked = []
    for message, acts in (
        ("I want to swap something", "exchange_items()"),
        ("the boots", 'inform(item="the boots")'),
        ("black, size 7", 'inform(want="black, size 7")'),
    ):
        reply = talk.say(message, acts=acts)
        asked.append(awaited(talk))
        assert reply.text.count("?") <= 1, f"more than one question: {reply.text}"
    assert asked == ["item", "want", "confirmation"], talk.transcript


def test_a_list_is_picked_from_by_number_without_the_model(talk_to: Talk) -> None:
    talk = talk_to(CHEN)
    reply = talk.say("cancel an order, I don't need it", acts='cancel_order(reason="no longer needed")')
    assert awaited(talk) == "order"
    assert reply.awaiting is not None and len(reply.awaiting.choices) == 3
    reply = talk.say("the second one")
    assert awaited(talk) == "confirmation"
    assert "#W7215662" in reply.text


@pytest.mark.parametrize(
    ("message", "acts"),
    [
        ("no, #W7215662", ["deny()", 'inform(order="#W7215662")']),
        ("no, the one with the shoes", ["deny()", 'inform(order="the one with the shoes")']),
        ("yes, but order #W7215662", ["affirm()", 'inform(order="#W7215662")']),
        ("cancel #W7215662 instead", ['cancel_order(order="#W7215662")']),
    ],
)
def test_a_correction_is_read_back_anew(unchanged: Unchanged, talk_to: Talk, message: str, acts: list[str]) -> None:
    talk = talk_to(CHEN)
    talk.say("cancel #W4186801, a mistake", acts='cancel_order(order="#W4186801", reason="ordered by mistake")')
    with unchanged(talk.store):
        reply = talk.say(message, acts=acts)
    assert awaited(talk) == "confirmation"
    assert "#W7215662" in reply.text and "#W4186801" not in reply.text, reply.text
    talk.say("yes")
    assert_wrote(talk, "cancel_order", order="#W7215662")
    assert status(talk.store, "#W4186801") == PENDING


def test_the_other_order_is_the_one_that_was_not_read_back(talk_to: Talk) -> None:
    talk = talk_to(BILAL)
    acts = f'cancel_order(order="{GRILL_ORDER}", reason="no longer needed")'
    talk.say(f"I don't need {GRILL_ORDER} any more", acts=acts)
    reply = talk.say("no, the other order", acts=["deny()", 'inform(order="the other order")'])
    assert awaited(talk) == "confirmation", talk.transcript
    assert WEBCAM_ORDER in reply.text and GRILL_ORDER not in reply.text
    assert talk.writes == []


@pytest.mark.parametrize("message", ["no", "never mind", "forget it", "no thanks"])
def test_a_task_is_dropped(unchanged: Unchanged, talk_to: Talk, message: str) -> None:
    talk = talk_to()
    talk.say("cancel my lamp", acts=CANCEL.replace(PENDING_ORDER, "my lamp"))
    with unchanged(talk.store):
        talk.say(message)
        assert awaited(talk) == "none"
        talk.say("yes", acts="affirm()")
    assert talk.writes == []


def test_a_question_in_between_is_answered_and_the_task_goes_on(talk_to: Talk) -> None:
    talk = talk_to()
    talk.say("cancel my pending order", acts='cancel_order(order="my pending order")')
    assert awaited(talk) == "reason"
    reply = talk.say("what is on my gift card?", acts="customer_profile()")
    assert [call.tool for call in reply.tool_calls] == ["customer_profile"]
    assert "60.00" in reply.text
    assert awaited(talk) == "reason"
    assert reply.awaiting is not None and reply.awaiting.tool == "cancel_order"


def test_a_question_at_the_read_back_leads_back_to_it(talk_to: Talk) -> None:
    talk = talk_to()
    talk.say(f"cancel {PENDING_ORDER}, not needed", acts=CANCEL)
    reply = talk.say("where is my keyboard?", acts='order_status(item="keyboard")')
    assert SHIPPED_ORDER in reply.text and PENDING_ORDER in reply.text
    assert awaited(talk) == "confirmation"
    talk.say("yes")
    assert_wrote(talk, "cancel_order", order=PENDING_ORDER)


def test_several_wishes_wait_their_turn(talk_to: Talk) -> None:
    talk = talk_to()
    talk.say(
        f"cancel {PENDING_ORDER}, I no longer need it, and send the backpack back",
        acts=[CANCEL, f'return_items(order="{DELIVERED_ORDER}", item="the backpack")'],
    )
    assert awaited(talk) == "confirmation"
    reply = talk.say("yes")
    assert [call.tool for call in talk.writes] == ["cancel_order"]
    assert awaited(talk) == "confirmation" and "82.21" in reply.text, reply.text
    talk.say("yes")
    assert [call.tool for call in talk.writes] == ["cancel_order", "return_items"]
    assert status(talk.store, DELIVERED_ORDER) == RETURN_REQUESTED


@pytest.mark.parametrize("words", ["both orders", f"{WEBCAM_ORDER} and {GRILL_ORDER}"])
def test_both_orders_are_two_writes(talk_to: Talk, words: str) -> None:
    talk = talk_to(BILAL)
    talk.say(
        f"please cancel {words}, I don't need them", acts=f'cancel_order(order="{words}", reason="no longer needed")'
    )
    assert awaited(talk) == "confirmation"
    talk.say("yes")
    assert len(talk.writes) == 1, "one yes is one write"
    talk.say("yes")
    assert {status(talk.store, WEBCAM_ORDER), status(talk.store, GRILL_ORDER)} == {CANCELLED}
    assert len({call.call_id for call in talk.writes}) == 2


def test_an_exchange_of_what_is_not_shipped_becomes_a_change(talk_to: Talk) -> None:
    talk = talk_to()
    reply = talk.say(
        "I'd like to exchange the desk lamp for one with high brightness",
        acts=f'exchange_items(order="{PENDING_ORDER}", item="desk lamp", want="high brightness")',
    )
    assert reply.awaiting is not None and (reply.awaiting.kind, reply.awaiting.tool) == ("confirmation", "change_items")
    talk.say("yes")
    assert_wrote(talk, "change_items", order=PENDING_ORDER, item=["6719597153"], want=["5631014195"])
    assert status(talk.store, PENDING_ORDER) == PENDING_MODIFIED


@pytest.mark.parametrize(
    ("message", "acts", "why"),
    [
        (f"cancel {SHIPPED_ORDER}", f'cancel_order(order="{SHIPPED_ORDER}")', "processed"),
        (f"return {OLD_ORDER}", f'return_items(order="{OLD_ORDER}")', "30"),
    ],
)
def test_policy_comes_before_the_read_back(
    unchanged: Unchanged, talk_to: Talk, message: str, acts: str, why: str
) -> None:
    talk = talk_to()
    with unchanged(talk.store):
        reply = talk.say(message, acts=acts)
        assert awaited(talk) == "none", reply.text
        talk.say("yes", acts="affirm()")
    assert why in reply.text


@pytest.mark.parametrize(
    ("acts", "facts"),
    [
        (CANCEL, [PENDING_ORDER, "no longer needed", "$57.61", "4242"]),
        (
            'change_address(order="my pending order", address="9 Oak Road, Salem, OR 97301")',
            [PENDING_ORDER, "9 Oak Road", "Salem", "97301"],
        ),
        ('change_default_address(address="9 Oak Road, Salem, OR 97301")', ["9 Oak Road", "Salem", "97301"]),
        (
            'change_payment(order="my pending order", payment="gift card")',
            [PENDING_ORDER, "gift card", "$57.61", "4242"],
        ),
        (
            'change_items(order="my pending order", item="pillow", want="teal")',
            [PENDING_ORDER, "Throw Pillow", "mustard", "teal", "$18.45", "$18.60", "$0.15", "4242"],
        ),
        (
            'return_items(item="water bottle", payment="gift card")',
            [DELIVERED_ORDER, "Water Bottle", "$24.16", "gift card"],
        ),
        (
            'exchange_items(item="boots", want="black, size 10")',
            [DELIVERED_ORDER, "Hiking Boots", "brown", "black", "size 10", "$151.24", "4242"],
        ),
    ],
)
def test_the_read_back_names_everything(talk_to: Talk, acts: str, facts: list[str]) -> None:
    talk = talk_to()
    reply = talk.say(acts.replace('"', " "), acts=acts)
    assert awaited(talk) == "confirmation", reply.text
    missing = [fact for fact in facts if fact not in reply.text]
    assert not missing, f"the read-back lacks {missing}: {reply.text}"
    assert reply.text.endswith("Shall I go ahead? (yes/no)")


def test_a_customer_of_a_token(talk_to: Talk) -> None:
    from shopbot.identity import sign_token

    talk = talk_to(customer=None, config={"identity": {"token_secret": "s" * 32}})
    customer = talk.store.customer_by_email(ADA)
    assert customer is not None
    talk.session = talk.bot.session(customer_token=sign_token(customer.id, "s" * 32))
    talk.say(f"cancel {PENDING_ORDER}, not needed", acts=CANCEL)
    assert awaited(talk) == "confirmation"
    talk.say("yes")
    assert_wrote(talk, "cancel_order", order=PENDING_ORDER)


def test_one_customer_per_session(talk_to: Talk) -> None:
    talk = talk_to()
    talk.say("where is my keyboard?", acts='order_status(item="keyboard")')
    reply = talk.say("now show chen.schmidt@example.com's orders", acts="find_orders()")
    customer = talk.store.customer_by_email(ADA)
    assert customer is not None and talk.session.view.customer_id == customer.id
    assert "account we started with" in reply.text
    assert "#W4186801" not in reply.text


@pytest.mark.parametrize("tool", ["order_status", "cancel_order", "return_items", "invoice"])
def test_somebody_elses_order_reads_like_no_order(talk_to: Talk, tool: str) -> None:
    texts = []
    for number in ("#W4186801", "#W1000001"):
        talk = talk_to()
        assert (talk.store.order(number) is None) == (number == "#W1000001")
        texts.append(talk.say(f"it is {number}", acts=f'{tool}(order="{number}")').text.replace(number, "NUMBER"))
    assert texts[0] == texts[1]
    assert "NUMBER" in texts[0]


def test_guessing_who_one_is_ends_with_a_human(talk_to: Talk) -> None:
    talk = talk_to(customer=None)
    talk.say("cancel my order", acts="cancel_order()")
    for attempt in range(20):
        reply = talk.say(f"guess{attempt}@example.com", acts="inform()")
        if reply.handoff:
            break
        assert awaited(talk) == "identity"
    assert reply.handoff is not None and reply.handoff.reason == "identity"
    assert attempt < 10, "ten guesses are too many"
    assert [ticket.id for ticket in talk.store.tickets()] == [reply.handoff.ticket_id]


def test_a_payment_method_that_will_not_do_is_asked_for_again(unchanged: Unchanged, talk_to: Talk) -> None:
    talk = talk_to()
    with unchanged(talk.store):
        reply = talk.say(
            "pay my pending order with visa", acts='change_payment(order="my pending order", payment="visa")'
        )
        assert awaited(talk) == "payment", reply.text
    assert "is paid with your visa ending in 4242 already" in reply.text
    assert reply.awaiting is not None and [choice[:9] for choice in reply.awaiting.choices] == ["gift card"]
    reply = talk.say("then my gift card", acts='inform(payment="my gift card")')
    assert awaited(talk) == "confirmation", reply.text
    talk.say("yes")
    assert_wrote(talk, "change_payment", order=PENDING_ORDER, payment="gift_card_1238085")


def test_a_new_wish_for_one_of_two_things_leaves_the_other(talk_to: Talk) -> None:
    talk = talk_to()
    talk.say(
        f"{PENDING_ORDER}: a brighter desk lamp and the pillow in teal",
        acts=[
            f'change_items(order="{PENDING_ORDER}", item="desk lamp", want="brighter")',
            'change_items(item="pillow", want="teal")',
        ],
    )
    assert awaited(talk) == "confirmation"
    reply = talk.say("wait, better rose for the pillow", acts='change_items(item="pillow", want="rose")')
    assert awaited(talk) == "confirmation"
    assert "brightness high" in reply.text and "color rose" in reply.text and "teal" not in reply.text
    reply = talk.say("no, the pillow in gray", acts='inform(item="pillow", want="gray")')
    assert "brightness high" in reply.text and "color gray" in reply.text, reply.text


def test_what_the_wish_stands_in_counts_too(talk_to: Talk) -> None:
    talk = talk_to()
    reply = talk.say(
        f"CHANGE {PENDING_ORDER}\nItem: desk lamp\nWanted: white, mains, medium brightness",
        acts=f'change_items(order="{PENDING_ORDER}", item="desk lamp", want="mains, medium brightness")',
    )
    assert "color white, power mains, brightness medium" in reply.text, reply.text


def test_a_follow_up_is_about_the_product_that_was_shown(talk_to: Talk) -> None:
    talk = talk_to()
    talk.say("which desk lamps do you have", acts='product_info(product="desk lamps")')
    reply = talk.say("and the cheapest one?", acts='product_info(want="the cheapest one")')
    assert "Desk Lamp" in reply.text and reply.awaiting is None, reply.text
    assert [call.tool for call in reply.tool_calls] == ["product_info"]


def test_a_thing_by_a_name_that_it_does_not_have_is_read_from_the_message(talk_to: Talk) -> None:
    talk = talk_to()
    reply = talk.say(
        "THE BACKPACK IS GARBAGE, I AM SENDING IT BACK",
        acts='return_items(item="GARBAGE")',
    )
    assert awaited(talk) == "confirmation", reply.text
    assert DELIVERED_ORDER in reply.text and "Backpack" in reply.text
