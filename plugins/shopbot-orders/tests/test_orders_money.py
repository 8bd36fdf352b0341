"""No sequence of calls makes money from nothing, whatever is asked in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopbot.store import CANCELLED

ORDERS = ["#W1", "#W2", "#W3", "#W4", "#W6", "#W9", "#W10"]
METHODS = ["visa_ada", "gift_ada", "paypal_ada", "gift_bob"]
VARIANTS = ["lamp-black", "lamp-white", "lamp-brass", "lamp-grey", "lamp-green", "kettle-steel", "kettle-glass"]

order = st.sampled_from(ORDERS)
method = st.sampled_from(METHODS)
variants = st.lists(st.sampled_from(VARIANTS), min_size=1, max_size=2)
calls = st.one_of(
    st.tuples(st.just("cancel_order"), st.fixed_dictionaries({"order": order, "reason": st.just("no longer needed")})),
    st.tuples(st.just("change_payment"), st.fixed_dictionaries({"order": order, "payment": method})),
    st.tuples(
        st.just("change_items"),
        st.fixed_dictionaries({"order": order, "item": variants, "want": variants}, optional={"payment": method}),
    ),
)


def net(clerk: Any, order_id: str, method_id: str | None = None) -> Decimal:
    """Payments less refunds of an order, in all or with one method."""
    return sum(
        (
            entry.amount if entry.kind == "payment" else -entry.amount
            for entry in clerk.order(order_id).payments
            if method_id in (None, entry.method_id)
        ),
        Decimal(0),
    )


@given(sequence=st.lists(calls, min_size=1, max_size=8), is_lenient=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_money_is_conserved(
    make_clerk: Callable[..., Any], sequence: list[tuple[str, dict[str, Any]]], is_lenient: bool
) -> None:
    clerk = make_clerk(config={"allow_repeated_payment_change": is_lenient})
    try:
        spent = {order_id: net(clerk, order_id, "gift_ada") for order_id in ORDERS}
        balance = clerk.customer.payment_method("gift_ada").balance
        others = clerk.order("#W10"), clerk.store.customer("bob")
        for tool, ids in sequence:
            clerk.call(tool, **ids)
            for order_id in ORDERS:
                found = clerk.order(order_id)
                kept = Decimal(0) if found.status == CANCELLED else found.total
                assert net(clerk, order_id) == kept, f"{order_id} after {tool} {ids}: {found.payments}"
                assert all(entry.amount >= 0 for entry in found.payments)
            now = clerk.customer.payment_method("gift_ada").balance
            assert now >= 0
            taken = sum(net(clerk, order_id, "gift_ada") - spent[order_id] for order_id in ORDERS)
            assert now == balance - taken, f"the gift card after {tool} {ids}"
        assert (clerk.order("#W10"), clerk.store.customer("bob")) == others, "Bob's things were touched by Ada"
    finally:
        clerk.store.close()
