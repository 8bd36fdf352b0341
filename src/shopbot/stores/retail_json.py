"""A shop as one JSON document of ``products``, ``users`` and ``orders``: the form of the retail stores that agents are
judged on.

Import and export are inverse: what is imported comes out the same, rows and keys in their order. The document has no
dates; ``is_complete`` adds what it leaves out (dates, carriers, the state of a return) in fields of our own, which the
import reads back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pydantic

from shopbot.errors import StoreError
from shopbot.store import Address, Customer, Order, Payment, PaymentMethod, Product, Store
from shopbot.stores.retail_schema import Document
from shopbot.stores.sql import Contents, SqlStore

_REMEDY = "Correct the document; nothing was imported."


def import_retail(store: SqlStore, document: Mapping[str, Any], *, replace: bool = False) -> None:
    """Store the document's shop, all or nothing.

    :class:`~shopbot.errors.StoreError` names the path of the first bad field; also if the store holds a shop already,
    unless ``replace``.
    """
    store.fill(read_document(document), replace=replace)


def read_document(document: Any) -> Contents:
    """The records in the document. :class:`~shopbot.errors.StoreError` names the path of the first bad field."""
    try:
        shop = Document.model_validate(document)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise _wrong(problem["loc"], str(problem["msg"])) from None
    except RecursionError:
        raise _wrong((), "it is nested too deeply") from None
    contents = shop.contents()
    _check_ids(shop)
    _check_ownership(contents)
    return contents


def parse_document(text: str | bytes) -> Any:
    """Parse JSON. :class:`~shopbot.errors.StoreError` if it is none, or an object has a key twice."""
    try:
        return json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise StoreError(f"This is no JSON document: {why}.", remedy=_REMEDY) from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twin = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise ValueError(f"the key {_shown(twin)} stands twice in one object")
    return found


def _wrong(path: tuple[int | str, ...], message: str) -> StoreError:
    where = ".".join(_shown(part) for part in path) or "the document"
    return StoreError(f"{where}: {message}.", remedy=_REMEDY)


def _shown(part: int | str) -> str:
    """A key in an error message: short and harmless to a terminal."""
    return ascii(str(part)[:80])[1:-1]


def _check_ids(shop: Document) -> None:
    """Every key is its record's id; no variant and no e-mail address is there twice."""
    keyed: list[tuple[tuple[str, ...], str, str]] = []
    for key, product in shop.products.items():
        keyed.append((("products", key, "product_id"), key, product.product_id))
        keyed += [(("products", key, "variants", k, "item_id"), k, v.item_id) for k, v in product.variants.items()]
    for key, user in shop.users.items():
        keyed.append((("users", key, "user_id"), key, user.user_id))
        keyed += [(("users", key, "payment_methods", k, "id"), k, v.id) for k, v in user.payment_methods.items()]
    keyed += [(("orders", key, "order_id"), key, order.order_id) for key, order in shop.orders.items()]
    for path, key, own_id in keyed:
        if key != own_id:
            raise _wrong(path, "it is not the key it stands under")
    _check_unique(
        (("products", key, "variants", variant), variant)
        for key, product in shop.products.items()
        for variant in product.variants
    )
    _check_unique((("users", key, "email"), user.email.strip().casefold()) for key, user in shop.users.items())


def _check_unique(found: Any) -> None:
    seen: set[str] = set()
    for path, value in found:
        if value in seen:
            raise _wrong(path, "it is there twice")
        seen.add(value)


def _check_ownership(contents: Contents) -> None:
    """Every order is in its customer's list, once, and in nobody else's."""
    owners = {order.id: order.customer_id for order in contents.orders}
    listed: set[str] = set()
    for customer in contents.customers:
        for place, order_id in enumerate(customer.order_ids):
            if owners.get(order_id) != customer.id:
                raise _wrong(("users", customer.id, "orders", place), "there is no such order of this user")
            if order_id in listed:
                raise _wrong(("users", customer.id, "orders", place), "it is there twice")
            listed.add(order_id)
    for order_id in owners:
        if order_id not in listed:
            raise _wrong(("orders", order_id, "user_id"), "the user's list of orders lacks it")


def export_retail(store: Store, *, is_complete: bool = False) -> dict[str, Any]:
    """The whole store as a document, as of one moment. :class:`~shopbot.errors.StoreError` for a store of a plugin."""
    if not isinstance(store, SqlStore):
        raise StoreError("This store cannot be exported.", remedy="Use a store on SQLite or PostgreSQL.")
    contents = store.contents()
    return {
        "products": {product.id: product_document(product) for product in contents.products},
        "users": {customer.id: customer_document(customer) for customer in contents.customers},
        "orders": {order.id: order_document(order, is_complete=is_complete) for order in contents.orders},
    }


def write_document(document: Mapping[str, Any]) -> bytes:
    """The document's text, byte for byte as such files are published: four spaces, ASCII, no line end."""
    return json.dumps(document, indent=4).encode("ascii")


def product_document(product: Product) -> dict[str, Any]:
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


def customer_document(customer: Customer) -> dict[str, Any]:
    return {
        "user_id": customer.id,
        "name": {"first_name": customer.first_name, "last_name": customer.last_name},
        "address": _address(customer.address),
        "email": customer.email,
        "payment_methods": {method.id: _method(method) for method in customer.payment_methods},
        "orders": list(customer.order_ids),
    }


def order_document(order: Order, *, is_complete: bool = False) -> dict[str, Any]:
    document: dict[str, Any] = {
        "order_id": order.id,
        "user_id": order.customer_id,
        "address": _address(order.address),
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
        "payment_history": [_payment(payment) for payment in order.payments],
        **_what_happened(order),
    }
    if is_complete:
        _complete(document, order)
    return document


def _what_happened(order: Order) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if order.cancel_reason is not None:
        fields["cancel_reason"] = order.cancel_reason
    if order.returned:
        fields["return_items"] = list(order.returned.variant_ids)
        fields["return_payment_method_id"] = order.returned.method_id
    if order.exchanged:
        fields["exchange_items"] = list(order.exchanged.variant_ids)
        fields["exchange_new_items"] = list(order.exchanged.new_variant_ids)
        fields["exchange_payment_method_id"] = order.exchanged.method_id
        fields["exchange_price_difference"] = float(order.exchanged.price_difference)
    return fields


def _complete(document: dict[str, Any], order: Order) -> None:
    """Add what the published form leaves out, where it is known."""
    _put(document, placed_on=order.placed_on)
    if order.returned:
        _put(document, return_state=order.returned.state, return_requested_on=order.returned.requested_on)
    if order.exchanged:
        _put(document, exchange_requested_on=order.exchanged.requested_on)
    for fields, parcel in zip(document["fulfillments"], order.fulfillments, strict=True):
        _put(fields, carrier=parcel.carrier, expected_on=parcel.expected_on, delivered_on=parcel.delivered_on)
    for fields, payment in zip(document["payment_history"], order.payments, strict=True):
        _put(fields, made_on=payment.made_on)


def _put(document: dict[str, Any], **fields: object) -> None:
    document.update({name: str(value) for name, value in fields.items() if value})


def _address(address: Address) -> dict[str, str]:
    return {
        "address1": address.line1,
        "address2": address.line2,
        "city": address.city,
        "country": address.country,
        "state": address.state,
        "zip": address.postcode,
    }


def _method(method: PaymentMethod) -> dict[str, Any]:
    document: dict[str, Any] = {"source": method.kind, "id": method.id}
    if method.brand:
        document["brand"] = method.brand
    if method.last_four:
        document["last_four"] = method.last_four
    if method.balance is not None:
        document["balance"] = float(method.balance)
    return document


def _payment(payment: Payment) -> dict[str, Any]:
    amount: Decimal = payment.amount
    return {"transaction_type": payment.kind, "amount": float(amount), "payment_method_id": payment.method_id}
