"""What another program is told of a hand-off: enough to find it and to judge its haste, redacted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from shopbot.redact import Redactor
from shopbot.store import Store, Ticket

#: ``handoff.requested``: a customer waits for a human agent; ``handoff.waiting``: again, for the one they had is not
#: there; ``handoff.test``: somebody tries the webhook.
EventType = Literal["handoff.requested", "handoff.waiting", "handoff.test"]


def announcement(store: Store, ticket: Ticket, kind: EventType, at: datetime) -> dict[str, Any]:
    """The event's body. Of the customer it has placeholders only."""
    redactor = _redactor(store, ticket)
    return event_body(
        kind,
        at,
        {
            "session_id": ticket.session_id,
            "ticket_id": ticket.id,
            "reason": redactor.text(ticket.reason),
            "summary": redactor.text(ticket.summary, expects_identity=True),
            "is_identified": ticket.customer_id is not None,
        },
    )


def event_body(kind: EventType, at: datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of every event."""
    return {"type": kind, "timestamp": at.isoformat(), "data": dict(data)}


def _redactor(store: Store, ticket: Ticket) -> Redactor:
    """One that knows what the store knows of the customer, and what the customer said of themselves."""
    redactor = Redactor()
    if ticket.customer_id is not None:
        redactor.know(store.customer(ticket.customer_id), store.orders(ticket.customer_id))
        redactor.know_value("CUSTOMER", ticket.customer_id)
    saved = store.load_session(ticket.session_id)
    for kind, value in (saved[0].get("facts", {}) if saved else {}).items():
        redactor.know_value(kind.upper(), str(value))
    for message in store.messages(ticket.session_id):
        for act in message.payload.get("acts", ()):
            redactor.know_act(act["name"], act["arguments"])
    return redactor
