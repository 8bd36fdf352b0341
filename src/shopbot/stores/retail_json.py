"""A shop as one JSON document of ``products``, ``users`` and ``orders``: the form of the retail store that tau-bench
made known.

Import and export are inverse: a document that is imported into an empty store comes out the same, rows and keys in
their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from shopbot.errors import StoreError
from shopbot.store import (
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
from shopbot.stores.sql import SqlStore

_KINDS = ("credit_card", "paypal", "gift_card")


def import_retail(store: SqlStore, document: Mapping[str, Any]) -> None:
    """Add everything in the document, all or nothing. :class:`StoreError` names the path of the first bad field."""
    products = [_product(key, raw, f"products.{key}") for key, raw in _rows(document, "products")]
    customers = [_customer(key, raw, f"users.{key}") for key, raw in _rows(document, "users")]
    orders = [_order(key, raw, f"orders.{key}") for key, raw in _rows(document, "orders")]
    known = {customer.id for customer in customers}
    for order in orders:
        if order.customer_id not in known:
            raise StoreError(f"orders.{order.id}.user_id: there is no user '{order.customer_id}'.")
    store.add(products=products, customers=customers, orders=orders)


def export_retail(store: SqlStore) -> dict[str, Any]:
    """The whole store as a document."""
    return {
        "products": {product.id: _product_json(product) for product in store.products()},
        "users": {customer.id: _customer_json(customer) for customer in store.customers()},
        "orders": {order.id: _order_json(order) for order in store.all_orders()},
    }


def dumps(document: Mapping[str, Any]) -> str:
    """The document as text, in the layout of the published file."""
    return json.dumps(document, indent=4)


class _Reader:
    """Typed access to one JSON object; what is wrong is named by its path."""

    def __init__(self, raw: Any, path: str) -> None:
        if not isinstance(raw, Mapping):
            raise StoreError(f"{path}: an object is expected, not {type(raw).__name__}.")
        self._raw = raw
        self.path = path

    def text(self, key: str, default: str | None = None) -> str:
        value = self._raw.get(key, default)
        if not isinstance(value, str) or len(value) > 2000:
            raise StoreError(f"{self.path}.{key}: a text is expected.")
        return value

    def maybe_text(self, key: str) -> str | None:
        return self.text(key) if self._raw.get(key) is not None else None

    def money(self, key: str) -> Decimal:
        value = self._raw.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise StoreError(f"{self.path}.{key}: an amount is expected.")
        try:
            return Decimal(str(value)).quantize(Decimal("0.01"))
        except InvalidOperation:
            raise StoreError(f"{self.path}.{key}: {value} is no amount.") from None

    def truth(self, key: str) -> bool:
        value = self._raw.get(key)
        if not isinstance(value, bool):
            raise StoreError(f"{self.path}.{key}: true or false is expected.")
        return value

    def object(self, key: str) -> _Reader:
        return _Reader(self._raw.get(key), f"{self.path}.{key}")

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise StoreError(f"{self.path}.{key}: a list of texts is expected.")
        return tuple(value)

    def each(self, key: str) -> list[_Reader]:
        value = self._raw.get(key, [])
        if not isinstance(value, list):
            raise StoreError(f"{self.path}.{key}: a list is expected.")
        return [_Reader(entry, f"{self.path}.{key}[{place}]") for place, entry in enumerate(value)]

    def pairs(self, key: str) -> dict[str, str]:
        inner = self.object(key)
        return {name: inner.text(name) for name in inner._raw}

    def readers(self, key: str) -> list[tuple[str, _Reader]]:
        inner = self.object(key)
        return [(name, inner.object(name)) for name in inner._raw]

    def has(self, key: str) -> bool:
        return self._raw.get(key) is not None


def _rows(document: Mapping[str, Any], table: str) -> list[tuple[str, Any]]:
    if not isinstance(document, Mapping) or not isinstance(document.get(table), Mapping):
        raise StoreError(
            f"The document has no '{table}'.", remedy="It must be an object with products, users and orders."
        )
    return list(document[table].items())


def _same_id(reader: _Reader, key: str, name: str) -> str:
    value = reader.text(name)
    if value != key:
        raise StoreError(f"{reader.path}.{name}: '{value}' does not match its key.")
    return value


def _product(key: str, raw: Any, path: str) -> Product:
    reader = _Reader(raw, path)
    product_id, name = _same_id(reader, key, "product_id"), reader.text("name")
    variants = tuple(
        Variant(
            _same_id(variant, variant_id, "item_id"),
            product_id,
            name,
            variant.pairs("options"),
            variant.money("price"),
            variant.truth("available"),
        )
        for variant_id, variant in reader.readers("variants")
    )
    return Product(product_id, name, variants)


def _address(reader: _Reader) -> Address:
    return Address(
        reader.text("address1"),
        reader.text("address2", ""),
        reader.text("city"),
        reader.text("state", ""),
        reader.text("zip"),
        reader.text("country"),
    )


def _customer(key: str, raw: Any, path: str) -> Customer:
    reader = _Reader(raw, path)
    name = reader.object("name")
    return Customer(
        _same_id(reader, key, "user_id"),
        name.text("first_name"),
        name.text("last_name"),
        reader.text("email"),
        _address(reader.object("address")),
        tuple(_method(method_id, method) for method_id, method in reader.readers("payment_methods")),
        reader.texts("orders"),
    )


def _method(key: str, reader: _Reader) -> PaymentMethod:
    kind = reader.text("source")
    if kind not in _KINDS:
        raise StoreError(f"{reader.path}.source: '{kind}' is none of {', '.join(_KINDS)}.")
    return PaymentMethod(
        _same_id(reader, key, "id"),
        kind,  # type: ignore[arg-type]
        reader.text("brand", ""),
        reader.text("last_four", ""),
        reader.money("balance") if reader.has("balance") else None,
    )


def _order(key: str, raw: Any, path: str) -> Order:
    reader = _Reader(raw, path)
    returned = exchanged = None
    if reader.has("return_items"):
        returned = Return(reader.texts("return_items"), reader.text("return_payment_method_id"))
    if reader.has("exchange_items"):
        exchanged = Exchange(
            reader.texts("exchange_items"),
            reader.texts("exchange_new_items"),
            reader.text("exchange_payment_method_id"),
            reader.money("exchange_price_difference"),
        )
    return Order(
        _same_id(reader, key, "order_id"),
        reader.text("user_id"),
        _address(reader.object("address")),
        tuple(_item(item) for item in reader.each("items")),
        reader.text("status"),
        tuple(
            Fulfillment(parcel.texts("tracking_id"), parcel.texts("item_ids")) for parcel in reader.each("fulfillments")
        ),
        tuple(_payment(payment) for payment in reader.each("payment_history")),
        cancel_reason=reader.maybe_text("cancel_reason"),
        returned=returned,
        exchanged=exchanged,
    )


def _item(reader: _Reader) -> OrderItem:
    return OrderItem(
        reader.text("item_id"),
        reader.text("product_id"),
        reader.text("name"),
        reader.pairs("options"),
        reader.money("price"),
    )


def _payment(reader: _Reader) -> Payment:
    kind = reader.text("transaction_type")
    if kind not in ("payment", "refund"):
        raise StoreError(f"{reader.path}.transaction_type: '{kind}' is neither payment nor refund.")
    return Payment(kind, reader.money("amount"), reader.text("payment_method_id"))  # type: ignore[arg-type]


def _product_json(product: Product) -> dict[str, Any]:
    variants = {
        variant.id: {
            "item_id": variant.id,
            "options": dict(variant.options),
            "available": variant.available,
            "price": float(variant.price),
        }
        for variant in product.variants
    }
    return {"name": product.name, "product_id": product.id, "variants": variants}


def _address_json(address: Address) -> dict[str, str]:
    return {
        "address1": address.line1,
        "address2": address.line2,
        "city": address.city,
        "country": address.country,
        "state": address.state,
        "zip": address.postcode,
    }


def _customer_json(customer: Customer) -> dict[str, Any]:
    return {
        "user_id": customer.id,
        "name": {"first_name": customer.first_name, "last_name": customer.last_name},
        "address": _address_json(customer.address),
        "email": customer.email,
        "payment_methods": {method.id: _method_json(method) for method in customer.payment_methods},
        "orders": list(customer.order_ids),
    }


def _method_json(method: PaymentMethod) -> dict[str, Any]:
    found: dict[str, Any] = {"source": method.kind, "id": method.id}
    if method.brand or method.last_four:
        found |= {"brand": method.brand, "last_four": method.last_four}
    if method.balance is not None:
        found["balance"] = float(method.balance)
    return found


def _order_json(order: Order) -> dict[str, Any]:
    found: dict[str, Any] = {
        "order_id": order.id,
        "user_id": order.customer_id,
        "address": _address_json(order.address),
        "items": [
            {
                "name": item.name,
                "product_id": item.product_id,
                "item_id": item.variant_id,
                "price": float(item.price),
                "options": dict(item.options),
            }
            for item in order.items
        ],
        "status": order.status,
        "fulfillments": [
            {"tracking_id": list(parcel.tracking_ids), "item_ids": list(parcel.variant_ids)}
            for parcel in order.fulfillments
        ],
        "payment_history": [
            {"transaction_type": payment.kind, "amount": float(payment.amount), "payment_method_id": payment.method_id}
            for payment in order.payments
        ],
    }
    if order.cancel_reason is not None:
        found["cancel_reason"] = order.cancel_reason
    if order.returned is not None:
        found |= {
            "return_items": list(order.returned.variant_ids),
            "return_payment_method_id": order.returned.method_id,
        }
    if order.exchanged is not None:
        found |= {
            "exchange_items": list(order.exchanged.variant_ids),
            "exchange_new_items": list(order.exchanged.new_variant_ids),
            "exchange_payment_method_id": order.exchanged.method_id,
            "exchange_price_difference": float(order.exchanged.price_difference),
        }
    return found
