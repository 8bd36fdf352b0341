"""The live teacher against a real server on loopback, by the real client."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shopbot_refine.config import RefineConfig
from shopbot_refine.ledger import Ledger
from shopbot_refine.teachers import Answer, Request
from shopbot_refine.teachers.live import LiveTeacher
from shopbot_refine.testing import Exchange, Mishap, RefusedError, TeacherServer

from shopbot import ConfigError

SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": ["keep", "drop"]}, "why": {"type": "string"}},
    "required": ["verdict", "why"],
    "additionalProperties": False,
}


def ask(number: int, **changes: Any) -> Request:
    settings = {"kind": "judge", "system": "You judge turns.", "user": f"turn {number}", "schema": SCHEMA}
    return Request(**{**settings, "max_output_tokens": 40, **changes})


def judge(messages: list[dict[str, Any]], schema: dict[str, Any] | None) -> str:
    return json.dumps({"verdict": "keep", "why": f"saw {messages[-1]['content']}"})


Open = Callable[..., LiveTeacher]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
def open_teacher(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A live teacher for a server, with the settings given; nearly no wait before a new attempt."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    opened = []

    def open_teacher(server: TeacherServer | str, run: str = "run-1", **settings: Any) -> LiveTeacher:
        url = server if isinstance(server, str) else server.base_url
        config = RefineConfig(teacher="live", base_url=url, **settings)
        opened.append(LiveTeacher(config, ledger, run=run, backoff_s=0.001))
        return opened[-1]

    yield open_teacher
    for teacher in opened:
        teacher.close()


def by_user(answers: Iterator[Answer]) -> dict[str, Answer]:
    return {answer.request.user: answer for answer in answers}


def test_answers_are_paid_once_and_the_ledger_adds_up(open_teacher: Open, ledger: Ledger) -> None:
    requests = [ask(n) for n in range(12)]
    with TeacherServer(judge) as server:
        first = by_user(open_teacher(server).answer([*requests, ask(3)]))
        assert len(server.exchanges) == 12
        second = by_user(open_teacher(server, run="run-2").answer(requests))
        assert len(server.exchanges) == 12
    assert {a.content for a in first.values()} == {a.content for a in second.values()}
    assert all(json.loads(a.content)["why"] == f"saw {user}" and not a.failure for user, a in first.items())
    assert all(a.is_cached and a.cost == 0 for a in second.values())
    assert {a.teacher for a in first.values()} == {"gpt-5@127.0.0.1"}
    totals, rows = ledger.totals(), ledger.rows()
    assert (totals.answered, totals.sent, totals.failed, totals.held_micros) == (12, 0, 0, 0)
    assert (totals.input_tokens, totals.output_tokens) == (server.input_tokens, server.output_tokens)
    assert totals.spent_micros == sum(row.micros for row in rows) > 0
    # 1.25 and 10 for a million tokens, in whole millionths, each call rounded up.
    assert all(row.micros == -(-(row.input_tokens * 125 + row.output_tokens * 1000) // 100) for row in rows)
    assert ledger.totals("run-2").answered == 0


def test_of_two_that_ask_the_same_one_is_paid(open_teacher: Open) -> None:
    with TeacherServer(judge) as server:
        answers = list(open_teacher(server).answer([ask(1), ask(1)]))
    assert len(server.exchanges) == 1
    assert sorted((a.is_cached, a.cost > 0) for a in answers) == [(False, True), (True, False)]


def test_the_request_is_what_the_api_says(open_teacher: Open) -> None:
    request = ask(1)
    with TeacherServer(judge) as server:
        list(open_teacher(server, model="big-1").answer([request]))
    exchange = server.exchanges[0]
    assert exchange.headers["idempotency-key"] == request.key
    assert exchange.headers["authorization"] == "Bearer sk-of-the-test"
    assert json.loads(exchange.body) == {
        "model": "big-1",
        "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
        },
        "max_completion_tokens": 40,
    }
    # The log of the server is what was on the wire, headers and all.
    assert exchange.body in server.received and b"POST /v1/chat/completions HTTP/1.1" in server.received


@pytest.mark.parametrize(
    ("mishap", "held"),
    [
        (Mishap("status", 500), False),
        (Mishap("status", 429, "rate_limit_exceeded", headers={"Retry-After": "0"}), False),
        (Mishap("status", 503), False),
        (Mishap("status", 504), True),
        (Mishap("cut"), True),
        (Mishap("cut_answer"), True),
    ],
)
def test_passing_trouble_is_tried_again(open_teacher: Open, ledger: Ledger, mishap: Mishap, held: bool) -> None:
    with TeacherServer(judge, [mishap, mishap]) as server:
        answer = next(open_teacher(server).answer([ask(1)]))
    assert not answer.failure and len(server.exchanges) == 3
    assert {e.headers["idempotency-key"] for e in server.exchanges} == {ask(1).key}
    assert [row.state for row in ledger.rows()] == ["failed", "failed", "answered"]
    # What may have been paid for goes on counting.
    assert [row.micros == row.reserved_micros for row in ledger.rows()] == [held, held, False]
    assert (ledger.totals().held_micros > 0) is held


def test_a_slow_answer_is_waited_for_no_longer_than_said(open_teacher: Open, ledger: Ledger) -> None:
    with TeacherServer(judge, [Mishap("slow")]) as server:
        answer = next(open_teacher(server, timeout_s=0.5).answer([ask(1)]))
    assert not answer.failure
    assert (ledger.rows()[0].state, ledger.rows()[0].error) == ("failed", "timeout")


def test_attempts_are_capped(open_teacher: Open) -> None:
    with TeacherServer(judge, [Mishap("status", 500)] * 3) as server:
        answer = next(open_teacher(server, attempts=3).answer([ask(1)]))
    assert (answer.failure, answer.detail, len(server.exchanges)) == ("offline", "HTTP 500, server_error", 3)


def test_retry_after_holds_for_all(open_teacher: Open) -> None:
    arrived = []

    def watch(body: dict[str, Any]) -> None:
        arrived.append(time.monotonic())

    limit = Mishap("status", 429, headers={"Retry-After": "0.3"})
    with TeacherServer(judge, [limit], check=watch) as server:
        began = time.monotonic()
        answers = list(open_teacher(server, concurrency=1).answer([ask(n) for n in range(3)]))
    assert [a.failure for a in answers] == ["", "", ""]
    assert min(arrived) - began >= 0.3


def test_a_pause_of_an_hour_is_not_waited_for(open_teacher: Open) -> None:
    limit = Mishap("status", 429, headers={"Retry-After": "3600"})
    with TeacherServer(judge, [limit]) as server:
        answers = list(open_teacher(server, concurrency=1).answer([ask(n) for n in range(50)]))
    assert {a.failure for a in answers} == {"offline"} and len(server.exchanges) == 1


def test_nobody_there_is_soon_noticed(open_teacher: Open, ledger: Ledger) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listening
        teacher = open_teacher(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", concurrency=2, attempts=2)
        answers = list(teacher.answer([ask(n) for n in range(200)]))
    assert {(a.failure, a.detail) for a in answers} == {("offline", "cannot connect")} and len(answers) == 200
    assert len(ledger.rows()) <= 10 and ledger.totals().held_micros == 0


def test_a_hotel_portal_does_not_cost_the_budget(open_teacher: Open, ledger: Ledger) -> None:
    with TeacherServer(judge, [Mishap("garbage")] * 3) as server:
        answers = list(open_teacher(server, concurrency=1).answer([ask(n) for n in range(20)]))
        assert [a.failure for a in answers] == ["malformed"] * 3 + ["offline"] * 17
        # It was no answer, so it is asked again.
        assert not next(open_teacher(server).answer([ask(0)])).failure


@pytest.mark.parametrize(
    "content",
    [
        "Sure! Here you go",
        '{"verdict": "keep"',
        '{"verdict": "perhaps", "why": "call me at 555 0100"}',
        '{"verdict": "keep"}',
        '{"verdict": "keep", "why": "x", "more": 1}',
        '["keep"]',
        "[" * 50_000,
        '{"verdict": "keep", "why": "\\ud800"}',
        '{"verdict": "keep", "why": NaN}',
        "",
    ],
)
def test_malformed_answers_are_kept_apart_and_not_paid_again(open_teacher: Open, ledger: Ledger, content: str) -> None:
    request = ask(1, max_output_tokens=50_000)
    with TeacherServer(lambda messages, schema: content) as server:
        answer = next(open_teacher(server).answer([request]))
        again = next(open_teacher(server).answer([request]))
        assert len(server.exchanges) == 1
    assert (answer.failure, answer.content) == ("malformed", "") and answer.cost > 0
    assert (again.failure, again.is_cached) == ("malformed", True)
    assert answer.detail and "555" not in answer.detail
    stored = ledger.find_answer(request, "gpt-5@127.0.0.1")
    assert stored is not None and stored.content == content


def test_an_answer_cut_at_the_limit_is_malformed(open_teacher: Open) -> None:
    with TeacherServer(judge) as server:
        answer = next(open_teacher(server).answer([ask(1, max_output_tokens=2)]))
    assert (answer.failure, answer.detail) == ("malformed", "cut at 2 tokens")


def test_a_refusal_is_no_answer(open_teacher: Open) -> None:
    def refuse(messages: list[dict[str, Any]], schema: object) -> str:
        raise RefusedError("I would rather not.")

    with TeacherServer(refuse) as server:
        assert next(open_teacher(server).answer([ask(1)])).failure == "refused"
    blocked = Mishap("status", 400, "content_filter")
    with TeacherServer(judge, [blocked]) as server:
        assert next(open_teacher(server).answer([ask(2)])).failure == "refused"


def test_one_rejected_request_does_not_stop_the_others(open_teacher: Open, ledger: Ledger) -> None:
    with TeacherServer(judge, [Mishap("status", 400, "Your key sk-123 is bad!")]) as server:
        answers = list(open_teacher(server, concurrency=1).answer([ask(1), ask(2)]))
    assert [(a.failure, a.detail) for a in answers] == [("rejected", "HTTP 400"), ("", "")]
    assert ledger.totals().held_micros == 0


@pytest.mark.parametrize("status", [401, 404, 307])
def test_what_only_the_operator_can_mend_ends_the_run(open_teacher: Open, ledger: Ledger, status: int) -> None:
    with TeacherServer(judge) as other:
        mishap = Mishap("status", status, headers={"Location": f"{other.base_url}/chat/completions"})
        with TeacherServer(judge, [mishap] * 99) as server, pytest.raises(ConfigError, match=f"HTTP {status}"):
            list(open_teacher(server, concurrency=1).answer([ask(n) for n in range(20)]))
        assert len(server.exchanges) == 1 and not other.exchanges
    assert ledger.totals().held_micros == 0


def test_an_empty_account_ends_the_sending(open_teacher: Open) -> None:
    with TeacherServer(judge, [Mishap("status", 429, "insufficient_quota")]) as server:
        answers = list(open_teacher(server, concurrency=1).answer([ask(n) for n in range(20)]))
    assert {a.failure for a in answers} == {"over_budget"} and len(server.exchanges) == 1


def test_an_endpoint_without_schemas_gets_none_from_then_on(open_teacher: Open) -> None:
    def check(body: dict[str, Any]) -> Mishap | None:
        if body["response_format"]["type"] == "json_schema":
            return Mishap("status", 400, "unsupported", param="response_format")
        if "max_completion_tokens" in body:
            return Mishap("status", 400, "unsupported", param="max_completion_tokens")
        return None

    with TeacherServer(judge, check=check) as server:
        teacher = open_teacher(server, concurrency=1)
        answers = [*teacher.answer([ask(1), ask(2)]), *teacher.answer([ask(3)])]
    assert [a.failure for a in answers] == ["", "", ""]
    assert [e.status for e in server.exchanges] == [400, 400, 200, 200, 200]
    last = json.loads(server.exchanges[-1].body)
    assert last["max_tokens"] == 40 and json.dumps(SCHEMA) in last["messages"][0]["content"]


@pytest.mark.parametrize(
    ("url", "key", "match"),
    [
        ("http://llm.example.com/v1", "k", "unencrypted"),
        ("https://llm.example.com/v1", "", "no key"),
        ("https://me:pw@llm.example.com/v1", "k", "user name"),
        ("ftp://llm.example.com", "k", "no http"),
        ("https://[broken", "k", "no http"),
        ("llm.example.com/v1", "k", "no http"),
    ],
)
def test_unsafe_endpoints_are_refused(
    open_teacher: Open, monkeypatch: pytest.MonkeyPatch, url: str, key: str, match: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match=match):
        open_teacher(url)


def test_the_budget_is_never_passed(open_teacher: Open, ledger: Ledger) -> None:
    """Answers use all that they may, on eight connections; then the money is up, and nothing more is sent."""

    def long_answer(messages: list[dict[str, Any]], schema: object) -> str:
        return "x" * 10_000

    requests = [ask(n, max_output_tokens=500) for n in range(30)]
    with TeacherServer(long_answer) as server:
        answers = list(open_teacher(server, concurrency=8, budget=0.1).answer(requests))
    spent = server.input_tokens * 1.25 + server.output_tokens * 10
    assert 0.09e6 < spent <= 0.1e6 and ledger.totals().spent_micros <= 0.1e6
    counts = [sum(a.failure == failure for a in answers) for failure in ("malformed", "over_budget")]
    assert sum(counts) == 30 and counts[0] == len(server.exchanges) and counts[1] > 5


def test_the_token_cap_is_never_passed_even_by_a_fine_tokenizer(open_teacher: Open, ledger: Ledger) -> None:
    hostile = "\u200b\U0001f9ff" * 100  # many tokens for few letters
    requests = [ask(n, user=f"{n} {hostile}", max_output_tokens=500) for n in range(20)]
    with TeacherServer(judge) as server:
        answers = list(open_teacher(server, budget_tokens=8_000).answer(requests))
    assert server.input_tokens + server.output_tokens <= 8_000
    assert {a.failure for a in answers} == {"", "over_budget"}


def test_what_is_over_budget_is_answered_with_more(open_teacher: Open) -> None:
    with TeacherServer(judge) as server:
        assert next(open_teacher(server, budget=0).answer([ask(1)])).failure == "over_budget"
        assert not server.received
        assert not next(open_teacher(server, budget=1).answer([ask(1)])).failure


def test_an_endpoint_that_does_not_tell_its_tokens_counts_at_the_most(open_teacher: Open, ledger: Ledger) -> None:
    with TeacherServer(judge, has_usage=False) as server:
        assert not next(open_teacher(server).answer([ask(1)])).failure
    row = ledger.rows()[0]
    assert row.micros == row.reserved_micros > 0


def test_leaving_early_keeps_what_came(open_teacher: Open, ledger: Ledger) -> None:
    with TeacherServer(judge) as server:
        answers = open_teacher(server, concurrency=2).answer([ask(n) for n in range(30)])
        next(answers)
        answers.close()  # type: ignore[attr-defined]
    totals = ledger.totals()
    assert totals.sent == 0 and totals.answered == server.answered.total() < 30


NURSERY = """
import json, os, sys
from pathlib import Path
import jsonschema, openai, openai.resources.chat
from shopbot_refine.config import RefineConfig
from shopbot_refine.ledger import Ledger
from shopbot_refine.teachers import Request
from shopbot_refine.teachers.live import LiveTeacher

def work(url, ledger, out, schema):
    requests = [Request("judge", "You judge turns.", f"turn {n}", schema, 40) for n in range(60)]
    teacher = LiveTeacher(RefineConfig(teacher="live", base_url=url), Ledger(Path(ledger)), run="run-1")
    answers = {a.request.key: (a.content, a.failure) for a in teacher.answer(requests)}
    Path(out).write_text(json.dumps(answers, sort_keys=True))

for line in sys.stdin:
    child = os.fork()
    if not child:
        work(*json.loads(line))
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def nursery() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported everything and forks a worker for each line: seven imports fewer to wait for."""
    settings: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], env={**os.environ, "OPENAI_API_KEY": "k"}, **settings
    ) as process:
        yield process


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the workers are forked")
def test_kill_9_loses_nothing_and_repeats_nothing_that_was_stored(
    tmp_path: Path, nursery: subprocess.Popen[str]
) -> None:
    chance = random.Random(5)
    path, users = tmp_path / "ledger.db", {ask(n).key: f"turn {n}" for n in range(60)}

    def say(line: str) -> None:
        assert nursery.stdin is not None
        nursery.stdin.write(line + "\n")

    def hear() -> int:
        assert nursery.stdout is not None
        return int(nursery.stdout.readline())

    def start(server: TeacherServer, ledger: Path, out: str) -> int:
        say(json.dumps([server.base_url, str(ledger), str(tmp_path / out), SCHEMA]))
        return hear()

    with TeacherServer(judge) as server:
        known: dict[str, int] = {}

        def assert_nothing_stored_was_repeated() -> None:
            assert {user: server.answered[user] for user in known} == known

        for _ in range(6):
            target = len(server.exchanges) + chance.randint(2, 12)
            worker = start(server, path, "killed.json")
            server.wait_for(lambda target=target: len(server.exchanges) >= target, 300)
            os.kill(worker, signal.SIGKILL)
            assert hear() == -signal.SIGKILL
            assert_nothing_stored_was_repeated()
            with Ledger(path) as ledger:
                rows, totals = ledger.rows(), ledger.totals()
            known = {users[row.key]: server.answered[users[row.key]] for row in rows if row.state == "answered"}
            assert totals.spent_micros + totals.held_micros == sum(row.micros for row in rows)
        assert start(server, path, "resumed.json") and hear() == 0
        assert known
        assert_nothing_stored_was_repeated()
        with Ledger(path) as ledger:
            rows, totals = ledger.rows(), ledger.totals()
        # What the provider may ask for is never more than what the ledger counts.
        assert sum(row.tokens for row in rows) >= server.input_tokens + server.output_tokens
        assert totals.answered == 60 and (tmp_path / "killed.json").exists() is False
        assert start(server, tmp_path / "other.db", "whole.json") and hear() == 0
    assert (tmp_path / "resumed.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_no_header_tells_who_asks(open_teacher: Open) -> None:
    with TeacherServer(judge) as server:
        list(open_teacher(server).answer([ask(1)]))
    exchange: Exchange = server.exchanges[0]
    told = " ".join(f"{name}: {value}" for name, value in exchange.headers.items())
    assert not re.search(re.escape(socket.gethostname()) + r"\b", told.replace("127.0.0.1", ""))
