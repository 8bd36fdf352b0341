"""What the reading tools tell, and that they tell it only about the customer's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from shopbot.store import Fulfillment, Order


def test_orders_are_listed_newest_first(clerk: Any) -> None:
    answer = clerk.call("find_orders")
    assert answer.shown[0] == "order:#W9"
    assert answer.shown[-1] == "order:#W1"
    assert "1. #W9 (pending): Desk Lamp x2, $80.00" in answer.text
    assert "#W10" not in answer.text, "Bob's order was shown to Ada"


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("pending", ["#W9", "#W6", "#W2", "#W1"]),
        ("delivered", ["#W8", "#W7", "#W4"]),
        ("processed", ["#W3"]),
        ("cancelled", ["#W5"]),
    ],
)
def test_orders_by_status(clerk: Any, status: str, found: list[str]) -> None:
    assert clerk.call("find_orders", status=status).shown == tuple(f"order:{order}" for order in found)


def test_orders_by_what_is_in_them(clerk: Any) -> None:
    assert clerk.call("find_orders", item="kettles").shown == ("order:#W4", "order:#W3", "order:#W1")
    assert "no processed order with" in clerk.call("find_orders", item="lamp", status="processed").text
    assert clerk.call("find_orders", item="submarine").shown == ()


def test_status_of_an_order_under_way(clerk: Any) -> None:
    assert "hasn't been shipped yet" in clerk.call("order_status", order="#W1").text
    assert "TRACK3" in clerk.call("order_status", order="#W3").text
    assert "delivered" in clerk.call("order_status", order="#W4").text
    assert "no longer needed" in clerk.call("order_status", order="#W5").text
    assert clerk.call("order_status", order="#W4").content["tracking_ids"] == ["TRACK4"]


def test_parcels_carriers_and_days(make_clerk: Callable[..., Any]) -> None:
    clerk = make_clerk(config={"tracking_urls": {"UPS": "https://track.example/?n={tracking_id}"}})
    order = _sent(
        clerk.order("#W1"),
        Fulfillment(("1Z 9",), ("lamp-black",), "UPS", expected_on=date(2026, 6, 20)),
        Fulfillment(("77",), ("kettle-steel",), "", delivered_on=date(2025, 12, 31)),
    )
    from shopbot_orders.reading import order_status

    both = order_status.function(clerk.context(), order=order).text
    assert "Desk Lamp: tracking number 1Z 9 (UPS), expected June 20. https://track.example/?n=1Z%209" in both
    assert "Kettle: tracking number 77, delivered December 31, 2025" in both
    one = order_status.function(clerk.context(), order=order, item="the kettle").text
    assert "77" in one
    assert "1Z" not in one


def _sent(order: Order, *parcels: Fulfillment) -> Order:
    return replace(order, status="processed", fulfillments=parcels)


def test_details_name_options_prices_address_and_method(clerk: Any) -> None:
    text = clerk.call("order_details", order="#W1").text
    for fact in ("color black", "$40.00", "$50.00", "Total: $90.00", "1 Elm Way", "visa ending in 4242"):
        assert fact in text


def test_details_name_the_method_that_pays_now(clerk: Any) -> None:
    clerk.call("change_payment", order="#W1", payment="paypal_ada")
    text = clerk.call("order_details", order="#W1").text
    assert "Paid with your PayPal" in text
    assert "visa" not in text


def test_an_invoice_shows_all_money_that_moved(clerk: Any) -> None:
    clerk.call("change_items", order="#W1", item=["kettle-steel"], want=["kettle-glass"], payment="paypal_ada")
    text = clerk.call("invoice", order="#W1").text
    for fact in ("Ada Example", "$80.50", "Total: $120.50", "Paid $90.00", "Paid $30.50", "PayPal", "June 15"):
        assert fact in text, text
    assert (
        clerk.call("invoice", order="#W1").content["paid_after_refunds"]
        == clerk.call("order_details", order="#W1").content["total"]
    )


def test_an_even_swap_leaves_no_line_of_nothing_in_the_invoice(clerk: Any) -> None:
    clerk.call("change_items", order="#W1", item=["lamp-black"], want=["lamp-green"])
    assert "$0.00" not in clerk.call("invoice", order="#W1").text


def test_the_profile(clerk: Any) -> None:
    text = clerk.call("customer_profile").text
    for fact in (
        "Ada Example",
        "ada@example.com",
        "1 Elm Way",
        "visa ending in 4242",
        "gift card: $45.00 left",
        "PayPal",
    ):
        assert fact in text
    assert "Bob" not in text


LAMP = "product-Desk-Lamp"


@pytest.mark.parametrize(
    ("want", "facts"),
    [
        (None, ["4 options of 5 available", "$30.00 to $45.00", "color: ", "black", "battery"]),
        ("how many options", ["4 options of 5"]),
        ("cheapest", ["gray", "$30.00"]),
        ("the most expensive", ["white", "$45.00"]),
        ("cheapest USB", ["black", "$40.00"]),
        ("white", ["1 option", "$45.00"]),
        ("under 41", ["3 options", "$30.00", "$40.00"]),
        ("brass", ["none is available", "brass"]),
        ("cheapest brass", ["No Desk Lamp like that is available"]),
        ("{'color': 'green', 'power': 'USB'}", ["1 option", "$40.00"]),
        ("{'color': 'pink'}", ["no Desk Lamp like that", "4 options"]),
    ],
)
def test_product_questions(clerk: Any, want: str | None, facts: list[str]) -> None:
    text = clerk.call("product_info", product=LAMP, want=want).text
    missing = [fact for fact in facts if fact not in text]
    assert not missing, f"{missing} not in: {text}"


def test_a_product_that_is_sold_out(clerk: Any) -> None:
    from shopbot_orders.catalogue import product_info

    lamp = clerk.store.product(LAMP)
    gone = replace(lamp, variants=tuple(replace(variant, available=False) for variant in lamp.variants))
    assert "No Desk Lamp is available" in product_info.function(clerk.context(), product=gone).text
    bare = replace(lamp, variants=())
    assert "No Desk Lamp is available" in product_info.function(clerk.context(), product=bare).text
