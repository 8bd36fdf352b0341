"""Several ``shopbot serve`` on one store: a session stays whole whichever process takes the turn, also after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

SLOW = """
import os, pathlib, time
from shopbot import Answer, hookimpl, tool

@tool(effect="read", examples=["hold on a minute please", "please wait for me here"])
def wait_here(ctx):
    "Wait until the door is open."
    while not pathlib.Path(os.environ["DOOR"]).exists():
        time.sleep(0.01)
    return Answer("Here you are.")

@hookimpl
def shopbot_register_tools(config):
    return [wait_here]
"""
STREAM = {"Accept": "text/event-stream"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


@contextmanager
def two(program: Any, **environment: str) -> Iterator[tuple[list[subprocess.Popen[str]], list[httpx.Client]]]:
    with ExitStack() as stack:
        processes, clients = [], []
        for _ in range(2):
            process = stack.enter_context(program.start("serve", "--port", "0", **environment))
            stack.callback(process.kill)
            line = process.stdout.readline()
            assert line.startswith("Ready: "), process.stderr.read()
            address = line.removeprefix("Ready: ").strip()
            processes.append(process)
            clients.append(stack.enter_context(httpx.Client(base_url=address, timeout=30, trust_env=False)))
        yield processes, clients


def start(client: httpx.Client) -> tuple[str, dict[str, str]]:
    """A session's path and the header that opens it."""
    started = client.post("/v1/sessions").json()
    return f"/v1/sessions/{started['session_id']}", {"Authorization": f"Bearer {started['session_token']}"}


def roles(client: httpx.Client, path: str, key: dict[str, str]) -> list[str]:
    return [message["role"] for message in client.get(f"{path}/messages", headers=key).json()["messages"]]


def test_a_session_is_the_same_in_both(program: Any) -> None:
    with two(program) as (_, (first, second)):
        path, key = start(first)
        body = {"text": "when do you open?", "request_id": "one"}
        reply = second.post(f"{path}/messages", json=body, headers=key).json()
        assert first.post(f"{path}/messages", json=body, headers=key).json() == reply
        assert roles(first, path, key) == ["customer", "bot"]
        with first.stream("GET", f"{path}/events", params={"after": 2}, headers=key) as response:
            lines = response.iter_lines()
            assert second.post(f"{path}/messages", json={"text": "hello"}, headers=key).status_code == 200
            seen = next(line for line in lines if line.startswith("data:") and "hello" in line)
            assert json.loads(seen.removeprefix("data: "))["seq"] == 3
        assert second.delete(path, headers=key).status_code == 204
        assert first.get(path, headers=key).status_code == 404


def test_a_turn_whose_process_is_killed_is_taken_once_by_the_other(
    program: Any, install_plugin: Any, tmp_path: Path
) -> None:
    install_plugin("slow", SLOW)
    door = tmp_path / "door"
    with two(program, DOOR=str(door)) as (processes, (first, second)):
        path, key = start(first)
        body = {"text": "hold on a minute please", "request_id": "one"}

        def ask_and_kill() -> None:
            with first.stream("POST", f"{path}/messages", json=body, headers={**key, **STREAM}) as response:
                for line in response.iter_lines():
                    if line == "event: act":  # understood; the tool runs
                        processes[0].send_signal(signal.SIGKILL)

        with pytest.raises(httpx.RemoteProtocolError):
            ask_and_kill()
        assert roles(second, path, key) == [], "nothing of half a turn"
        door.touch()
        reply = second.post(f"{path}/messages", json=body, headers=key).json()
        assert reply["reply"] == "Here you are."
        assert second.post(f"{path}/messages", json=body, headers=key).json() == reply
        assert roles(second, path, key) == ["customer", "bot"]
