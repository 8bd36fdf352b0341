"""``/healthz``: the process answers. ``/readyz``: it can take turns. ``/metrics``: what it has done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

import shopbot
from shopbot.errors import ShopbotError
from shopbot.server.access import Bearer, require_operator
from shopbot.server.schemas import errors
from shopbot.server.service import Service, Shared

router = APIRouter(tags=["operations"])
_TIMEOUT_S = 5.0


@router.get("/healthz", summary="Whether the process answers")
async def health(service: Shared) -> dict[str, Any]:
    """Always `ok` when it does, with the checkpoint and the version."""
    manifest = service.bot.manifest
    return {"status": "ok", "checkpoint": manifest.name if manifest else None, "version": shopbot.__version__}


@router.get("/readyz", summary="Whether turns can be taken", responses={503: {"description": "Not now; says why not."}})
async def ready(service: Shared) -> JSONResponse:
    """For a load balancer: 503 with the reasons while the service stops, or the store or the model does not answer."""
    reasons = await unready_because(service)
    told = {"status": "unready", "reasons": reasons} if reasons else {"status": "ready", "reasons": []}
    return JSONResponse(told, 503 if reasons else 200, {"Cache-Control": "no-store"})


async def _may_read(service: Shared, bearer: Bearer) -> None:
    """Anybody may, until there are operators' keys."""
    if service.bot.config.server.operator_keys:
        await require_operator(service, bearer)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, responses=errors(401))
async def metrics(service: Shared, _allowed: Annotated[None, Depends(_may_read)]) -> Response:
    """With an operator's key, as soon as the configuration has one."""
    return Response(
        service.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
    )


async def unready_because(service: Service) -> list[str]:
    """Why turns cannot be taken now: ``draining``, ``model``, ``store``; empty where they can."""
    reasons = []
    if service.draining.is_set():
        reasons.append("draining")
    if not await _answers(service.bot.is_model_answering):
        reasons.append("model")
    if not await _answers(lambda: service.bot.store.session_entry("-") is None):
        reasons.append("store")
    return reasons


async def _answers(ask: Callable[[], bool]) -> bool:
    try:
        return await asyncio.wait_for(run_in_threadpool(ask), _TIMEOUT_S)
    except (ShopbotError, asyncio.TimeoutError):
        return False
