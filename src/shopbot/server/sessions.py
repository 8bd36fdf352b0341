"""``/v1/sessions``: start, look at, identify, end."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from shopbot.errors import SessionError
from shopbot.server import schemas
from shopbot.server.access import COOKIE, OwnSession, cookie_path, set_cookie
from shopbot.server.service import Service, Shared, address_of, limit_address

router = APIRouter(prefix="/v1/sessions", tags=["sessions"], dependencies=[Depends(limit_address)])
NO_STORE = {"Cache-Control": "no-store"}


@router.post("", summary="Start a session", response_model=schemas.StartedSession, responses=schemas.errors(422))
async def start(request: Request, service: Shared, new: schemas.NewSession | None = None) -> JSONResponse:
    """Its token is the only key to it; a browser gets it as a cookie as well."""
    service.sessions_limit.take(address_of(request))
    wanted = new or schemas.NewSession()
    session = await run_in_threadpool(
        service.bot.session,
        customer_token=wanted.customer_token,
        allows_refine=wanted.allows_refine,
        allows_cloud=wanted.allows_cloud,
    )
    assert session.token is not None
    response = JSONResponse({"session_id": session.id, "session_token": session.token}, headers=NO_STORE)
    set_cookie(request, response, session.id, session.token, valid_s=_valid_s(service))
    return response


@router.get(
    "/{session_id}",
    summary="Where a session stands",
    response_model=schemas.Session,
    responses=schemas.errors(401, 404),
)
async def show(request: Request, service: Shared, session_id: OwnSession) -> JSONResponse:
    """To go on after a reload: who answers, what was asked, the number of the last message."""
    response = JSONResponse(await run_in_threadpool(_session, service, session_id), headers=NO_STORE)
    if token := request.cookies.get(COOKIE):  # kept for as long again
        set_cookie(request, response, session_id, token, valid_s=_valid_s(service))
    return response


@router.post(
    "/{session_id}/identify",
    summary="Say who the customer is",
    response_model=schemas.Session,
    responses=schemas.errors(401, 404, 422),
)
async def identify(service: Shared, session_id: OwnSession, who: schemas.Identification) -> JSONResponse:
    """By a token that the merchant's backend has signed. One customer per session."""
    await run_in_threadpool(service.bot.session, session_id, customer_token=who.customer_token)
    return JSONResponse(await run_in_threadpool(_session, service, session_id), headers=NO_STORE)


@router.delete("/{session_id}", summary="End a session", status_code=204, responses=schemas.errors(401, 404))
async def end(request: Request, service: Shared, session_id: OwnSession) -> Response:
    """Erases the session, its messages and its transcript."""
    await run_in_threadpool(service.bot.forget, session_id)
    response = Response(status_code=204, headers=NO_STORE)
    response.delete_cookie(COOKIE, path=cookie_path(request, session_id))
    return response


def _valid_s(service: Service) -> int:
    """How long a browser keeps the key: as long as a session lasts that nobody uses."""
    return 60 * service.bot.config.session.idle_minutes


def _session(service: Service, session_id: str) -> dict[str, Any]:
    entry, view = service.bot.store.session_entry(session_id), service.bot.view(session_id)
    if entry is None:
        raise SessionError("There is no such session.")
    shown = schemas.Session(
        session_id=session_id,
        mode=entry.mode,
        agent=entry.agent,
        awaiting=schemas.Awaiting.model_validate(view.awaiting, from_attributes=True) if view.awaiting else None,
        turns=entry.turns,
        last_seq=entry.last_seq,
        is_identified=entry.customer_id is not None,
        allows_refine=view.allows_refine,
        allows_cloud=view.allows_cloud,
        started_at=entry.started_at,
        active_at=entry.active_at,
    )
    return shown.model_dump(mode="json")
