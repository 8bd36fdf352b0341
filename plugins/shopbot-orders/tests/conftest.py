"""A small shop in a real store, written out so that a test can be read without looking anything up."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shopbot_orders

from shopbot.binding import values
from shopbot.session import Frame
from shopbot.store import Customer, Order, Store, Unit
from shopbot.stores.retail_json import import_retail
from shopbot.stores.sql import open_store
from shopbot.tools import Context, Tool
from shopbot.types import Answer, Refusal

TODAY = date(2026, 6, 15)
TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in shopbot_orders.shopbot_register_tools({})}
_numbers = itertools.count()


class RefusedError(Exception):
    """The policy said no inside the transaction."""


class Clerk:
    """Does with a tool what the engine does, by ids: values, policy, read-back, policy again, the write, once."""

    def __init__(self, store: Store, customer_id: str = "ada", config: Mapping[str, Any] | None = None) -> None:
        self.store = store
        self.customer_id = customer_id
        self.config = config or {}

    def context(self) -> Context:
        return Context(self.store, self.config, "", TODAY, "test", self.store.customer(self.customer_id))

    def call(self, tool_name: str, **ids: Any) -> Answer | Refusal:
        tool, outside = TOOLS[tool_name], self.context()
        frame = Frame(tool_name, bound=dict(ids))
        for parameter in tool.parameters:
            if parameter.name not in ids and parameter.slot.default is not None:
                value = parameter.slot.default(outside, values(frame, tool, outside))
                frame.bound[parameter.name] = getattr(value, "id", value)
        arguments = values(frame, tool, outside)
        refusal = tool.policy(outside, **arguments) if tool.policy else None
        if refusal is not None:
            return refusal
        return tool.function(outside, **arguments) if tool.effect == "read" else self._write(tool, frame)

    def read_back(self, tool_name: str, **ids: Any) -> str:
        tool, outside = TOOLS[tool_name], self.context()
        assert tool.confirm is not None
        return tool.confirm(outside, **values(Frame(tool_name, bound=dict(ids)), tool, outside))

    def order(self, order_id: str) -> Order:
        order = self.store.order(order_id)
        assert order is not None, f"{order_id} is gone"
        return order

    @property
    def customer(self) -> Customer:
        customer = self.store.customer(self.customer_id)
        assert customer is not None
        return customer

    def _write(self, tool: Tool, frame: Frame) -> Answer:
        def action(unit: Unit) -> Mapping[str, Any]:
            inside = Context(self.store, self.config, "", TODAY, "test", unit.customer(self.customer_id), unit)
            arguments = values(frame, tool, inside)
            refusal = tool.policy(inside, **arguments) if tool.policy else None
            if refusal is not None:
                raise RefusedError(refusal.text)
            answer = tool.function(inside, **arguments)
            return {"text": answer.text, "content": dict(answer.content), "shown": list(answer.shown)}

        written = self.store.execute(
            f"call-{next(_numbers)}",
            session_id="test",
            customer_id=self.customer_id,
            tool=tool.name,
            arguments=dict(frame.bound),
            action=action,
        )
        return Answer(written.result["text"], written.result["content"], tuple(written.result["shown"]))


@pytest.fixture(scope="session")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Store]]:
    """A maker of fresh copies of the small shop."""
    folder = tmp_path_factory.mktemp("orders")
    template = folder / "template.db"
    store = open_store(f"sqlite:///{template}")
    import_retail(store, shop_document())
    store.close()
    opened: list[Store] = []

    def make() -> Store:
        path = Path(folder) / f"copy-{next(_numbers)}.db"
        shutil.copyfile(template, path)
        opened.append(open_store(f"sqlite:///{path}"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def clerk(open_shop: Callable[[], Store]) -> Clerk:
    """Serves Ada, in her own copy of the shop."""
    return Clerk(open_shop())


@pytest.fixture
def make_clerk(open_shop: Callable[[], Store]) -> Callable[..., Clerk]:
    return lambda **settings: Clerk(open_shop(), **settings)


@pytest.fixture(scope="session")
def clerk_for() -> Callable[..., Clerk]:
    """A clerk for any store and customer."""
    return Clerk


HOME = {"address1": "1 Elm Way", "address2": "", "city": "Boston", "state": "MA", "zip": "02139", "country": "USA"}
_VARIANTS = {
    "Desk Lamp": {
        "lamp-black": ({"color": "black", "power": "USB"}, 40.0, True),
        "lamp-white": ({"color": "white", "power": "USB"}, 45.0, True),
        "lamp-brass": ({"color": "brass", "power": "mains"}, 60.0, False),
        "lamp-grey": ({"color": "gray", "power": "battery"}, 30.0, True),
        "lamp-green": ({"color": "green", "power": "USB"}, 40.0, True),
    },
    "Kettle": {
        "kettle-steel": ({"material": "steel", "capacity": "1L"}, 50.0, True),
        "kettle-glass": ({"material": "glass", "capacity": "1.5L"}, 80.5, True),
    },
}
_PRODUCT_OF = {variant: name for name, variants in _VARIANTS.items() for variant in variants}


def _product_id(name: str) -> str:
    return f"product-{name.replace(' ', '-')}"


def shop_document() -> dict[str, Any]:
    """The small shop in the form that ``shopbot store import`` reads."""
    orders = [
        _order("#W1", "pending", ["lamp-black", "kettle-steel"], "visa_ada"),
        _order("#W2", "pending", ["lamp-black"], "gift_ada"),
        _order("#W3", "processed", ["kettle-glass"], "visa_ada", tracking="TRACK3"),
        _order("#W4", "delivered", ["lamp-white", "kettle-steel"], "paypal_ada", tracking="TRACK4"),
        _order("#W5", "cancelled", ["lamp-grey"], "visa_ada"),
        _order("#W6", "pending (item modified)", ["lamp-green"], "visa_ada"),
        _order("#W7", "return requested", ["lamp-white"], "visa_ada", tracking="TRACK7"),
        _order("#W8", "exchange requested", ["lamp-white"], "visa_ada", tracking="TRACK8"),
        _order("#W9", "pending", ["lamp-black", "lamp-black"], "paypal_ada"),
        _order("#W10", "pending", ["kettle-steel"], "visa_bob", user="bob"),
    ]
    orders[6] |= {"return_items": ["lamp-white"], "return_payment_method_id": "visa_ada"}
    orders[7] |= {
        "exchange_items": ["lamp-white"],
        "exchange_new_items": ["lamp-green"],
        "exchange_payment_method_id": "visa_ada",
        "exchange_price_difference": -5.0,
    }
    return {
        "products": {
            f"product-{name.replace(' ', '-')}": {
                "name": name,
                "product_id": f"product-{name.replace(' ', '-')}",
                "variants": {
                    variant: {"item_id": variant, "options": options, "available": is_available, "price": price}
                    for variant, (options, price, is_available) in variants.items()
                },
            }
            for name, variants in _VARIANTS.items()
        },
        "users": {
            "ada": _user("ada", "Ada", "Example", orders, gift_card=45.0),
            "bob": _user("bob", "Bob", "Sample", orders, gift_card=500.0),
        },
        "orders": {order["order_id"]: order for order in orders},
    }


def _user(user_id: str, first: str, last: str, orders: list[dict[str, Any]], *, gift_card: float) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": {"first_name": first, "last_name": last},
        "address": HOME,
        "email": f"{user_id}@example.com",
        "payment_methods": {
            f"visa_{user_id}": {"source": "credit_card", "id": f"visa_{user_id}", "brand": "visa", "last_four": "4242"},
            f"gift_{user_id}": {"source": "gift_card", "id": f"gift_{user_id}", "balance": gift_card},
            f"paypal_{user_id}": {"source": "paypal", "id": f"paypal_{user_id}"},
        },
        "orders": [order["order_id"] for order in orders if order["user_id"] == user_id],
    }


def _order(
    order_id: str, status: str, variants: list[str], method: str, *, user: str = "ada", tracking: str = ""
) -> dict[str, Any]:
    items = [
        {
            "name": _PRODUCT_OF[variant],
            "product_id": f"product-{_PRODUCT_OF[variant].replace(' ', '-')}",
            "item_id": variant,
            "price": _VARIANTS[_PRODUCT_OF[variant]][variant][1],
            "options": _VARIANTS[_PRODUCT_OF[variant]][variant][0],
        }
        for variant in variants
    ]
    total = sum(item["price"] for item in items)
    payments = [{"transaction_type": "payment", "amount": total, "payment_method_id": method}]
    if status == "cancelled":
        payments.append({"transaction_type": "refund", "amount": total, "payment_method_id": method})
    order = {
        "order_id": order_id,
        "user_id": user,
        "address": HOME,
        "items": items,
        "status": status,
        "fulfillments": [{"tracking_id": [tracking], "item_ids": variants}] if tracking else [],
        "payment_history": payments,
    }
    if status == "cancelled":
        order["cancel_reason"] = "no longer needed"
    return order
