"""shopbot: an agent SDK for shops. The public surface; everything else may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shopbot.backends import BackendSettings, Completion, ModelBackend, Token
from shopbot.config import Config
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

if TYPE_CHECKING:
    from shopbot.bot import Bot, Session

__version__ = "0.1.0"
__all__ = (
    "Act Address Answer BackendSettings Bot Case Completion Config Context Customer Exchange Fulfillment "
    "ModelBackend Order OrderItem Payment PaymentMethod Product Refusal Reply Return Session SessionView "
    "ShopbotError Slot Store TextIndex Token Tool Unit Variant hookimpl load_cases sign_token tool"
).split()


def __getattr__(name: str) -> Any:
    """``Bot`` and ``Session`` on first use: a plugin that imports ``tool`` need not load the whole bot."""
    if name in ("Bot", "Session"):
        from shopbot import bot

        return getattr(bot, name)
    raise AttributeError(f"module 'shopbot' has no attribute '{name}'")
