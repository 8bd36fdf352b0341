"""``shopbot serve`` as an operator runs it: first start, second start, stopping, a port that is taken."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest


@contextmanager
def running(program: Any, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server's process and its address."""
    with program.start("serve", "--port", "0", *arguments, **environment) as process:
        try:
            line = process.stdout.readline()
            if not line.startswith("Ready: http://"):
                process.kill()
                raise AssertionError(f"not ready: {line!r} {process.stderr.read()}")
            yield process, line.removeprefix("Ready: ").strip()
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a program can take")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_serves_until_it_is_told_to_stop(program: Any, number: signal.Signals, code: int) -> None:
    with running(program) as (process, address), httpx.Client(timeout=30, trust_env=False) as client:
        client.base_url = httpx.URL(address)
        assert client.get("/healthz").json()["status"] == "ok"
        started = client.post("/v1/sessions").json()
        session, token = started["session_id"], started["session_token"]
        headers = {"Authorization": f"Bearer {token}"}
        path = f"/v1/sessions/{session}/messages"
        answer = client.post(path, json={"text": "when do you open?"}, headers=headers).json()
        assert answer["reply"].startswith("From 9 to 18.")
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400, "bound to loopback"
        process.send_signal(number)
        log = process.communicate(timeout=60)[1]
    assert process.returncode == code, log
    assert "Traceback" not in log
    assert session not in log and token not in log, "the log does not hold the key to a session"
    assert "POST /v1/sessions/{session_id}/messages 200" in log


def test_the_first_start_makes_the_demo_store_and_the_second_finds_it(program: Any) -> None:
    del program.environment["SHOPBOT_STORE__URL"]
    with running(program) as (process, _):
        process.terminate()
        first = process.communicate(timeout=60)[1]
    assert "creating the demo store" in first
    made = (program.home / "store.db").read_bytes()
    with running(program) as (process, _):
        process.terminate()
        second = process.communicate(timeout=60)[1]
    assert "demo store" not in second
    assert len(made) > 100_000
    assert not list(program.home.glob(".store.*")), "no draft is left behind"


def test_a_taken_port_is_said_before_anything_is_fetched(program: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = program.run("serve", "--port", str(port))
    assert result.returncode == 1
    assert result.stderr == (
        f"shopbot: Port {port} is taken by another program. Stop it, or use another one: --port {port + 1}.\n"
    )
    assert not program.home.exists(), "nothing was made"


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.7", "a" * 300, ""])
def test_a_host_that_is_not_ours(program: Any, host: str) -> None:
    result = program.run("serve", "--port", "0", "--host", host)
    assert result.returncode == 2, result.stderr
    assert "no address of this machine" in result.stderr
