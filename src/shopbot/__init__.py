"""shopbot: an agent SDK for shops. The public surface; everything else may change.

Names are imported on first use, so that the command line starts at once and a plugin loads only what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shopbot.async_bot import AsyncBot, AsyncSession
    from shopbot.backends import BackendSettings, Completion, ModelBackend, Token
    from shopbot.backends.scripted import ScriptedBackend
    from shopbot.bot import Bot, Session
    from shopbot.calls import call_schema
    from shopbot.checkpoint import CheckpointStore, Manifest, read_manifest, write_manifest
    from shopbot.cli.invocation import Invocation, json_option, pass_invocation, print_json
    from shopbot.cloud import CloudModel, Opinion, Question
    from shopbot.config import Config, home
    from shopbot.errors import (
        BackendError,
        CallError,
        ConfigError,
        ConflictError,
        GateError,
        ModelCorruptError,
        ModelError,
        ModelNotFoundError,
        NotFoundError,
        ShopbotError,
    )
    from shopbot.evals import CASE_DAY, Case, CaseResult, demo_stores, load_cases, run_cases, wilson
    from shopbot.events import ActEvent, DeltaEvent, ReplyEvent
    from shopbot.first_start import prepare
    from shopbot.grammar import signatures
    from shopbot.hookspecs import hookimpl
    from shopbot.identity import sign_token
    from shopbot.memory import return_unused_memory
    from shopbot.minds import open_backend
    from shopbot.models import DEFAULT_MODEL, locate_model
    from shopbot.plugins import PluginManager
    from shopbot.redact import PLACEHOLDER, Redactor
    from shopbot.references import Found, item_matches, matching_variants, resolve_items
    from shopbot.session import SessionView, open_tool
    from shopbot.stages import Observer
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
        Feedback,
        Fulfillment,
        Message,
        Order,
        OrderItem,
        Payment,
        PaymentMethod,
        Product,
        Return,
        Store,
        Unit,
        Variant,
        Written,
    )
    from shopbot.textindex import TextIndex, fold
    from shopbot.tools import Context, Slot, Tool, tool
    from shopbot.transcript import Transcripts
    from shopbot.types import DIALOGUE_ACTS, Act, Answer, CloudFailure, Refusal, Reply, Report
    from shopbot.understand import PROMPT_FORMAT, Calibration, Understanding, render_prompt

__version__ = "0.1.0"
__all__ = [
    "CANCELLED",
    "CASE_DAY",
    "DEFAULT_MODEL",
    "DELIVERED",
    "DIALOGUE_ACTS",
    "EXCHANGE_REQUESTED",
    "PENDING",
    "PENDING_MODIFIED",
    "PLACEHOLDER",
    "PROCESSED",
    "PROMPT_FORMAT",
    "RETURN_REQUESTED",
    "Act",
    "ActEvent",
    "Address",
    "Answer",
    "AsyncBot",
    "AsyncSession",
    "BackendError",
    "BackendSettings",
    "Bot",
    "Calibration",
    "CallError",
    "Case",
    "CaseResult",
    "CheckpointStore",
    "CloudFailure",
    "CloudModel",
    "Completion",
    "Config",
    "ConfigError",
    "ConflictError",
    "Context",
    "Customer",
    "DeltaEvent",
    "Exchange",
    "Feedback",
    "Found",
    "Fulfillment",
    "GateError",
    "Invocation",
    "Manifest",
    "Message",
    "ModelBackend",
    "ModelCorruptError",
    "ModelError",
    "ModelNotFoundError",
    "NotFoundError",
    "Observer",
    "Opinion",
    "Order",
    "OrderItem",
    "Payment",
    "PaymentMethod",
    "PluginManager",
    "Product",
    "Question",
    "Redactor",
    "Refusal",
    "Reply",
    "ReplyEvent",
    "Report",
    "Return",
    "ScriptedBackend",
    "Session",
    "SessionView",
    "ShopbotError",
    "Slot",
    "Store",
    "TextIndex",
    "Token",
    "Tool",
    "Transcripts",
    "Understanding",
    "Unit",
    "Variant",
    "Written",
    "call_schema",
    "demo_stores",
    "fold",
    "home",
    "hookimpl",
    "item_matches",
    "json_option",
    "load_cases",
    "locate_model",
    "matching_variants",
    "open_backend",
    "open_tool",
    "pass_invocation",
    "prepare",
    "print_json",
    "read_manifest",
    "render_prompt",
    "resolve_items",
    "return_unused_memory",
    "run_cases",
    "sign_token",
    "signatures",
    "tool",
    "wilson",
    "write_manifest",
]
_HOMES = {
    "async_bot": ("AsyncBot", "AsyncSession"),
    "backends": ("BackendSettings", "Completion", "ModelBackend", "Token"),
    "backends.scripted": ("ScriptedBackend",),
    "bot": ("Bot", "Session"),
    "calls": ("call_schema",),
    "checkpoint": ("CheckpointStore", "Manifest", "read_manifest", "write_manifest"),
    "cloud": ("CloudModel", "Opinion", "Question"),
    "cli.invocation": ("Invocation", "json_option", "pass_invocation", "print_json"),
    "config": ("Config", "home"),
    "errors": (
        "BackendError",
        "CallError",
        "ConfigError",
        "ConflictError",
        "GateError",
        "ModelCorruptError",
        "ModelError",
        "ModelNotFoundError",
        "NotFoundError",
        "ShopbotError",
    ),
    "events": ("ActEvent", "DeltaEvent", "ReplyEvent"),
    "evals": ("CASE_DAY", "Case", "CaseResult", "demo_stores", "load_cases", "run_cases", "wilson"),
    "first_start": ("prepare",),
    "grammar": ("signatures",),
    "hookspecs": ("hookimpl",),
    "identity": ("sign_token",),
    "minds": ("open_backend",),
    "memory": ("return_unused_memory",),
    "models": ("DEFAULT_MODEL", "locate_model"),
    "plugins": ("PluginManager",),
    "redact": ("PLACEHOLDER", "Redactor"),
    "references": ("Found", "item_matches", "matching_variants", "resolve_items"),
    "session": ("SessionView", "open_tool"),
    "stages": ("Observer",),
    "store": (
        "Address",
        "CANCELLED",
        "Customer",
        "DELIVERED",
        "EXCHANGE_REQUESTED",
        "Exchange",
        "Feedback",
        "Fulfillment",
        "Message",
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
        "Written",
    ),
    "textindex": ("TextIndex", "fold"),
    "tools": ("Context", "Slot", "Tool", "tool"),
    "transcript": ("Transcripts",),
    "types": ("DIALOGUE_ACTS", "Act", "Answer", "CloudFailure", "Refusal", "Reply", "Report"),
    "understand": ("Calibration", "PROMPT_FORMAT", "Understanding", "render_prompt"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'shopbot' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"shopbot.{module}"), name)
    globals()[name] = value
    return value
