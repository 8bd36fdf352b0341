"""``/v1/operator/notices`` and ``/actions``: what the webhook was told, and what operators did."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Literal

from fastapi import HTTPException, Query
from fastapi.responses import JSONResponse, Response

from shopbot.server.operators import schemas
from shopbot.server.operators.gate import By, account, operator_router
from shopbot.server.schemas import errors
from shopbot.server.service import Shared
from shopbot.server.sessions import NO_STORE

router = operator_router(tag="operator: accounts")


@router.get("/notices", summary="List webhook events", response_model=schemas.Notices, responses=errors(401, 422))
def list_notices(
    service: Shared,
    state: Literal["waiting", "delivered", "dead"] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """The newest first; `dead` are those that the receiver did not take for a day."""
    found = service.bot.store.notices(state=state, limit=limit)
    shown = schemas.Notices(notices=[schemas.Notice.model_validate(one, from_attributes=True) for one in found])
    return JSONResponse(shown.model_dump(mode="json"), headers=NO_STORE)


@router.post(
    "/notices/{notice_id}/retry", summary="Send a dead event again", status_code=204, responses=errors(401, 404)
)
def retry(service: Shared, operator: By, notice_id: str) -> Response:
    """With all its attempts, the first one at once."""
    store = service.bot.store

    def revive() -> None:
        if not store.revive_notice(notice_id, due_at=datetime.now(timezone.utc)):
            raise HTTPException(404, "There is no dead event of that id.")

    account(store, operator, "retry", notice_id, revive)
    return Response(status_code=204, headers=NO_STORE)


@router.get("/actions", summary="What operators did", response_model=schemas.ActionPage, responses=errors(401, 422))
def list_actions(
    service: Shared,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """The last first: which key did what, to which session or checkpoint, and how it ended."""
    found = service.bot.store.actions(before=before, limit=limit)
    shown = schemas.ActionPage(
        actions=[schemas.Action.model_validate(one, from_attributes=True) for one in found],
        next=found[-1].id if len(found) == limit else None,
    )
    return JSONResponse(shown.model_dump(mode="json"), headers=NO_STORE)
