"""``/v1/operator/transcripts``: what was said, redacted, with what was understood."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException, Query
from fastapi.responses import JSONResponse

from shopbot.server.operators import schemas
from shopbot.server.operators.gate import operator_router
from shopbot.server.schemas import errors
from shopbot.server.service import Shared
from shopbot.server.sessions import NO_STORE
from shopbot.transcript import Transcripts

router = operator_router("/transcripts", tag="operator: transcripts")


@router.get("", summary="Search transcripts", response_model=schemas.TurnPage, responses=errors(401, 422))
def search(
    service: Shared,
    q: Annotated[str, Query(max_length=200)] = "",
    outcome: Annotated[str, Query(max_length=40)] = "",
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """The turns whose message or reply has every word of `q`, with this `outcome` (`answered`, `asked`, `failed`,
    `handed_off`, `said`, `wrote`), the last first."""
    transcripts = Transcripts(service.bot.config.transcripts_path)
    turns = transcripts.search(q.split(), outcome=outcome or None, before=before, limit=limit)
    following = turns[-1]["id"] if len(turns) == limit else None
    return JSONResponse({"turns": turns, "next": following}, headers=NO_STORE)


@router.get("/{session_id}", summary="Read a transcript", response_model=schemas.Turns, responses=errors(401, 404))
def show(service: Shared, session_id: str) -> JSONResponse:
    """One session's turns; its id as a search gives it, or as `/v1/operator/sessions` does."""
    turns = Transcripts(service.bot.config.transcripts_path).turns(session_id)
    if not turns:
        raise HTTPException(404, "There is no transcript of that session.")
    return JSONResponse({"turns": turns}, headers=NO_STORE)
