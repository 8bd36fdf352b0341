"""``/v1/operator/sessions``: who talks, who waits, and a human agent's part in it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import HTTPException, Query
from fastapi.responses import JSONResponse

from shopbot.errors import SessionError
from shopbot.handoff import Desk
from shopbot.server.messages import MAX_MESSAGES
from shopbot.server.operators import schemas
from shopbot.server.operators.explanation import explain_answer
from shopbot.server.operators.gate import By, account, operator_router
from shopbot.server.schemas import Awaiting, Message, errors
from shopbot.server.service import Service, Shared
from shopbot.server.sessions import NO_STORE
from shopbot.store import SessionEntry, Store, Ticket

router = operator_router("/sessions", tag="operator: sessions")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@router.get("", summary="List sessions", response_model=schemas.SessionPage, responses=errors(401, 422))
def list_sessions(
    service: Shared,
    mode: schemas.Mode | None = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """Those in one mode or all, the last active first; `before` is the `next` of the page before."""
    store = service.bot.store
    found = store.session_entries(mode=mode, before=_position(before) if before else None, limit=limit)
    page = schemas.SessionPage(sessions=listed(store, found), next=_cursor(found[-1]) if len(found) == limit else None)
    return JSONResponse(page.model_dump(mode="json"), headers=NO_STORE)


@router.get(
    "/{session_id}", summary="Read a session", response_model=schemas.ShownSession, responses=errors(401, 404, 422)
)
def show(service: Shared, operator: By, session_id: str, after: schemas.Count = 0) -> JSONResponse:
    """Where it stands, and the messages with a higher number than `after`, at most 500."""

    def read() -> dict[str, Any]:
        return _shown(service, session_id, after)

    # opening a conversation is accounted for; following it is not, once more
    shown = read() if after else account(service.bot.store, operator, "read", session_id, read)
    return JSONResponse(shown, headers=NO_STORE)


@router.post(
    "/{session_id}/claim",
    summary="Claim a session",
    response_model=schemas.ListedSession,
    responses=errors(401, 404, 409),
)
def claim(service: Shared, operator: By, session_id: str) -> JSONResponse:
    """The bot is silent from now on. Of two operators who claim at once, one gets 409 `taken`."""
    return _act(service, operator, "claim", session_id, lambda desk: desk.claim(session_id, operator.name))


@router.post(
    "/{session_id}/messages", summary="Answer", response_model=schemas.Said, responses=errors(401, 404, 409, 422)
)
def answer(service: Shared, operator: By, session_id: str, new: schemas.NewAnswer) -> JSONResponse:
    """Say something to the customer, who reads the name of your key with it. You must have claimed the session."""
    store, request_id = service.bot.store, new.request_id or secrets.token_urlsafe(12)

    def say() -> int:
        return Desk(store).reply(session_id, operator.name, new.text, request_id)

    return JSONResponse({"seq": account(store, operator, "answer", session_id, say)}, headers=NO_STORE)


@router.post(
    "/{session_id}/release",
    summary="Give a session back",
    response_model=schemas.ListedSession,
    responses=errors(401, 404, 409, 422),
)
def release(service: Shared, operator: By, session_id: str, whom: schemas.Release | None = None) -> JSONResponse:
    """To the bot, or with `{"to": "waiting"}` to your colleagues."""
    to = (whom or schemas.Release()).to
    return _act(service, operator, "release", session_id, lambda desk: desk.release(session_id, operator.name, to=to))


@router.post(
    "/{session_id}/close",
    summary="Close a hand-off",
    response_model=schemas.ListedSession,
    responses=errors(401, 404, 409),
)
def close(service: Shared, operator: By, session_id: str) -> JSONResponse:
    """Nothing is left to do for a human agent; you need not have claimed the session."""
    return _act(service, operator, "close", session_id, lambda desk: desk.close(session_id, operator.name))


@router.get(
    "/{session_id}/messages/{seq}/explanation",
    summary="Explain an answer",
    response_model=schemas.Explanation,
    responses=errors(401, 404, 422),
)
def explain(service: Shared, session_id: str, seq: schemas.Count) -> JSONResponse:
    """Why the bot answered so: what was understood, how surely, what was looked up or done, and what it took."""
    found = service.bot.store.messages(session_id, after=seq - 1)[:1]
    if not found or found[0].seq != seq or found[0].role != "bot":
        raise HTTPException(404, "There is no such message of the bot's.")
    return JSONResponse({"seq": seq, "reasons": explain_answer(found[0].payload)}, headers=NO_STORE)


def listed(store: Store, entries: Sequence[SessionEntry]) -> list[schemas.ListedSession]:
    """The sessions with their open tickets."""
    tickets = {ticket.session_id: ticket for ticket in store.tickets(sessions=[entry.id for entry in entries])}
    return [schemas.ListedSession(**_fields(entry, tickets.get(entry.id))) for entry in entries]


def _act(service: Service, operator: By, name: str, session_id: str, do: Callable[[Desk], None]) -> JSONResponse:
    """Do something at the desk; the session as it stands then."""
    store = service.bot.store
    account(store, operator, name, session_id, lambda: do(Desk(store)))
    [session] = listed(store, [_entry(store, session_id)])
    return JSONResponse(session.model_dump(mode="json"), headers=NO_STORE)


def _shown(service: Service, session_id: str, after: int) -> dict[str, Any]:
    store = service.bot.store
    [session] = listed(store, [_entry(store, session_id)])
    view = service.bot.view(session_id)
    customer = store.customer(session.customer_id) if session.customer_id else None
    shown = schemas.ShownSession(
        **dict(session),
        customer=schemas.Customer(id=customer.id, name=f"{customer.first_name} {customer.last_name}")
        if customer
        else None,
        awaiting=Awaiting.model_validate(view.awaiting, from_attributes=True) if view.awaiting else None,
        allows_refine=view.allows_refine,
        messages=[
            Message.model_validate(one, from_attributes=True)
            for one in store.messages(session_id, after=after)[:MAX_MESSAGES]
        ],
    )
    return shown.model_dump(mode="json")


def _entry(store: Store, session_id: str) -> SessionEntry:
    entry = store.session_entry(session_id)
    if entry is None:
        raise SessionError("There is no such session.")
    return entry


def _fields(entry: SessionEntry, ticket: Ticket | None) -> dict[str, Any]:
    fields = {name: getattr(entry, name) for name in schemas.ListedSession.model_fields if hasattr(entry, name)}
    shown = schemas.Ticket.model_validate(ticket, from_attributes=True) if ticket else None
    return {**fields, "session_id": entry.id, "ticket": shown}


def _cursor(entry: SessionEntry) -> str:
    return f"{(entry.active_at - _EPOCH) // timedelta(microseconds=1)}~{entry.id}"


def _position(cursor: str) -> tuple[datetime, str]:
    """What :func:`_cursor` wrote. Raises :class:`HTTPException` for anything else."""
    micros, _, session_id = cursor.partition("~")
    try:
        return _EPOCH + timedelta(microseconds=int(micros)), session_id
    except (ValueError, OverflowError):
        raise HTTPException(422, "before: send the 'next' of the page before.") from None
