"""End states of the writes, and what is read back before them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shopbot.store import CANCELLED, PENDING, PENDING_MODIFIED
from shopbot.types import Answer

NEW_ADDRESS = {
    "line1": "9 Oak Court",
    "line2": "Apt 3",
    "city": "Denver",
    "state": "CO",
    "postcode": "80218",
    "country": "USA",
}


def moved(clerk: Any, order: str) -> list[tuple[str, str, str]]:
    return [(entry.kind, str(entry.amount), entry.method_id) for entry in clerk.order(order).payments]


def balance(clerk: Any) -> Decimal:
    found: Decimal = clerk.customer.payment_method("gift_ada").balance
    return found


def same_money(one: str, other: float) -> bool:
    return Decimal(one) == Decimal(str(other))


def test_cancelling_refunds_the_card(clerk: Any) -> None:
    answer = clerk.call("cancel_order", order="#W1", reason="ordered by mistake")
    order = clerk.order("#W1")
    assert (order.status, order.cancel_reason) == (CANCELLED, "ordered by mistake")
    assert [(kind, method) for kind, _, method in moved(clerk, "#W1")] == [
        ("payment", "visa_ada"),
        ("refund", "visa_ada"),
    ]
    assert "$90.00" in answer.text
    assert "visa ending in 4242" in answer.text
    assert "5 to 7 business days" in answer.text


def test_cancelling_fills_the_gift_card_at_once(clerk: Any) -> None:
    before = balance(clerk)
    answer = clerk.call("cancel_order", order="#W2", reason="no longer needed")
    assert balance(clerk) - before == Decimal(40)
    assert "gift card at once" in answer.text


def test_cancelling_after_a_change_of_payment_refunds_only_what_is_still_paid(clerk: Any) -> None:
    clerk.call("change_payment", order="#W2", payment="paypal_ada")
    assert balance(clerk) == Decimal(85), "the first payment went back to the gift card"
    clerk.call("cancel_order", order="#W2", reason="no longer needed")
    assert balance(clerk) == Decimal(85), "the gift card was refunded twice"
    assert [entry[::2] for entry in moved(clerk, "#W2")] == [
        ("payment", "gift_ada"),
        ("payment", "paypal_ada"),
        ("refund", "gift_ada"),
        ("refund", "paypal_ada"),
    ]


def test_changing_the_payment_method_to_a_gift_card(clerk: Any) -> None:
    clerk.call("cancel_order", order="#W2", reason="no longer needed")
    answer = clerk.call("change_payment", order="#W9", payment="gift_ada")
    assert balance(clerk) == Decimal(5)
    assert clerk.order("#W9").status == PENDING
    assert "$80.00 goes back to your PayPal within" in answer.text


def test_changing_items_charges_the_difference(clerk: Any) -> None:
    answer = clerk.call(
        "change_items",
        order="#W1",
        item=["kettle-steel", "lamp-black"],
        want=["kettle-glass", "lamp-grey"],
        payment="gift_ada",
    )
    order = clerk.order("#W1")
    assert order.status == PENDING_MODIFIED
    assert [(item.variant_id, item.price) for item in order.items] == [
        ("lamp-grey", Decimal(30)),
        ("kettle-glass", Decimal("80.5")),
    ], "each item stays where it stood"
    assert moved(clerk, "#W1")[1][0] == "payment"
    assert same_money(moved(clerk, "#W1")[1][1], 20.5)
    assert balance(clerk) == Decimal("24.5")
    assert "$110.50" in answer.text


def test_changing_items_refunds_the_difference_to_the_original_method(clerk: Any) -> None:
    clerk.call("change_items", order="#W2", item=["lamp-black"], want=["lamp-grey"])
    assert moved(clerk, "#W2")[1][::2] == ("refund", "gift_ada"), "the default is the method that paid"
    assert balance(clerk) == Decimal(55)


def test_the_price_difference_goes_by_default_to_the_method_that_pays_now(clerk: Any) -> None:
    clerk.call("change_payment", order="#W1", payment="paypal_ada")
    clerk.call("change_items", order="#W1", item=["lamp-black"], want=["lamp-white"])
    assert moved(clerk, "#W1")[-1][::2] == ("payment", "paypal_ada")


def test_one_of_two_equal_pieces_is_changed(clerk: Any) -> None:
    clerk.call("change_items", order="#W9", item=["lamp-black"], want=["lamp-green"])
    assert [item.variant_id for item in clerk.order("#W9").items] == ["lamp-green", "lamp-black"]


def test_two_equal_pieces_go_different_ways(clerk: Any) -> None:
    clerk.call("change_items", order="#W9", item=["lamp-black"] * 2, want=["lamp-green", "lamp-white"])
    assert [item.variant_id for item in clerk.order("#W9").items] == ["lamp-green", "lamp-white"]


def test_addresses(clerk: Any) -> None:
    clerk.call("change_address", order="#W1", address=NEW_ADDRESS)
    assert str(clerk.order("#W1").address) == "9 Oak Court, Apt 3, Denver, CO 80218, USA"
    assert clerk.customer.address.city == "Boston", "the profile keeps its address"
    clerk.call("change_default_address", address=NEW_ADDRESS)
    assert clerk.customer.address == clerk.order("#W1").address
    assert clerk.order("#W9").address.city == "Boston", "other orders keep theirs"


def test_the_read_back_names_every_argument(clerk: Any) -> None:
    cancel = clerk.read_back("cancel_order", order="#W1", reason="ordered by mistake", item="lamp")
    address = clerk.read_back("change_address", order="#W1", address=NEW_ADDRESS)
    payment = clerk.read_back("change_payment", order="#W2", payment="paypal_ada")
    default = clerk.read_back("change_default_address", address=NEW_ADDRESS)
    items = clerk.read_back(
        "change_items", order="#W1", item=["kettle-steel"], want=["kettle-glass"], payment="paypal_ada"
    )
    for text, facts in {
        cancel: ["#W1", "Desk Lamp, Kettle", "ordered by mistake", "$90.00", "visa ending in 4242", "whole order"],
        address: ["#W1", "9 Oak Court, Apt 3, Denver, CO 80218, USA", "1 Elm Way"],
        payment: ["#W2", "$40.00", "PayPal", "gift card at once"],
        default: ["9 Oak Court, Apt 3, Denver, CO 80218, USA"],
        items: [
            "#W1",
            "material steel",
            "$50.00",
            "material glass",
            "$80.50",
            "$30.50",
            "charged to your PayPal",
            "once",
        ],
    }.items():
        missing = [fact for fact in facts if fact not in text]
        assert not missing, f"{missing} not in: {text}"


def test_the_shop_chooses_currency_and_refund_time(make_clerk: Callable[..., Any]) -> None:
    clerk = make_clerk(config={"currency": "£", "refund_days": "3 days"})
    answer = clerk.call("cancel_order", order="#W1", reason="no longer needed")
    assert isinstance(answer, Answer)
    assert "£90.00 goes back to your visa ending in 4242 within 3 days." in answer.text
