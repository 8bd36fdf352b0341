"""Deferral as an operator runs it: the real program, its start, its log, its metrics, and a cloud on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import httpx
import pytest
from shopbot_refine.testing.teacher_server import Mishap, TeacherServer

KEY = "sk-canary-of-the-operator"
UNSURE = {"SHOPBOT_UNDERSTANDING__THRESHOLD": "1.0"}


def configured(address: str, more: str = "") -> dict[str, str]:
    table = f'enabled = true, base_url = "{address}", model = "large", input_price = 1, output_price = 1{more}'
    return {"SHOPBOT_PLUGINS__DEFERRAL": f"{{{table}}}"}


@pytest.fixture
def serving(program: Any) -> Callable[..., Any]:
    """``shopbot serve`` with this environment: a client, and what stood on stderr once it has ended."""

    @contextmanager
    def serving(**environment: str) -> Iterator[tuple[httpx.Client, list[str]]]:
        said: list[str] = []
        with program.start("serve", "--port", "0", **environment) as process:
            try:
                line = process.stdout.readline()
                assert line.startswith("Ready: "), process.stderr.read()
                with httpx.Client(base_url=line.removeprefix("Ready: ").strip(), timeout=30, trust_env=False) as client:
                    yield client, said
                process.terminate()
                said.append(process.communicate(timeout=60)[1])
            finally:
                process.kill()

    return serving


def say(client: httpx.Client, text: str, **session: bool) -> dict[str, Any]:
    started = client.post("/v1/sessions", json=session).json()
    headers = {"Authorization": f"Bearer {started['session_token']}"}
    answer = client.post(f"/v1/sessions/{started['session_id']}/messages", json={"text": text}, headers=headers)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def test_a_service_defers_counts_and_tells_nothing(program: Any, serving: Callable[..., Any]) -> None:
    with TeacherServer(lambda chat, schema: "puppet_hours()", [None, Mishap("status", 500)]) as cloud:
        environment = {**UNSURE, **configured(cloud.base_url), "OPENAI_API_KEY": KEY}
        with serving(**environment) as (client, said):
            first = say(client, "u open? mail canary@example.com")
            assert first["reply"].startswith("From 9 to 18.")
            assert first["explain"]["deferral"] == "answered"
            assert say(client, "u open")["explain"]["deferral"] == "unavailable"
            assert say(client, "u open", allows_cloud=False)["explain"]["deferral"] == "opted_out"
            metrics = client.get("/metrics").text
            for outcome in ("answered", "unavailable", "opted_out"):
                assert f'shopbot_deferrals_total{{outcome="{outcome}"}} 1.0' in metrics
            assert 'shopbot_stage_seconds_count{stage="defer"} 2.0' in metrics
        assert len(cloud.exchanges) == 2 and b"canary@example.com" not in cloud.received
    [log] = said
    assert "the cloud model did not answer: unavailable (HTTP 500)" in log
    assert KEY not in log and "canary@" not in log and "u open" not in log and "Traceback" not in log
    spent = program.run("deferral", "--json")
    assert spent.returncode == 0 and '"calls": 2' in spent.stdout and '"open_calls": 0' in spent.stdout


def test_a_cloud_that_hangs_keeps_nobody_else_waiting(serving: Callable[..., Any]) -> None:
    with TeacherServer(lambda chat, schema: "puppet_hours()", [Mishap("slow")]) as cloud:
        environment = {**UNSURE, **configured(cloud.base_url, ", time_budget_s = 5"), "OPENAI_API_KEY": KEY}
        with serving(**environment) as (client, _):
            found: list[dict[str, Any]] = []
            waiting = threading.Thread(target=lambda: found.append(say(client, "u open")))
            waiting.start()
            cloud.wait_for(lambda: len(cloud.exchanges) == 1)
            started = monotonic()
            assert client.get("/healthz").status_code == 200
            assert say(client, "and me?")["explain"]["deferral"] == "busy"
            assert monotonic() - started < 3, "it was answered while the other one waited"
            waiting.join()
            assert found[0]["explain"]["deferral"] == "timed_out"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            configured("https://cloud.example/v1"),
            "no key for cloud.example. Set the environment variable OPENAI_API_KEY",
        ),
        ({**configured("https://cloud.example/v1"), "OPENAI_API_KEY": KEY}, "Set understanding.threshold"),
    ],
    ids=["no key", "no threshold"],
)
def test_what_is_missing_is_told_at_the_start_and_by_the_doctor(
    program: Any, serving: Callable[..., Any], environment: dict[str, str], told: str
) -> None:
    program.environment.pop("OPENAI_API_KEY", None)
    with serving(**environment) as (client, said):
        assert say(client, "when do you open?")["reply"].startswith("From 9 to 18."), "the bot goes on"
    assert told in said[0] and KEY not in said[0]
    found = program.run("doctor", **environment)
    assert told in found.stdout + found.stderr and KEY not in found.stdout + found.stderr


def test_what_it_costs_is_shown_where_it_is_off(program: Any) -> None:
    result = program.run("deferral")
    assert result.returncode == 0, result.stderr
    assert not (program.home / "deferral.db").exists(), "looking writes nothing"
    assert result.stdout.startswith("Deferral is off.\nThis month: 0 calls, 0.0000 of 5, 0 of 10,000,000 tokens.")


def test_a_wrong_key_is_an_error_with_the_known_ones(program: Any) -> None:
    result = program.run("deferral", SHOPBOT_PLUGINS__DEFERRAL='{bugdet = 3, api_key = "sk-canary"}')
    assert result.returncode == 2 and "plugins.deferral.bugdet" in result.stderr and "sk-canary" not in result.stderr
