"""``/v1/operator/health`` and ``/me``: how the box is, in one look."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

import shopbot
from shopbot.server.operations import unready_because
from shopbot.server.operators import schemas
from shopbot.server.operators.gate import By, operator_router
from shopbot.server.schemas import errors
from shopbot.server.service import Service, Shared
from shopbot.server.sessions import NO_STORE
from shopbot.transcript import Transcripts

router = operator_router(tag="operator: health")


@router.get("/me", summary="Whose key this is", response_model=schemas.Me, responses=errors(401))
def me(operator: By) -> JSONResponse:
    """The name that customers read when you answer them."""
    return JSONResponse({"name": operator.name}, headers=NO_STORE)


@router.get("/health", summary="How the box is", response_model=schemas.Health, responses=errors(401))
async def health(service: Shared) -> JSONResponse:
    """Whether turns can be taken, what somebody should look at, and what this process has done since it started."""
    reasons = await unready_because(service)
    shown = await run_in_threadpool(_health, service, reasons)
    return JSONResponse(shown.model_dump(mode="json"), headers=NO_STORE)


def _health(service: Service, reasons: list[str]) -> schemas.Health:
    bot, metrics = service.bot, service.metrics
    return schemas.Health(
        status="unready" if reasons else "ready",
        reasons=reasons,
        warnings=[*_warnings(service)],
        version=shopbot.__version__,
        checkpoint=bot.manifest.name if bot.manifest else None,
        started_at=metrics.started_at,
        sessions=bot.store.count_sessions(),
        notices=bot.store.count_notices(),
        turns={labels["outcome"]: int(value) for labels, value in metrics.read("shopbot_turns_total")},
        mean_ms=metrics.mean_ms(),
        tokens={labels["kind"]: int(value) for labels, value in metrics.read("shopbot_tokens_total")},
        turns_running=service.turns.running,
        turns_queued=service.turns.queued,
        failed_requests=sum(
            int(value) for labels, value in metrics.read("shopbot_requests_total") if labels["status"] >= "500"
        ),
    )


def _warnings(service: Service) -> Iterator[str]:
    bot = service.bot
    for name in sorted(bot.plugins.failures):
        yield f"The plugin '{name}' is left out or fails; 'shopbot plugins check' says why."
    if bot.config.transcripts.enabled and Transcripts(bot.config.transcripts_path).problem():
        yield "Turns are not being recorded; 'shopbot doctor' says why."
    if dead := bot.store.count_notices()["dead"]:
        yield f"The webhook did not take {dead} event{'s' if dead > 1 else ''}."
