"""The cap holds: before sending, over restarts, across processes, and where nobody knows how a call ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from shopbot_deferral.consultation import Consultation
from shopbot_deferral.ledger import Ledger, LedgerError, Spent, ledger_file
from shopbot_deferral.settings import Settings
from shopbot_refine.testing.teacher_server import Mishap

from shopbot import Question

from .conftest import table

ASK = Question("hm", "-", ())
CAP = {"cap_micros": 100, "cap_tokens": 1000}


def spent(now: Callable[[], datetime] | None = None) -> Spent:
    with closing(Ledger(ledger_file(), now) if now else Ledger(ledger_file())) as ledger:
        return ledger.spent()


def ask(cloud: Any, times: int = 1, **settings: Any) -> list[str]:
    """Ask as a process would that has just been started: the failures, "" for an answer."""
    made = Settings.of(table(cloud, **{"breaker_failures": 99, **settings}))
    with closing(Consultation(made, Ledger(ledger_file()))) as asked:
        return [asked.ask(ASK).failure or "" for _ in range(times)]


def test_an_answer_counts_at_what_it_cost(serve: Callable[..., Any]) -> None:
    cloud = serve("handoff()")
    assert ask(cloud, 2) == ["", ""]
    # a price per million tokens is micro-units per token
    cost = cloud.input_tokens * 1 + cloud.output_tokens * 10
    assert spent() == Spent(2, cost, cloud.input_tokens + cloud.output_tokens, 0, 0)


def test_what_could_pass_the_cap_is_not_sent_also_after_a_restart(serve: Callable[..., Any]) -> None:
    cloud = serve("handoff()")
    assert ask(cloud, 1) == [""]
    budget = (spent().micros + 5000) / 1e6  # so much is set aside for a call: 300 tokens of 10, and what it is asked
    said = [*ask(cloud, 3, budget=budget), *ask(cloud, 3, budget=budget)]
    sent = len(cloud.exchanges)
    assert said[-3:] == ["over_budget"] * 3
    assert said.count("") == sent - 1
    assert spent().micros <= budget * 1e6
    assert ask(cloud, 1, budget=0) == ["over_budget"]
    assert ask(cloud, 1, budget_tokens=100) == ["over_budget"]
    assert len(cloud.exchanges) == sent


def test_an_endpoint_that_does_not_tell_counts_at_the_most(serve: Callable[..., Any]) -> None:
    cloud = serve("handoff()", has_usage=False)
    assert ask(cloud) == [""]
    told = spent()
    assert told.open_calls == 0 and told.tokens >= 300 + len(cloud.exchanges[0].body) // 2
    assert told.micros == (told.tokens - 300) * 1 + 300 * 10


@pytest.mark.parametrize(
    ("mishap", "counts"),
    [
        (Mishap("status", 500), False),
        (Mishap("status", 429), False),
        (Mishap("status", 401), False),
        (Mishap("status", 504), True),
        (Mishap("garbage"), True),
        (Mishap("cut"), True),
        (Mishap("slow"), True),
    ],
)
def test_only_what_cannot_have_been_paid_for_stops_counting(
    serve: Callable[..., Any], mishap: Mishap, counts: bool
) -> None:
    cloud = serve("handoff()", mishap)
    assert ask(cloud, time_budget_s=0.4) != [""]
    told = spent()
    assert (told.calls, told.open_calls > 0, told.micros > 0) == (1, counts, counts)


KILLED = """
import sys, json
from shopbot import Question
from shopbot_deferral.consultation import open_consultation
from shopbot_deferral.settings import Settings
open_consultation(Settings.of(json.loads(sys.argv[1]))).ask(Question("hm", "-", ()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_call_that_a_kill_interrupted_keeps_counting(serve: Callable[..., Any]) -> None:
    cloud = serve("handoff()", Mishap("slow"))
    settings = json.dumps(table(cloud, time_budget_s=30))
    with subprocess.Popen([sys.executable, "-c", KILLED, settings]) as process:
        cloud.wait_for(lambda: len(cloud.exchanges) == 1)
        process.send_signal(signal.SIGKILL)
    told = spent()
    assert (told.calls, told.open_calls) == (1, 1)
    assert told.micros == told.open_micros > 3000
    budget = told.micros / 1e6
    assert ask(cloud, budget=budget) == ["over_budget"], "the next process knows of it"
    assert len(cloud.exchanges) == 1


def test_two_processes_share_one_cap(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "shared.db")) as one, closing(Ledger(tmp_path / "shared.db")) as other:
        assert one.reserve("m", 60, 10, **CAP) is not None
        assert other.reserve("m", 60, 10, **CAP) is None
        assert other.reserve("m", 40, 10, **CAP) is not None
        assert one.reserve("m", 1, 1, **CAP) is None


def test_a_new_month_is_a_new_budget_and_a_clock_put_back_gives_none(tmp_path: Path) -> None:
    now = datetime(2026, 11, 30, 23, 59, tzinfo=timezone.utc)
    with closing(Ledger(tmp_path / "months.db", lambda: now)) as ledger:
        assert ledger.reserve("m", 100, 10, **CAP) is not None
        assert ledger.reserve("m", 1, 1, **CAP) is None
        now = datetime(2026, 12, 1, tzinfo=timezone.utc)
        assert ledger.reserve("m", 100, 10, **CAP) is not None
        now = datetime(1970, 1, 1, tzinfo=timezone.utc)
        assert ledger.reserve("m", 1, 1, **CAP) is None


def test_a_file_that_is_none_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database, for certain" * 100)
    with pytest.raises(LedgerError, match=r"cannot be used .*Check the disk"):
        Ledger(path)
