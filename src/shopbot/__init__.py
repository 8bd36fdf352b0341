"""shopbot: an agent SDK for shops. The public surface; everything else may change.

Names are imported on first use, so that the command line starts at once and a plugin loads only what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shopbot.backends import BackendSettings, Completion, ModelBackend, Token
    from shopbot.bot import Bot, Session
    from shopbot.checkpoint import Manifest, read_manifest, write_manifest
    from shopbot.config import Config, home
    from shopbot.errors import (
        ConfigError,
        ConflictError,
        ModelCorruptError,
        ModelError,
        ModelNotFoundError,
        NotFoundError,
        ShopbotError,
    )
    from shopbot.evals import Case, load_cases
    from shopbot.hookspecs import hookimpl
    from shopbot.identity import sign_token
    from shopbot.models import DEFAULT_MODEL, locate_model
    from shopbot.references import Found, item_matches, matching_variants, resolve_items
    from shopbot.session import SessionView
    from shopbot.store import (
        CANCELLED,
        DELIVERED,
        EXCHANGE_REQUESTED,
        PENDING,
        PENDING_MODIFIED,
        PROCESSED,
        RETURN_REQUESTED,
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
    from shopbot.types import DIALOGUE_ACTS, Act, Answer, Refusal, Reply
    from shopbot.understand import PROMPT_FORMAT, render_prompt

__version__ = "0.1.0"
__all__ = [
    "CANCELLED",
    "DEFAULT_MODEL",
    "DELIVERED",
    "DIALOGUE_ACTS",
    "EXCHANGE_REQUESTED",
    "PENDING",
    "PENDING_MODIFIED",
    "PROCESSED",
    "PROMPT_FORMAT",
    "RETURN_REQUESTED",
    "Act",
    "Address",
    "Answer",
    "BackendSettings",
    "Bot",
    "Case",
    "Completion",
    "Config",
    "ConfigError",
    "ConflictError",
    "Context",
    "Customer",
    "Exchange",
    "Found",
    "Fulfillment",
    "Manifest",
    "ModelBackend",
    "ModelCorruptError",
    "ModelError",
    "ModelNotFoundError",
    "NotFoundError",
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
    "item_matches",
    "load_cases",
    "locate_model",
    "matching_variants",
    "read_manifest",
    "render_prompt",
    "resolve_items",
    "sign_token",
    "tool",
    "write_manifest",
]
_HOMES = {
    "backends": ("BackendSettings", "Completion", "ModelBackend", "Token"),
    "bot": ("Bot", "Session"),
    "checkpoint": ("Manifest", "read_manifest", "write_manifest"),
    "config": ("Config", "home"),
    "errors": (
        "ConfigError",
        "ConflictError",
        "ModelCorruptError",
        "ModelError",
        "ModelNotFoundError",
        "NotFoundError",
        "ShopbotError",
    ),
    "evals": ("Case", "load_cases"),
    "hookspecs": ("hookimpl",),
    "identity": ("sign_token",),
    "models": ("DEFAULT_MODEL", "locate_model"),
    "references": ("Found", "item_matches", "matching_variants", "resolve_items"),
    "session": ("SessionView",),
    "store": (
        "Address",
        "CANCELLED",
        "Customer",
        "DELIVERED",
        "EXCHANGE_REQUESTED",
        "Exchange",
        "Fulfillment",
        "Order",
        "OrderItem",
        "PENDING",
        "PENDING_MODIFIED",
        "PROCESSED",
        "Payment",
        "PaymentMethod",
        "Product",
        "RETURN_REQUESTED",
        "Return",
        "Store",
        "Unit",
        "Variant",
    ),
    "textindex": ("TextIndex",),
    "tools": ("Context", "Slot", "Tool", "tool"),
    "types": ("DIALOGUE_ACTS", "Act", "Answer", "Refusal", "Reply"),
    "understand": ("PROMPT_FORMAT", "render_prompt"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'shopbot' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"shopbot.{module}"), name)
    globals()[name] = value
    return value
