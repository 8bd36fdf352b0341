"""shopbot: an agent SDK for shops. The public surface; everything else may change.

Names are imported on first use, so that the command line starts at once and a plugin loads only what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shopbot.backends import BackendSettings, Completion, ModelBackend, Token
    from shopbot.bot import Bot, Session
    from shopbot.config import Config, home
    from shopbot.errors import ShopbotError
    from shopbot.evals import Case, load_cases
    from shopbot.hookspecs import hookimpl
    from shopbot.identity import sign_token
    from shopbot.session import SessionView
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
        Store,
        Unit,
        Variant,
    )
    from shopbot.textindex import TextIndex
    from shopbot.tools import Context, Slot, Tool, tool
    from shopbot.types import Act, Answer, Refusal, Reply

__version__ = "0.1.0"
__all__ = [
    "Act",
    "Address",
    "Answer",
    "BackendSettings",
    "Bot",
    "Case",
    "Completion",
    "Config",
    "Context",
    "Customer",
    "Exchange",
    "Fulfillment",
    "ModelBackend",
    "Order",
    "OrderItem",
    "Payment",
    "PaymentMethod",
    "Product",
    "Refusal",
    "Reply",
    "Return",
    "Session",
    "SessionView",
    "ShopbotError",
    "Slot",
    "Store",
    "TextIndex",
    "Token",
    "Tool",
    "Unit",
    "Variant",
    "home",
    "hookimpl",
    "load_cases",
    "sign_token",
    "tool",
]
_HOMES = {
    "backends": ("BackendSettings", "Completion", "ModelBackend", "Token"),
    "bot": ("Bot", "Session"),
    "config": ("Config", "home"),
    "errors": ("ShopbotError",),
    "evals": ("Case", "load_cases"),
    "hookspecs": ("hookimpl",),
    "identity": ("sign_token",),
    "session": ("SessionView",),
    "store": (
        "Address",
        "Customer",
        "Exchange",
        "Fulfillment",
        "Order",
        "OrderItem",
        "Payment",
        "PaymentMethod",
        "Product",
        "Return",
        "Store",
        "Unit",
        "Variant",
    ),
    "textindex": ("TextIndex",),
    "tools": ("Context", "Slot", "Tool", "tool"),
    "types": ("Act", "Answer", "Refusal", "Reply"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'shopbot' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"shopbot.{module}"), name)
    globals()[name] = value
    return value
