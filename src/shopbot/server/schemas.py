"""The shapes of the HTTP API, as OpenAPI describes them; docs/http-api.md says what they mean."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import pydantic

from shopbot.types import Deferral

Printable = Annotated[str, pydantic.StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=200)]
CustomerToken = Annotated[str, pydantic.StringConstraints(pattern=r"^[\x21-\x7e]*$", max_length=4096)]


class _Body(pydantic.BaseModel):
    """What a client sends: a key that is not known is an error."""

    model_config = pydantic.ConfigDict(extra="forbid")


class NewSession(_Body):
    """What starts a session; an empty body will do. ``allows_refine`` false: nothing is learnt from it.
    ``allows_cloud`` false: nothing of it goes to a cloud model."""

    customer_token: CustomerToken | None = None
    allows_refine: bool = True
    allows_cloud: bool = True


class Identification(_Body):
    """Who the customer is, signed by the merchant's backend."""

    customer_token: CustomerToken


class NewMessage(_Body):
    """What the customer says. A repeated ``request_id`` gets the first reply again."""

    text: str
    request_id: Printable | None = None


class NewFeedback(_Body):
    """What the customer thought of the message with the number ``seq``."""

    seq: Annotated[int, pydantic.Field(ge=1, le=2**31 - 1)]
    rating: Literal["up", "down"]
    text: Annotated[str, pydantic.StringConstraints(max_length=1000)] = ""


class StartedSession(pydantic.BaseModel):
    """A session and the only key to it."""

    session_id: str
    session_token: str


class Act(pydantic.BaseModel):
    """What was understood."""

    name: str
    arguments: dict[str, str]
    confidence: float


class ToolCall(pydantic.BaseModel):
    """What was looked up or done."""

    tool: str
    arguments: dict[str, Any]
    effect: Literal["read", "write"]
    call_id: str
    result: dict[str, Any]
    error: str | None


class CardItem(pydantic.BaseModel):
    """Equal pieces in an order, and the price of one."""

    name: str
    options: dict[str, str]
    price: str
    count: int


class CardParcel(pydantic.BaseModel):
    """A parcel of an order."""

    carrier: str
    tracking_ids: list[str]
    expected_on: date | None
    delivered_on: date | None


class OrderCard(pydantic.BaseModel):
    """One of the customer's own orders that the reply is about, as it is in the store."""

    order: str
    status: str
    placed_on: date | None
    total: str
    currency: str
    items: list[CardItem]
    parcels: list[CardParcel]


class Awaiting(pydantic.BaseModel):
    """What the bot asked for."""

    kind: Literal["slot", "identity", "confirmation"]
    tool: str
    slot: str | None
    choices: list[str]


class Handoff(pydantic.BaseModel):
    """A human agent was asked for, or has the session."""

    reason: str
    ticket_id: str
    summary: str


class Tokens(pydantic.BaseModel):
    """What the message cost the model."""

    read: int
    cached: int
    written: int


class Explanation(pydantic.BaseModel):
    """Why a message was understood so."""

    act: str
    confidence: float
    threshold: float
    deferral: Deferral


class Reply(pydantic.BaseModel):
    """The bot's answer to one message."""

    reply: str
    acts: list[Act]
    tool_calls: list[ToolCall]
    cards: list[OrderCard]
    awaiting: Awaiting | None
    handoff: Handoff | None
    timings_ms: dict[str, float]
    tokens: Tokens
    explain: Explanation | None
    seq: int | None


class Feedback(pydantic.BaseModel):
    """What the customer thought of a message."""

    rating: Literal["up", "down"]
    text: str


class Message(pydantic.BaseModel):
    """One message of a session."""

    seq: int
    role: Literal["customer", "bot", "agent"]
    text: str
    at: datetime
    request_id: str | None
    payload: dict[str, Any]
    feedback: Feedback | None


class Messages(pydantic.BaseModel):
    """Messages of a session, in order."""

    messages: list[Message]


class Session(pydantic.BaseModel):
    """Where a session stands. ``agent``: the name of the human agent who has it."""

    session_id: str
    mode: Literal["bot", "waiting", "human"]
    agent: str | None
    awaiting: Awaiting | None
    turns: int
    last_seq: int
    is_identified: bool
    allows_refine: bool
    allows_cloud: bool
    started_at: datetime
    active_at: datetime


class ErrorDetail(pydantic.BaseModel):
    """``code`` is for programs, ``message`` for people."""

    code: str
    message: str


class Error(pydantic.BaseModel):
    """What every error looks like."""

    error: ErrorDetail


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may end in these, and in what any may end in."""
    return {status: {"model": Error} for status in sorted({400, 408, 413, 429, 500, 503, *statuses})}
