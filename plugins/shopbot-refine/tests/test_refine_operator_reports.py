"""Refine runs on the operator page."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
import shopbot_refine
from shopbot_refine.report import write_report
from shopbot_refine.runs import RunSettings, create_run


def test_runs_are_shown_with_their_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path))
    assert shopbot_refine.shopbot_reports() == []
    first, second = (create_run(RunSettings(), now=datetime(2026, 6, day, tzinfo=timezone.utc)) for day in (1, 2))
    page = write_report(first.folder)
    new, old = shopbot_refine.shopbot_reports()
    assert (new.name, new.state, new.page) == (second.name, "'collect' is next", None)
    assert (old.title, old.page) == (f"Refine run {first.name}", page)
    assert old.made_at.tzinfo is not None
