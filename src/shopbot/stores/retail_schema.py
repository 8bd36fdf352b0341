"""What a retail document may hold, field by field, and the records it stands for.

Strict: a number is a number, an unknown field is an error (it would be lost), texts are bounded and storable.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

import pydantic

from shopbot.store import (
    STATUSES,
    Address,
    Customer,
    Exchange,
    Fulfillment,
    Order,
    OrderItem,
    Payment,
    PaymentMethod,
    Product,
    Return,
    Variant,
)
from shopbot.stores.sql import Contents

_MAX_AMOUNT = 1e9
_CENT = Decimal("0.01")


def _known_status(status: str) -> str:
    if status not in STATUSES:
        raise ValueError(f"it must be one of: {', '.join(STATUSES)}")
    return status


#: No control characters: they would steer the terminals and break the lines that such texts are shown in.
_Text = Annotated[str, pydantic.StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Id = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x20\x7f-\x9f]+$")]
_Name = Annotated[_Text, pydantic.StringConstraints(min_length=1)]
_Status = Annotated[str, pydantic.AfterValidator(_known_status)]
_Amount = Annotated[float, pydantic.Field(ge=0, le=_MAX_AMOUNT, allow_inf_nan=False)]
_Difference = Annotated[float, pydantic.Field(ge=-_MAX_AMOUNT, le=_MAX_AMOUNT, allow_inf_nan=False)]
_Day = Annotated[date, pydantic.Strict(False)]


def money(amount: float) -> Decimal:
    """The amount that was meant: the nearest cent to what is printed, half a cent up."""
    return Decimal(repr(amount)).quantize(_CENT, ROUND_HALF_UP)


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class _Variant(_Strict):
    item_id: _Id
    options: dict[_Name, _Text]
    available: bool
    price: _Amount


class _Product(_Strict):
    name: _Name
    product_id: _Id
    variants: dict[_Id, _Variant]

    def record(self) -> Product:
        return Product(
            self.product_id,
            self.name,
            tuple(
                Variant(one.item_id, self.product_id, self.name, one.options, money(one.price), one.available)
                for one in self.variants.values()
            ),
        )


class _PersonName(_Strict):
    first_name: _Name
    last_name: _Text


class _Address(_Strict):
    address1: _Text
    address2: _Text
    city: _Text
    country: _Text
    state: _Text
    zip: _Text

    def record(self) -> Address:
        return Address(self.address1, self.address2, self.city, self.state, self.zip, self.country)


class _PaymentMethod(_Strict):
    source: Literal["credit_card", "paypal", "gift_card"]
    id: _Id
    brand: _Name | None = None
    last_four: Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9]{4}$")] | None = None
    balance: _Amount | None = None

    def record(self) -> PaymentMethod:
        balance = None if self.balance is None else money(self.balance)
        return PaymentMethod(self.id, self.source, self.brand or "", self.last_four or "", balance)


class _User(_Strict):
    user_id: _Id
    name: _PersonName
    address: _Address
    email: Annotated[_Name, pydantic.StringConstraints(max_length=320)]
    payment_methods: dict[_Id, _PaymentMethod]
    orders: list[_Id]

    def record(self) -> Customer:
        return Customer(
            self.user_id,
            self.name.first_name,
            self.name.last_name,
            self.email,
            self.address.record(),
            tuple(method.record() for method in self.payment_methods.values()),
            tuple(self.orders),
        )


class _Item(_Strict):
    name: _Name
    product_id: _Id
    item_id: _Id
    price: _Amount
    options: dict[_Name, _Text]

    def record(self) -> OrderItem:
        return OrderItem(self.item_id, self.product_id, self.name, self.options, money(self.price))


class _Fulfillment(_Strict):
    tracking_id: list[_Id]
    item_ids: list[_Id]
    carrier: _Text = ""
    expected_on: _Day | None = None
    delivered_on: _Day | None = None

    def record(self) -> Fulfillment:
        return Fulfillment(
            tuple(self.tracking_id), tuple(self.item_ids), self.carrier, self.expected_on, self.delivered_on
        )


class _Payment(_Strict):
    transaction_type: Literal["payment", "refund"]
    amount: _Amount
    payment_method_id: _Id
    made_on: _Day | None = None

    def record(self) -> Payment:
        return Payment(self.transaction_type, money(self.amount), self.payment_method_id, self.made_on)


class _Order(_Strict):
    order_id: _Id
    user_id: _Id
    address: _Address
    items: list[_Item]
    status: _Status
    fulfillments: list[_Fulfillment]
    payment_history: list[_Payment]
    cancel_reason: _Text | None = None
    return_items: list[_Id] | None = None
    return_payment_method_id: _Id | None = None
    return_state: Literal["requested", "received", "refunded"] = "requested"
    return_requested_on: _Day | None = None
    exchange_items: list[_Id] | None = None
    exchange_new_items: list[_Id] | None = None
    exchange_payment_method_id: _Id | None = None
    exchange_price_difference: _Difference | None = None
    exchange_requested_on: _Day | None = None
    placed_on: _Day | None = None

    @pydantic.model_validator(mode="after")
    def _is_whole(self) -> _Order:
        """A return or an exchange is told in full or not at all."""
        back = (self.return_items, self.return_payment_method_id)
        swap = (
            self.exchange_items,
            self.exchange_new_items,
            self.exchange_payment_method_id,
            self.exchange_price_difference,
        )
        for name, fields in (("return", back), ("exchange", swap)):
            if len({field is None for field in fields}) > 1:
                raise ValueError(f"some of the {name}_… fields are missing")
        return self

    def record(self) -> Order:
        return Order(
            id=self.order_id,
            customer_id=self.user_id,
            address=self.address.record(),
            items=tuple(item.record() for item in self.items),
            status=self.status,
            fulfillments=tuple(parcel.record() for parcel in self.fulfillments),
            payments=tuple(payment.record() for payment in self.payment_history),
            placed_on=self.placed_on,
            cancel_reason=self.cancel_reason,
            returned=self._returned(),
            exchanged=self._exchanged(),
        )

    def _returned(self) -> Return | None:
        if self.return_items is None or self.return_payment_method_id is None:
            return None
        return Return(
            tuple(self.return_items), self.return_payment_method_id, self.return_state, self.return_requested_on
        )

    def _exchanged(self) -> Exchange | None:
        if self.exchange_items is None or self.exchange_price_difference is None:
            return None
        return Exchange(
            tuple(self.exchange_items),
            tuple(self.exchange_new_items or ()),
            self.exchange_payment_method_id or "",
            money(self.exchange_price_difference),
            self.exchange_requested_on,
        )


class Document(_Strict):
    """The whole document."""

    products: dict[_Id, _Product]
    users: dict[_Id, _User]
    orders: dict[_Id, _Order]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _is_an_object(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            raise ValueError("it must be an object with products, users and orders")
        return document

    def contents(self) -> Contents:
        """The records, in the document's order."""
        return Contents(
            tuple(product.record() for product in self.products.values()),
            tuple(user.record() for user in self.users.values()),
            tuple(order.record() for order in self.orders.values()),
        )
