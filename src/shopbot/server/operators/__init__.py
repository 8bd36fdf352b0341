"""The operator's part of the HTTP API, behind an operator's key; docs/operators.md is its contract."""

from __future__ import annotations

from shopbot.server.operators import bookkeeping, checkpoints, events, health, inbox, reports, transcripts

ROUTERS = (
    health.router,
    inbox.router,
    events.router,
    transcripts.router,
    checkpoints.router,
    reports.router,
    reports.form_router,
    bookkeeping.router,
)
