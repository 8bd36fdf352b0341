"""What is sent: signed, redacted, and tried by the command."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from shopbot.cli import main
from shopbot.config import check
from shopbot.errors import ConfigError
from shopbot.server import webhook
from shopbot.server.courier import Courier
from shopbot.store import Store
from shopbot.stores.demo import fill_demo

from .conftest import SECRET, Clock, Receiver, ask, settings, status, works


def test_a_handoff_is_told_once_and_its_signature_is_right(
    store: Store, receive: Callable[..., Receiver], clock: Clock
) -> None:
    receiver = receive()
    ticket = ask(store)
    courier = Courier(store, settings(receiver.url), now=clock)
    for _ in range(2):
        works(courier)
    [(headers, body)] = receiver.got
    told = Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    assert headers["webhook-id"] == ticket
    assert told["type"] == "handoff.requested"
    assert told["data"] == {
        "session_id": "s",
        "ticket_id": ticket,
        "reason": "asked for a human agent",
        "summary": "",
        "is_identified": False,
    }
    assert datetime.fromisoformat(told["timestamp"]).utcoffset() == timedelta(0)
    assert store.count_notices() == {"waiting": 0, "delivered": 1, "dead": 0}


@pytest.mark.parametrize("change", ["body", "webhook-id", "webhook-timestamp", "secret"])
def test_what_was_changed_or_replayed_is_not_taken(
    store: Store, receive: Callable[..., Receiver], clock: Clock, change: str
) -> None:
    receiver = receive()
    ask(store)
    works(Courier(store, settings(receiver.url), now=clock))
    [(sent, body)] = receiver.got
    headers = {name.lower(): value for name, value in sent.items()}
    secret = webhook.new_secret() if change == "secret" else SECRET
    if change in headers:
        headers[change] = str(int(headers[change]) - 1) if change == "webhook-timestamp" else "another"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" " if change == "body" else body, headers)


def test_nothing_personal_is_told(store: Store, receive: Callable[..., Receiver], clock: Clock) -> None:
    fill_demo(store)  # type: ignore[arg-type]
    customer = store.customer_by_email("ada@example.com")
    assert customer is not None
    said = f"I'm Ada Example, ada@example.com, card 4111 1111 1111 1111, {customer.address.line1}, call 555-010-9999"
    ask(store, f"Customer: {customer.id}. Open tasks: none. Last messages: {said}", customer.id)
    receiver = receive()
    works(Courier(store, settings(receiver.url), now=clock))
    [(_, body)] = receiver.got
    summary = json.loads(body)["data"]["summary"]
    assert summary.startswith("Customer: <CUSTOMER_1>. Open tasks: none.")
    for personal in ("Ada", "ada@", "4111", customer.address.line1, "555-010", customer.id):
        assert personal not in body.decode(), personal


@pytest.mark.parametrize(
    ("handoff", "problem"),
    [
        ({"webhook_url": "https://a.example"}, "webhook_url needs a webhook_secret"),
        ({"webhook_url": "ftp://a.example", "webhook_secret": SECRET}, "webhook_url"),
        ({"webhook_url": "https://", "webhook_secret": SECRET}, "webhook_url"),
        ({"webhook_url": "https://a.example", "webhook_secret": "hunter2"}, "shopbot handoff secret"),
        ({"webhook_secret": "whsec_c2hvcnQ="}, "shopbot handoff secret"),
        ({"idle_minutes": 0}, "idle_minutes"),
    ],
)
def test_a_wrong_webhook_is_refused_when_the_settings_are_read(handoff: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        check({"handoff": handoff})
    assert "hunter2" not in str(caught.value)


def test_the_command_tries_the_webhook(
    receive: Callable[..., Receiver], shopbot_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = CliRunner()

    def try_it(*arguments: str) -> tuple[int, str, str]:
        done = runner.invoke(main, ["handoff", "test", *arguments])
        return done.exit_code, done.stdout, done.stderr

    assert try_it()[0] == 2
    secret = runner.invoke(main, ["handoff", "secret"]).stdout.strip()
    receiver = receive(status(204), status(204), status(403))
    monkeypatch.setenv("SHOPBOT_HANDOFF__WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("SHOPBOT_HANDOFF__WEBHOOK_SECRET", secret)
    code, out, _ = try_it()
    headers, body = receiver.got[0]
    assert (code, out) == (0, f"Delivered: event {headers['webhook-id']}.\n")
    told = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert told["type"] == "handoff.test"
    code, out, _ = try_it("--json")
    assert json.loads(out) == {"event_id": receiver.ids[1], "is_delivered": True}
    code, out, err = try_it()
    assert (code, out) == (1, "")
    assert "HTTP 403" in err and "same secret" in err and secret not in err


def test_the_receiver_of_the_docs(store: Store, clock: Clock, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "operators.md").read_text(encoding="utf-8")
    [source] = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert "9000" in source
    script = tmp_path / "receiver.py"
    script.write_text(source.replace("9000", str(port)), encoding="utf-8")
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET}
    receiver = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        _wait_for_port(port)
        ask(store)
        courier = Courier(store, settings(f"http://127.0.0.1:{port}/"), now=clock)
        works(courier)
        assert store.count_notices()["delivered"] == 1
        assert receiver.stdout is not None and receiver.stdout.readline() == "handoff.requested s\n"
        hook = {"webhook_url": f"http://127.0.0.1:{port}/", "webhook_secret": webhook.new_secret()}
        forger = check({"handoff": hook}).handoff
        sent = asyncio.run(webhook.send(forger, "e", {}, timestamp=int(clock.now.timestamp())))
        assert sent.error == "HTTP 403"
    finally:
        receiver.kill()
        receiver.communicate()


def _wait_for_port(port: int) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError("the receiver did not start")
