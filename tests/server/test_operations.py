"""What an operator's machinery asks: metrics, health, readiness, logs with request ids, origins, addresses."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shopbot import logs
from shopbot.errors import BackendError, StoreError
from shopbot.keys import hash_key, new_key


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values) → value."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_turns_and_name_nobody(visitor: Any) -> None:
    session = visitor.session()
    visitor.say(session, "when do you open?", request_id="one")
    visitor.say(session, "when do you open?", request_id="one")
    visitor.say(session, "I am Ann, ann@example.org")
    visitor.http.get("/no/such/path")
    answer = visitor.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = samples(answer.text)
    assert counted["shopbot_turns_total", ("answered",)] == 1, "a repeated request is no turn"
    assert counted["shopbot_acts_total", ("opening_hours",)] == 1
    assert counted["shopbot_acts_total", ("out_of_scope",)] == 1
    for stage in ("turn", "guard", "understand", "plan", "act", "answer", "record"):
        assert counted["shopbot_stage_seconds_count", (stage,)] >= 1, stage
    assert counted["shopbot_tokens_total", ("written",)] > 0
    assert counted["shopbot_requests_total", ("POST", "/v1/sessions/{session_id}/messages", "200")] == 3
    assert counted["shopbot_requests_total", ("GET", "-", "404")] == 1, "a path may hold anything"
    assert counted["shopbot_turns_queued", ()] == counted["shopbot_turns_running", ()] == 0
    assert [labels for name, labels in counted if name == "shopbot_checkpoint_info"]
    assert session not in answer.text and "ann" not in answer.text.lower().replace("channel", "")


def test_two_applications_count_for_themselves(visit: Any) -> None:
    first, second = visit(), visit()
    first.say(first.session(), "when do you open?")
    assert ("shopbot_turns_total", ("answered",)) in samples(first.http.get("/metrics").text)
    assert ("shopbot_turns_total", ("answered",)) not in samples(second.http.get("/metrics").text)


def test_operators_have_keys(visit: Any) -> None:
    key, other = new_key(), new_key()
    visitor = visit(server={"operator_keys": {"kim": hash_key(key), "ray": hash_key(other)}})
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": f"Bearer {hash_key(key)}"}, 401),
        ({"Authorization": f"Basic {key}"}, 401),
        ({"Authorization": f"Bearer {key}"}, 200),
        ({"Authorization": f"Bearer {other}"}, 200),
    ):
        answer = visitor.http.get("/metrics", headers=headers)
        assert answer.status_code == status, headers
        assert status == 200 or answer.json()["error"]["code"] == "unauthorized"


def test_readiness_names_what_is_missing(make_bot: Any, serving: Any) -> None:
    bot = make_bot()
    is_broken = {"store": False, "model": False}
    entry_of, complete = bot.store.session_entry, bot.backend.complete

    def session_entry(session_id: str) -> Any:
        if is_broken["store"]:
            raise StoreError("gone")
        return entry_of(session_id)

    def answer(*arguments: Any, **options: Any) -> Any:
        if is_broken["model"]:
            raise BackendError("gone")
        return complete(*arguments, **options)

    bot.store.session_entry, bot.backend.complete = session_entry, answer
    with serving(bot) as url, httpx.Client(base_url=url, trust_env=False) as client:

        def reasons() -> tuple[int, list[str]]:
            answer = client.get("/readyz")
            assert client.get("/healthz").status_code == 200, "the process is alive all the same"
            return answer.status_code, answer.json()["reasons"]

        assert reasons() == (200, [])
        is_broken["store"] = True
        assert reasons() == (503, ["store"])
        is_broken["store"], is_broken["model"] = False, True
        assert reasons() == (200, []), "nobody has noticed yet"
        bot.session().ask("when do you open?")
        assert reasons() == (503, ["model"])
        is_broken["model"] = False
        assert reasons() == (200, []), "asked again, it answers"


def test_every_response_names_its_request(visitor: Any) -> None:
    for given in ("a", "A-b.c_9", "x" * 128):
        assert visitor.http.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] == given
    made = set()
    for given in (b"", b"x" * 129, b"a b", "ä".encode(), b"a;b", b"${jndi}"):
        answer = visitor.http.get("/nothing", headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"].encode() != given
        made.add(answer.headers["x-request-id"])
    assert len(made) == 6


def test_the_log_is_json_with_request_ids_and_without_people(
    make_bot: Any, serving: Any, visitor_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    logs.configure(is_server=True, as_json=True)
    try:
        bot = make_bot()

        def explode(*_: Any, **__: Any) -> None:
            raise ValueError("Ann lives at 1 Main Street")

        with serving(bot) as url:
            visitor = visitor_of(url)
            session = visitor.session()
            bot.store.save_session = explode
            visitor.http.headers["X-Request-ID"] = "mine"
            assert visitor.say(session, "I am Ann").status_code == 500
            visitor.http.close()
    finally:
        logging.getLogger("shopbot").handlers.clear()
        logging.getLogger("shopbot").propagate = True
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert all({"time", "level", "logger", "message", "request_id"} <= set(line) for line in lines)
    assert lines[-1]["request_id"] == "mine"
    access = {key: lines[-1][key] for key in ("logger", "method", "route", "status")}
    assert access == {
        "logger": "shopbot.access",
        "method": "POST",
        "route": "/v1/sessions/{session_id}/messages",
        "status": 500,
    }
    assert any(line.get("error", "").startswith("ValueError at ") for line in lines)
    for secret in ("Ann", "Main Street", session, visitor.tokens[session]):
        assert secret not in written.getvalue(), secret


def test_other_pages_may_use_the_api_if_their_origin_is_allowed(visit: Any) -> None:
    visitor = visit(server={"cors_origins": ["https://shop.example"]})
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = visitor.http.options("/v1/sessions", headers={"Origin": "https://shop.example", **asked})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-credentials" not in allowed.headers, "cookies stay at home"
    started = visitor.http.post("/v1/sessions", headers={"Origin": "https://shop.example"})
    assert (started.status_code, started.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    for origin in ("https://shop.example.evil.example", "http://shop.example", "https://SHOP.example", "null"):
        for method in ("OPTIONS", "POST"):
            answer = visitor.http.request(method, "/v1/sessions", headers={"Origin": origin, **asked})
            assert answer.status_code == 400, (method, origin)
            assert "access-control-allow-origin" not in answer.headers


def test_one_address_is_limited_and_a_trusted_proxy_tells_which(visit: Any) -> None:
    visitor = visit(server={"requests_per_minute": 3, "trusted_proxies": ["127.0.0.1"]})

    def statuses(*addresses: str) -> list[int]:
        return [
            visitor.http.post("/v1/sessions", headers={"X-Forwarded-For": address}).status_code for address in addresses
        ]

    assert statuses("198.51.100.7", "203.0.113.5, 198.51.100.7", "198.51.100.7") == [200] * 3
    assert statuses("198.51.100.7", "1.2.3.4, 198.51.100.7") == [429] * 2, "what a client writes before is not believed"
    assert statuses("198.51.100.8") == [200]
    assert statuses("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8:0:1::4") == [200] * 3 + [
        429,
        200,
    ]


def test_an_address_that_no_trusted_proxy_tells_is_not_believed(visit: Any) -> None:
    visitor = visit(server={"requests_per_minute": 2})
    headers = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(3)]
    assert [visitor.http.post("/v1/sessions", headers=one).status_code for one in headers] == [200, 200, 429]
