"""The shapes of the operator's part of the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic

from shopbot.server import schemas

Mode = Literal["bot", "waiting", "human"]
Count = Annotated[int, pydantic.Field(ge=0, le=2**31 - 1)]
MAX_TEXT_CHARS = 4000


class _Body(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class NewAnswer(_Body):
    """What a human agent says. A repeated ``request_id`` says it once."""

    text: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT_CHARS)]
    request_id: schemas.Printable | None = None


class Release(_Body):
    """Whom a session is given back to: the bot, or the colleagues."""

    to: Literal["bot", "waiting"] = "bot"


class Rollback(_Body):
    """``current``: the checkpoint to roll back from, as the operator saw it."""

    current: str


class Me(pydantic.BaseModel):
    """Whose key it is."""

    name: str


class Ticket(pydantic.BaseModel):
    """An open hand-off."""

    id: str
    reason: str
    summary: str
    created_at: datetime


class ListedSession(pydantic.BaseModel):
    """A session in a list. ``agent``: the human agent who has it."""

    session_id: str
    mode: Mode
    agent: str | None
    customer_id: str | None
    turns: int
    last_seq: int
    started_at: datetime
    active_at: datetime
    ticket: Ticket | None


class SessionPage(pydantic.BaseModel):
    """Sessions, the last active first. ``next``: what to send as ``before`` for those that follow, if any do."""

    sessions: list[ListedSession]
    next: str | None


class Customer(pydantic.BaseModel):
    """Who the customer is."""

    id: str
    name: str


class ShownSession(ListedSession):
    """A session with what was said, and with what the bot waits for."""

    customer: Customer | None
    awaiting: schemas.Awaiting | None
    allows_refine: bool
    messages: list[schemas.Message]


class Said(pydantic.BaseModel):
    """The number of the message among the session's."""

    seq: int


class Explanation(pydantic.BaseModel):
    """Why the bot answered as it did, in sentences."""

    seq: int
    reasons: list[str]


class TurnPage(pydantic.BaseModel):
    """Turns of transcripts, the last first, as ``shopbot transcripts export`` gives them. ``next`` as for sessions."""

    turns: list[dict[str, Any]]
    next: int | None


class Turns(pydantic.BaseModel):
    """One session's turns, the first one first."""

    turns: list[dict[str, Any]]


class Checkpoint(pydantic.BaseModel):
    """A checkpoint. ``gate``: whether it may be promoted, and why."""

    name: str
    created: datetime
    parent: str | None
    is_current: bool
    is_baked: bool
    gate_passed: bool
    gate_report: str
    scores: dict[str, Any]


class Checkpoints(pydantic.BaseModel):
    """The checkpoints on this box, the newest first. ``current`` is in force, ``serving`` what this process answers
    with; where ``is_pinned``, the configuration names it and promotions do not reach it."""

    current: str | None
    serving: str | None
    is_pinned: bool
    checkpoints: list[Checkpoint]


class Current(pydantic.BaseModel):
    """The checkpoint in force."""

    current: str


class Report(pydantic.BaseModel):
    """A plugin's report; ``has_page``: whether there is something to read beyond ``state``."""

    plugin: str
    name: str
    title: str
    state: str
    made_at: datetime
    has_page: bool


class Reports(pydantic.BaseModel):
    """The plugins' reports, the newest first."""

    reports: list[Report]


class Notice(pydantic.BaseModel):
    """An event for the webhook."""

    id: str
    body: dict[str, Any]
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    created_at: datetime
    next_at: datetime
    error: str


class Notices(pydantic.BaseModel):
    """Events for the webhook, the newest first."""

    notices: list[Notice]


class Action(pydantic.BaseModel):
    """What an operator did."""

    id: int
    at: datetime
    operator: str
    name: str
    subject: str
    outcome: Literal["begun", "done", "refused"]


class ActionPage(pydantic.BaseModel):
    """What operators did, the last first. ``next`` as for sessions."""

    actions: list[Action]
    next: int | None


class Health(pydantic.BaseModel):
    """How the box is. ``reasons``: why it is not ready; ``warnings``: what somebody should look at. The counts of
    turns, times and tokens are this process's since it started."""

    status: Literal["ready", "unready"]
    reasons: list[str]
    warnings: list[str]
    version: str
    checkpoint: str | None
    started_at: datetime
    sessions: Mapping[Mode, int]
    notices: Mapping[Literal["waiting", "delivered", "dead"], int]
    turns: dict[str, int]
    mean_ms: dict[str, float]
    tokens: dict[str, int]
    turns_running: int
    turns_queued: int
    failed_requests: int
