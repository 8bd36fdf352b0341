"""``/v1/operator/checkpoints``: what the bot understands with; promote behind the gate, and roll back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from fastapi import HTTPException
from fastapi.responses import JSONResponse

from shopbot.checkpoint import Checkpoint, CheckpointStore, Manifest
from shopbot.config import home
from shopbot.errors import ModelError, ModelNotFoundError
from shopbot.server.access import Operator
from shopbot.server.operators import schemas
from shopbot.server.operators.gate import By, account, operator_router
from shopbot.server.schemas import errors
from shopbot.server.service import Service, Shared
from shopbot.server.sessions import NO_STORE

router = operator_router("/checkpoints", tag="operator: checkpoints")


@router.get("", summary="List checkpoints", response_model=schemas.Checkpoints, responses=errors(401))
def list_checkpoints(service: Shared) -> JSONResponse:
    """Those on this box, the newest first, and which one is in force."""
    store, bot = CheckpointStore(home()), service.bot
    current = None
    with suppress(ModelError):
        current = store.current_name()
    shown = schemas.Checkpoints(
        current=current,
        serving=bot.manifest.name if bot.manifest else None,
        is_pinned=bot.config.model.backend != "auto" or bool(bot.config.model.checkpoint),
        checkpoints=[_shown(manifest, current) for manifest in reversed(store.list())],
    )
    return JSONResponse(shown.model_dump(mode="json"), headers=NO_STORE)


@router.post(
    "/{name}/promote", summary="Promote a checkpoint", response_model=schemas.Current, responses=errors(401, 404, 409)
)
def promote(service: Shared, operator: By, name: str) -> JSONResponse:
    """Put it in force. One that did not pass its gate is refused: 409 `gate_not_met`."""
    return _switch(service, operator, "promote", name, lambda store: store.promote(name))


@router.post("/rollback", summary="Roll back", response_model=schemas.Current, responses=errors(401, 404, 409, 422))
def rollback(service: Shared, operator: By, wanted: schemas.Rollback) -> JSONResponse:
    """Put back what served before `current`; 409 if another one is in force by now."""
    return _switch(
        service, operator, "roll back", wanted.current, lambda store: store.rollback(replacing=wanted.current)
    )


def _switch(
    service: Service, operator: Operator, action: str, name: str, switch: Callable[[CheckpointStore], Checkpoint]
) -> JSONResponse:
    try:
        found = account(service.bot.store, operator, action, name, lambda: switch(CheckpointStore(home())))
    except ModelNotFoundError:
        raise HTTPException(404, "There is no such checkpoint on this box.") from None
    except ModelError as error:
        raise HTTPException(409, str(error)) from None
    return JSONResponse({"current": found.manifest.name}, headers=NO_STORE)


def _shown(manifest: Manifest, current: str | None) -> schemas.Checkpoint:
    return schemas.Checkpoint(
        name=manifest.name,
        created=manifest.created,
        parent=manifest.parent,
        is_current=manifest.name == current,
        is_baked=manifest.baked is not None,
        gate_passed=manifest.gate.passed,
        gate_report=manifest.gate.report,
        scores=manifest.scores,
    )
