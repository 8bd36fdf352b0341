"""What an operator is told of runs and money, in JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from shopbot import Report
from shopbot_refine.ledger import Ledger
from shopbot_refine.ledger_rows import MICROS, Totals
from shopbot_refine.runs import REPORT_FILE, RUN_FILE, Run, ledger_path, list_runs
from shopbot_refine.stages import STAGES, read_report


def describe_run(run: Run) -> dict[str, Any]:
    """A run: its settings, its stages' results, and in a sentence where it stands."""
    done = {stage: report for stage in STAGES if (report := read_report(run.folder, stage))}
    verdict = done["evaluate"].details.get("verdict", {}) if "evaluate" in done else {}
    if run.next_stage is not None:
        state = f"'{run.next_stage}' is next"
    elif verdict.get("passed"):
        state = f"done: checkpoint 'refine-{run.name}' passed its gate"
    else:
        state = "done: gate not met, the old checkpoint stays"
    stages = [report.as_json() for report in done.values()]
    return {"name": run.name, "state": state, "settings": run.settings.as_json(), "stages": stages}


def operator_reports() -> list[Report]:
    """The runs on this box as the operator page shows them, the newest first."""
    return [_report(run) for run in reversed(list_runs())]


def _report(run: Run) -> Report:
    page = run.folder / REPORT_FILE
    drawn = page if page.is_file() else None
    made_at = datetime.fromtimestamp((drawn or run.folder / RUN_FILE).stat().st_mtime, timezone.utc)
    return Report(run.name, f"Refine run {run.name}", describe_run(run)["state"], made_at, drawn)


def read_ledger(run: str | None = None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(calls, totals) of the ledger, of one run or of all; money in the currency of the prices.

    Raises :class:`~shopbot_refine.ledger.LedgerError`.
    """
    path = ledger_path()
    if not path.is_file():
        return [], _totals(Totals(0, 0, 0, 0, 0, 0, 0))
    with Ledger(path) as ledger:
        return [{**asdict(call), "cost": call.micros / MICROS} for call in ledger.rows(run)], _totals(
            ledger.totals(run)
        )


def _totals(sums: Totals) -> dict[str, Any]:
    return {**asdict(sums), "spent": sums.spent_micros / MICROS, "held": sums.held_micros / MICROS}
