"""``/v1/operator/reports``: what plugins have to show, a refine run's report for instance."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from shopbot.server.access import operator_of
from shopbot.server.operators import schemas
from shopbot.server.operators.gate import operator_router
from shopbot.server.schemas import errors
from shopbot.server.service import Service, Shared, limit_address
from shopbot.server.sessions import NO_STORE
from shopbot.types import Report

router = operator_router("/reports", tag="operator: reports")
#: A browser shows a report by sending a form, which can carry no header: the key is in the body.
form_router = APIRouter(prefix="/v1/operator/reports", dependencies=[Depends(limit_address)], include_in_schema=False)
_MAX_PAGE_BYTES = 50 * 1024 * 1024
#: A report shows what strangers typed: whatever is in it, nothing runs, nothing is fetched, nothing is sent.
_HARMLESS = {
    **NO_STORE,
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}


@router.get("", summary="List reports", response_model=schemas.Reports, responses=errors(401))
def list_reports(service: Shared) -> JSONResponse:
    """Those of all plugins, the newest first."""
    shown = schemas.Reports(
        reports=[
            schemas.Report(
                plugin=plugin,
                name=report.name,
                title=report.title,
                state=report.state,
                made_at=report.made_at,
                has_page=report.page is not None,
            )
            for plugin, report in service.bot.plugins.reports()
        ]
    )
    return JSONResponse(shown.model_dump(mode="json"), headers=NO_STORE)


@router.get(
    "/{plugin}/{name}",
    summary="Read a report",
    response_class=Response,
    responses={**errors(401, 404), 200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def show(service: Shared, plugin: str, name: str) -> Response:
    """Its HTML, with a policy that lets nothing in it run or reach anywhere."""
    return _page(service, plugin, name)


@form_router.post("/{plugin}/{name}", response_class=Response)
async def show_in_browser(request: Request, service: Shared, plugin: str, name: str) -> Response:
    """The same for a form with the field ``key``."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    if operator_of(service, form.get("key", [""])[0]) is None:
        raise HTTPException(401, "Send an operator's key.")
    return await run_in_threadpool(_page, service, plugin, name)


def _page(service: Service, plugin: str, name: str) -> Response:
    for owner, report in service.bot.plugins.reports():
        if (owner, report.name) == (plugin, name) and report.page is not None:
            return Response(_read(report, report.page), media_type="text/html", headers=_HARMLESS)
    raise HTTPException(404, "There is no such report.")


def _read(report: Report, page: Path) -> bytes:
    try:
        with page.open("rb") as file:
            content = file.read(_MAX_PAGE_BYTES + 1)
    except OSError:
        raise HTTPException(404, "There is no such report.") from None
    if len(content) > _MAX_PAGE_BYTES:
        raise HTTPException(404, f"The report '{report.name}' is too large to be shown; open its file on the box.")
    return content
