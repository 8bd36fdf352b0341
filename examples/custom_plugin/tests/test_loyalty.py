"""The loyalty plugin on the demo store, with the model scripted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import shopbot_loyalty

from shopbot.testing import Conversation, assert_nothing_changed, assert_wrote

ADA = "ada@example.com"
Talk = Callable[..., Conversation]


@pytest.fixture
def talk(shopbot_conversation: Talk, tmp_path: Path) -> Talk:
    """Start a conversation with the plugin; all of a test share one file of points."""

    def start(customer: str | None = ADA, **table: object) -> Conversation:
        config = {"plugins": {"loyalty": {"file": str(tmp_path / "points.db"), **table}}}
        return shopbot_conversation(plugins={"loyalty": shopbot_loyalty}, config=config, customer=customer)

    return start


def gift_card_balance(conversation: Conversation) -> Decimal | None:
    customer = conversation.store.customer_by_email(ADA)
    assert customer is not None
    return next(method.balance for method in customer.payment_methods if method.kind == "gift_card")


def test_points_are_what_was_delivered(talk: Talk) -> None:
    reply = talk().say("how many points do I have?", acts="points_balance()")
    assert reply.text == "You have 313 points, worth $3.13."


def test_a_visitor_is_asked_who_they_are(talk: Talk) -> None:
    visitor = talk(customer=None)
    asked = visitor.say("my points?", acts="points_balance()")
    assert asked.awaiting is not None
    assert asked.awaiting.kind == "identity"
    assert "313" in visitor.say(ADA).text


def test_anybody_may_read_the_rules(talk: Talk) -> None:
    assert "250 points are $1" in talk(None, points_per_dollar=250).say("rules?", acts="points_rules()").text


def test_redeeming_needs_a_yes_and_pays_the_gift_card(talk: Talk) -> None:
    conversation = talk()
    with assert_nothing_changed(conversation.store):
        read_back = conversation.say("redeem 200 points", acts='redeem_points(amount="200")')
    assert "I will turn 200 points into $2.00 on your gift card." in read_back.text
    conversation.say("yes")
    assert_wrote(conversation, "redeem_points", amount=200)
    assert gift_card_balance(conversation) == Decimal("62.00")
    assert "You have 113 points" in conversation.say("and now?", acts="points_balance()").text


def test_a_no_changes_nothing(talk: Talk) -> None:
    conversation = talk()
    with assert_nothing_changed(conversation.store):
        conversation.say("redeem 200 points", acts='redeem_points(amount="200")')
        conversation.say("no")
    assert "313" in conversation.say("my points?", acts="points_balance()").text


@pytest.mark.parametrize(("amount", "reason"), [("5000", "You have 313 points"), ("50", "100 points or more")])
def test_the_rules_hold(talk: Talk, amount: str, reason: str) -> None:
    conversation = talk()
    with assert_nothing_changed(conversation.store):
        reply = conversation.say(f"redeem {amount} points", acts=f'redeem_points(amount="{amount}")')
    assert reason in reply.text
    assert reply.awaiting is None


def test_points_cannot_be_spent_twice(talk: Talk) -> None:
    first, second = talk(), talk()
    first.say("redeem 300 points", acts='redeem_points(amount="300")')
    second.say("redeem 300 points", acts='redeem_points(amount="300")')
    first.say("yes")
    assert "You have 13 points" in second.say("yes").text
    assert second.writes == []
    assert gift_card_balance(first) == Decimal("63.00")


def test_a_crash_before_the_stores_commit_costs_no_points(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power fails after our row is written and before the store commits; the customer then says yes again."""
    conversation = talk()
    conversation.say("redeem 200 points", acts='redeem_points(amount="200")')
    written = shopbot_loyalty.tools.points.redeem

    def written_then_crash(*arguments: object) -> None:
        written(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # the only way to die exactly here
        patch.setattr(shopbot_loyalty.tools.points, "redeem", written_then_crash)
        with pytest.raises(KeyboardInterrupt):
            conversation.say("yes")
    assert gift_card_balance(conversation) == Decimal("60.00")
    assert "You have 313 points" in talk().say("my points?", acts="points_balance()").text
    conversation.say("yes, do it", acts="affirm()")
    conversation.say("yes")
    assert_wrote(conversation, "redeem_points", amount=200)
    assert gift_card_balance(conversation) == Decimal("62.00")
    assert "You have 113 points" in talk().say("my points?", acts="points_balance()").text


def test_a_wrong_key_is_named() -> None:
    with pytest.raises(ValueError, match="points_per_dolar"):
        shopbot_loyalty.shopbot_register_tools({"points_per_dolar": 50})
