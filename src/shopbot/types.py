"""The frozen records that travel between the parts of a turn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Effect = Literal["read", "write"]

#: Dialogue acts: what a customer can do in a conversation beside asking for a tool.
DIALOGUE_ACTS = (
    "affirm",
    "deny",
    "inform",
    "nevermind",
    "handoff",
    "smalltalk",
    "abuse",
    "other_language",
    "out_of_scope",
)


@dataclass(frozen=True, slots=True)
class Act:
    """What the model understood: a tool call or a dialogue act.

    ``arguments`` are the customer's own words, not yet looked up in the store. ``confidence`` is the calibrated
    probability in [0, 1] that the act is right. ``said`` is the part of the message it was understood from; empty: all.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 1.0
    said: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in self.arguments.items())
        return f"{self.name}({inside})"


@dataclass(frozen=True, slots=True)
class Awaiting:
    """What the bot asked for and waits for.

    ``kind``: ``slot`` (a missing argument), ``identity`` (e-mail, or name and postcode) or ``confirmation`` (a yes to
    the action read back). ``choices`` are the numbered options shown, as text.
    """

    kind: Literal["slot", "identity", "confirmation"]
    tool: str
    slot: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that ran: its arguments by value, its effect and what came back."""

    tool: str
    arguments: Mapping[str, Any]
    effect: Effect
    call_id: str
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool returns.

    ``text`` is shown to the customer as it stands. ``content`` is the typed result behind it (JSON-able).
    ``shown`` lists the ids of orders (``order:…``), items (``item:…``) or products (``product:…``) in the order they
    were shown, so that the customer can say "the second one".
    """

    text: str
    content: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the shop's policy forbids a call.

    ``instead`` names a tool that could do what the customer wants. ``slot`` names the argument that is in the way where
    another one would do: then the customer is asked for it again, and the task goes on.
    """

    text: str
    instead: str | None = None
    slot: str | None = None


@dataclass(frozen=True, slots=True)
class Handoff:
    """A conversation handed to a human agent; ``ticket_id`` is the ticket in the store."""

    reason: str
    ticket_id: str
    summary: str


@dataclass(frozen=True, slots=True)
class Report:
    """Something that a plugin has to show to operators.

    ``name`` tells it from the plugin's others; ``state`` says in a sentence how it stands. ``page``: an HTML file,
    complete in itself, if there is one. It is shown without scripts and without anything from elsewhere.
    """

    name: str
    title: str
    state: str
    made_at: datetime
    page: Path | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a turn cost the model: tokens of the prompt that were read, those found in its cache, those written."""

    read: int = 0
    cached: int = 0
    written: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.read + other.read, self.cached + other.cached, self.written + other.written)


#: Why a cloud model gave no answer. ``busy``: as many turns as may wait for one already. ``offline``: there is no way
#: to the endpoint. ``unavailable``: it is overloaded or broken. ``rejected``: it does not take the request; its
#: address, the key or the model's name is wrong. ``refused``: the model would not say.
CloudFailure = Literal[
    "busy",
    "over_budget",
    "breaker_open",
    "timed_out",
    "offline",
    "unavailable",
    "rejected",
    "refused",
    "malformed",
]
#: What came of the chance to ask one. ``sure``: there was no need to. ``off``: nobody switched it on. ``opted_out``:
#: not in this session. ``identity``: the message answers who the customer is. ``answered``: its acts count.
#: ``not_in_grammar``, ``not_in_message``: it said what it may not. ``failed``: the plugin did.
Deferral = Literal[
    "sure",
    "off",
    "opted_out",
    "identity",
    "answered",
    "not_in_grammar",
    "not_in_message",
    "failed",
    CloudFailure,
]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a message was taken for what it was.

    ``act``: what the model on the box was surest of (empty: it understood nothing), ``confidence``: how sure.
    ``threshold``: from which confidence on that is enough. ``deferral``: whether a cloud model was asked, and why not.
    """

    act: str
    confidence: float
    threshold: float
    deferral: Deferral


@dataclass(frozen=True, slots=True)
class CardItem:
    """``count`` equal pieces in an order; ``price`` of one, as in ``"20.00"``."""

    name: str
    options: Mapping[str, str]
    price: str
    count: int


@dataclass(frozen=True, slots=True)
class CardParcel:
    """A parcel of an order. Days are ISO 8601, None where the shop does not know them."""

    carrier: str
    tracking_ids: tuple[str, ...]
    expected_on: str | None
    delivered_on: str | None


@dataclass(frozen=True, slots=True)
class OrderCard:
    """One of the customer's own orders, as a chat shows it beside the reply's text. Amounts as in ``"145.78"``."""

    order: str
    status: str
    placed_on: str | None
    total: str
    currency: str
    items: tuple[CardItem, ...]
    parcels: tuple[CardParcel, ...]

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> OrderCard:
        """The card that :meth:`Reply.as_json` gave."""
        items = tuple(CardItem(**item) for item in saved["items"])
        parcels = tuple(
            CardParcel(**{**parcel, "tracking_ids": tuple(parcel["tracking_ids"])}) for parcel in saved["parcels"]
        )
        return cls(**{**saved, "items": items, "parcels": parcels})


@dataclass(frozen=True, slots=True)
class Reply:
    """The bot's answer to one message. ``as_json`` is public API. ``cards`` show the orders that the text is about.
    ``explain``: why it was understood so; None where no model was needed."""

    text: str
    acts: tuple[Act, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    awaiting: Awaiting | None = None
    handoff: Handoff | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)
    cards: tuple[OrderCard, ...] = ()
    explain: Explanation | None = None

    def as_json(self) -> dict[str, Any]:
        """The reply in the shape that HTTP and ``--json`` give."""
        return {
            "reply": self.text,
            "acts": [
                {"name": act.name, "arguments": dict(act.arguments), "confidence": round(act.confidence, 4)}
                for act in self.acts
            ],
            "tool_calls": [asdict(call) for call in self.tool_calls],
            "cards": [asdict(card) for card in self.cards],
            "awaiting": asdict(self.awaiting) if self.awaiting else None,
            "handoff": asdict(self.handoff) if self.handoff else None,
            "timings_ms": {stage: round(ms, 2) for stage, ms in self.timings_ms.items()},
            "tokens": asdict(self.tokens),
            "explain": {**asdict(self.explain), "confidence": round(self.explain.confidence, 4)}
            if self.explain
            else None,
        }
