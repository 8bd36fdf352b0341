"""Who may ask at all, and what every response carries."""

from __future__ import annotations

import logging
import re
import socket
from typing import Any

import pytest

from shopbot.server.guard import LOOPBACK_NAMES, allowed_hosts, host_name, is_loopback
from shopbot.server.limits import BusyError, RateLimit


def test_a_name_rebound_to_this_box_is_refused(visitor: Any) -> None:
    port = visitor.http.base_url.port
    for host, status in (
        (f"localhost:{port}", 200),
        (f"127.0.0.1:{port}", 200),
        (f"[::1]:{port}", 200),
        ("LOCALHOST", 200),
        ("evil.example", 400),
        (f"evil.example:{port}", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("user@evil.example", 400),
        ("[", 400),
        ("", 400),
    ):
        answer = visitor.http.get("/healthz", headers={"Host": host})
        assert answer.status_code == status, host


def test_other_pages_cannot_send_anything(visitor: Any) -> None:
    own = str(visitor.http.base_url).rstrip("/")
    for origin, status in ((own, 200), ("http://evil.example", 400), ("null", 400), ("http://127.0.0.1:1", 400)):
        answer = visitor.http.post("/v1/sessions", headers={"Origin": origin})
        assert answer.status_code == status, origin


def test_a_reverse_proxys_name_can_be_allowed(visit: Any) -> None:
    visitor = visit(hosts=allowed_hosts("127.0.0.1", ["shop.example"]))
    for headers in (
        {"Host": "shop.example", "Origin": "https://shop.example"},
        {"Origin": "https://shop.example"},
    ):
        assert visitor.http.post("/v1/sessions", headers=headers).status_code == 200, headers
    assert visitor.http.post("/v1/sessions", headers={"Host": "evil.example"}).status_code == 400


def test_every_response_is_hardened(visitor: Any) -> None:
    answers = [
        visitor.http.get("/"),
        visitor.http.get("/healthz"),
        visitor.http.get("/nothing"),
        visitor.http.post("/v1/sessions", content=b"{"),
        visitor.http.post("/v1/sessions", content=b"x" * 70_000),
        visitor.http.get("/", headers={"Host": "evil.example"}),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'"), answer.request.url
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers
    assert visitor.http.post("/v1/sessions").headers["cache-control"] == "no-store"


def test_an_unexpected_error_says_nothing_and_logs_no_message(
    make_bot: Any, serving: Any, visitor_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bot = make_bot()
    with caplog.at_level(logging.INFO, logger="shopbot.access"), serving(bot) as url:
        visitor = visitor_of(url)
        session = visitor.session()
        bot.ask = _explode
        answer = visitor.say(session, "I am Ann")
        visitor.http.close()
    assert answer.status_code == 500
    assert answer.json() == {"error": {"code": "internal", "message": "Something went wrong here. Please try again."}}
    assert "content-security-policy" in answer.headers
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if "Ann" in line or session in line], lines
    assert any(re.fullmatch(r"POST /v1/sessions/\{session_id\}/messages 500 \d+ ms", line) for line in lines), lines


def _explode(*_: Any, **__: Any) -> None:
    raise ValueError("Ann lives at 1 Main Street")


def test_host_names() -> None:
    assert host_name("Shop.Example:80") == "shop.example"
    assert host_name("[::1]:8000") == "::1"
    assert host_name("[::1") == ""
    assert [is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]")] == [True] * 5
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.1.2", "shop.example", "")] == [False] * 5
    assert allowed_hosts("0.0.0.0") is None
    assert allowed_hosts("127.0.0.1") == LOOPBACK_NAMES
    assert allowed_hosts("0.0.0.0", ["Shop.Example"]) == LOOPBACK_NAMES | {"shop.example"}


def test_a_rate_limit_refills_evenly() -> None:
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    for _ in range(60):
        limit.take("a")
    with pytest.raises(BusyError):
        limit.take("a")
    limit.take("b")
    now[0] += 1.0
    limit.take("a")
    with pytest.raises(BusyError):
        limit.take("a")


def test_a_client_that_sends_half_a_request_is_let_go(visitor: Any) -> None:
    address = (visitor.http.base_url.host, visitor.http.base_url.port)
    with socket.create_connection(address, timeout=20) as line:
        line.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{")
    assert visitor.http.get("/healthz").status_code == 200, "the next one is served"
