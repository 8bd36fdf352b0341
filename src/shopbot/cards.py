"""Order cards: what a turn showed of the customer's own orders, read from the store and never from the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from shopbot.store import Fulfillment, Order, Store
from shopbot.types import CardItem, CardParcel, OrderCard

#: More cards than this help nobody in a chat.
MAX_CARDS = 10


def order_cards(store: Store, customer_id: str | None, shown: Iterable[str], *, currency: str) -> tuple[OrderCard, ...]:
    """A card for each order among the references ``shown`` (``order:…``) that is the customer's, as it is now."""
    order_ids = dict.fromkeys(ref.removeprefix("order:") for ref in shown if ref.startswith("order:"))
    orders = (store.order(order_id) for order_id in [*order_ids][:MAX_CARDS])
    return tuple(_card(order, currency) for order in orders if order and order.customer_id == customer_id)


def _card(order: Order, currency: str) -> OrderCard:
    return OrderCard(
        order=order.id,
        status=order.status,
        placed_on=order.placed_on.isoformat() if order.placed_on else None,
        total=f"{order.total:.2f}",
        currency=currency,
        items=_items(order),
        parcels=tuple(_parcel(parcel) for parcel in order.fulfillments),
    )


def _items(order: Order) -> tuple[CardItem, ...]:
    counts = Counter((item.variant_id, item.price) for item in order.items)
    first = {(item.variant_id, item.price): item for item in reversed(order.items)}
    return tuple(
        CardItem(first[key].name, dict(first[key].options), f"{first[key].price:.2f}", count)
        for key, count in counts.items()
    )


def _parcel(parcel: Fulfillment) -> CardParcel:
    return CardParcel(
        carrier=parcel.carrier,
        tracking_ids=parcel.tracking_ids,
        expected_on=parcel.expected_on.isoformat() if parcel.expected_on else None,
        delivered_on=parcel.delivered_on.isoformat() if parcel.delivered_on else None,
    )
