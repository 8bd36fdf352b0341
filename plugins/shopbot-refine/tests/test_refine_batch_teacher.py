"""The batch teacher against a Batch API on loopback, by the real client; a restart is a new teacher on the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shopbot_refine.config import RefineConfig
from shopbot_refine.ledger import Ledger
from shopbot_refine.teachers import Answer, Request
from shopbot_refine.teachers.batch import BatchTeacher
from shopbot_refine.testing import BatchAPI, BatchPlan, Mishap, RefusedError

from shopbot import ConfigError

SCHEMA = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}


def ask(number: int, system: str = "You judge turns.") -> Request:
    return Request("judge", system, f"turn {number}", SCHEMA, 40)


REQUESTS = [ask(n) for n in range(5)]


def judge(messages: list[dict[str, Any]], schema: dict[str, Any] | None) -> str:
    return json.dumps({"why": messages[-1]["content"]})


class Box:
    """A ledger, and teachers that come and go."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def answer(self, server: BatchAPI, requests: list[Request] = REQUESTS, **settings: Any) -> list[Answer]:
        """The answers of a new process."""
        timing = {name: settings.pop(name) for name in ("wait_s", "chunk") if name in settings}
        config = RefineConfig(teacher="batch", base_url=server.base_url, **settings)
        with Ledger(self.path) as ledger:
            teacher = BatchTeacher(config, ledger, run="run-1", poll_s=0.01, backoff_s=0.001, **timing)
            try:
                return list(teacher.answer(requests))
            finally:
                teacher.close()

    def rows(self) -> list[Any]:
        with Ledger(self.path) as ledger:
            return ledger.rows()

    def totals(self) -> Any:
        with Ledger(self.path) as ledger:
            return ledger.totals()


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    return Box(tmp_path / "ledger.db")


@pytest.fixture
def serve() -> Iterator[Callable[..., BatchAPI]]:
    servers = []

    def serve(*mishaps: Mishap | None, plans: tuple[BatchPlan, ...] = (), reply: Any = judge) -> BatchAPI:
        servers.append(BatchAPI(reply, mishaps, plans=plans))
        servers[-1].__enter__()
        return servers[-1]

    yield serve
    for server in servers:
        server.__exit__()


Serve = Callable[..., BatchAPI]


def failures(answers: list[Answer]) -> set[str]:
    return {answer.failure for answer in answers}


def test_submitted_now_and_fetched_by_a_later_process(box: Box, serve: Serve) -> None:
    server = serve()
    first = box.answer(server)
    assert failures(first) == {"pending"} and len(first) == 5 and not server.answered
    second = box.answer(server)
    assert failures(second) == {""} and {json.loads(a.content)["why"] for a in second} == {r.user for r in REQUESTS}
    third = box.answer(server)
    assert all(a.is_cached for a in third) and [a.content for a in third] == [a.content for a in second]
    assert len(server.batches) == 1 and server.answered.total() == 5
    assert not server.files, "nothing is left at the provider"
    line = json.loads(server.made[0].splitlines()[0])
    assert (line["custom_id"], line["url"]) == (REQUESTS[0].key, "/v1/chat/completions")
    # Half the price, in whole micro-units, each call rounded up.
    totals = box.totals()
    assert (totals.answered, totals.held_micros) == (5, 0)
    assert [row.micros for row in box.rows()] == [
        -(-(row.input_tokens * 125 + row.output_tokens * 1000) // 200) for row in box.rows()
    ]
    assert sum(a.cost for a in second) == pytest.approx(totals.spent_micros / 1e6)


def test_waits_as_long_as_it_is_told(box: Box, serve: Serve) -> None:
    server = serve(plans=(BatchPlan(polls=3),))
    assert failures(box.answer(server, wait_s=30)) == {""}
    server = serve(plans=(BatchPlan(polls=10**6),))
    assert failures(box.answer(server, [ask(9)], wait_s=0.05)) == {"pending"}


def test_what_is_new_joins_what_is_under_way(box: Box, serve: Serve) -> None:
    server = serve(plans=(BatchPlan(polls=1),))
    box.answer(server, REQUESTS[:3], chunk=2)
    assert [len(content.splitlines()) for content in server.files.values()] == [2, 1]
    answers = box.answer(server, [*REQUESTS, REQUESTS[0], ask(0, "Another prompt.")])
    # The first batch is looked at once too seldom, the second is done, and two more are new.
    assert [a.failure for a in answers].count("") == 1 and len(server.batches) == 4
    answers = box.answer(server, [*REQUESTS, REQUESTS[0], ask(0, "Another prompt.")])
    assert failures(answers) == {""} and server.answered.total() == 6 and len(server.batches) == 4


#: What the client asks, in order: upload, create; then look, read the output file.
STEPS = ["upload", "create", "look", "read"]


@pytest.mark.parametrize("step", range(4), ids=STEPS)
@pytest.mark.parametrize(
    "mishap",
    [Mishap("status", 500), Mishap("status", 429, headers={"Retry-After": "0"}), Mishap("cut"), Mishap("cut_answer")],
    ids=lambda mishap: mishap.kind + str(mishap.status),
)
def test_trouble_at_any_step_is_passed(box: Box, serve: Serve, step: int, mishap: Mishap) -> None:
    server = serve(*[None] * step, mishap)
    box.answer(server)
    assert failures(box.answer(server)) == {""}
    assert len(server.batches) == 1 and server.answered.total() == 5


@pytest.mark.parametrize("step", range(4), ids=STEPS)
@pytest.mark.parametrize("kind", ["cut", "cut_answer"])
def test_a_process_that_gives_up_at_any_step_submits_nothing_twice(
    box: Box, serve: Serve, step: int, kind: Any
) -> None:
    """With one attempt, a cut is to this process what a kill is: what the server did, it does not know."""
    server = serve(*[None] * step, Mishap(kind))
    for _ in range(4):
        answers = box.answer(server, attempts=1)
    assert failures(answers) == {""} and len(server.batches) == 1 and server.answered.total() == 5
    assert box.totals().answered == 5


class DyingError(BaseException):
    """Stands for a kill: nothing of the teacher handles it."""


@pytest.mark.parametrize("method", ["reserve", "name_batch", "settle", "fail", "close_batch"])
@pytest.mark.parametrize("is_before", [True, False])
def test_dying_around_any_write_submits_nothing_twice(
    box: Box, serve: Serve, monkeypatch: pytest.MonkeyPatch, method: str, is_before: bool
) -> None:
    server = serve(plans=(BatchPlan(polls=1),))
    real = getattr(Ledger, method)

    def die(*arguments: Any, **named: Any) -> None:
        if not is_before:
            real(*arguments, **named)
        raise DyingError

    # Patched because only here a death can be put exactly between two steps; random kills are in the live tests.
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(Ledger, method, die)
            for _ in range(2):
                try:
                    box.answer(server)
                except DyingError:
                    continue
    for _ in range(3):
        answers = box.answer(server)
    assert failures(answers) == {""} and len(server.batches) == 1 and server.answered.total() == 5
    totals = box.totals()
    assert (totals.answered, totals.held_micros) == (5, 0)


@pytest.mark.parametrize("ends", ["expired", "cancelled"])
def test_a_batch_that_ends_early_pays_for_what_it_answered(box: Box, serve: Serve, ends: Any) -> None:
    server = serve(plans=(BatchPlan(ends=ends, answered=2),))
    box.answer(server)
    answers = box.answer(server)
    assert sorted(a.failure for a in answers) == ["", "", "offline", "offline", "offline"]
    assert (box.totals().answered, box.totals().failed, box.totals().held_micros) == (2, 3, 0)
    # The next processes ask for the rest.
    box.answer(server)
    assert failures(box.answer(server)) == {""} and server.answered.total() == 5


def test_a_batch_that_does_not_pass_the_check_costs_nothing(box: Box, serve: Serve) -> None:
    server = serve(plans=(BatchPlan(ends="failed"), BatchPlan(ends="failed", code="token_limit_exceeded")))
    box.answer(server)
    answers = box.answer(server)
    assert {(a.failure, a.detail) for a in answers} == {("rejected", "HTTP 400, invalid_json_line")}
    box.answer(server)
    assert failures(box.answer(server)) == {"offline"}
    assert box.totals().held_micros == 0 == box.totals().spent_micros


def test_lines_are_judged_one_by_one(box: Box, serve: Serve) -> None:
    def answer(messages: list[dict[str, Any]], schema: object) -> str:
        if messages[-1]["content"] == "turn 1":
            raise RefusedError("No.")
        return "no JSON" if messages[-1]["content"] == "turn 2" else judge(messages, None)

    server = serve(reply=answer)
    box.answer(server)
    by_user = {a.request.user: a.failure for a in box.answer(server)}
    assert by_user == {"turn 0": "", "turn 1": "refused", "turn 2": "malformed", "turn 3": "", "turn 4": ""}


def test_damaged_result_files_lose_only_what_is_damaged(box: Box, serve: Serve) -> None:
    key = REQUESTS[0].key
    body = {"choices": [{"message": {"content": '{"why": "\u2028"}'}}], "usage": {"prompt_tokens": 10**40}}
    rows = [
        {"custom_id": key, "response": {"status_code": 200, "body": body}},
        {"custom_id": key, "response": {"status_code": 200, "body": {}}},
        {"custom_id": "somebody else's", "response": {"status_code": 200, "body": body}},
        {"custom_id": REQUESTS[1].key, "response": {"status_code": 200, "body": "?"}},
        {"custom_id": REQUESTS[2].key, "response": {"status_code": "x", "body": ["?"]}, "error": 7},
        {"custom_id": [1]},
        ["no object"],
    ]
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    damaged = b"\n".join([*lines, b"\xff\xfe", b'{"custom_id": "cut'])

    class DamagedAPI(BatchAPI):
        def serve(self, method: str, path: str, content_type: str, body: bytes) -> tuple[int, Any]:
            return (200, damaged) if path.endswith("/content") else super().serve(method, path, content_type, body)

    with DamagedAPI(judge) as server:
        box.answer(server)
        answers = {a.request.user: a.failure for a in box.answer(server)}
    assert answers == {
        "turn 0": "",
        "turn 1": "malformed",
        "turn 2": "offline",
        "turn 3": "malformed",
        "turn 4": "malformed",
    }
    # What may have been paid for counts.
    assert box.totals().held_micros > 0


def test_a_batch_that_is_gone_does_not_block_the_next(box: Box, serve: Serve) -> None:
    server = serve()
    box.answer(server)
    server.batches.clear()
    assert failures(box.answer(server)) == {"offline"} and box.totals().held_micros > 0
    box.answer(server)
    assert failures(box.answer(server)) == {""}


def test_an_old_batch_without_its_requests_is_fetched_all_the_same(box: Box, serve: Serve) -> None:
    server = serve()
    box.answer(server)
    assert box.answer(server, []) == []
    assert failures(box.answer(server)) == {""} and len(server.batches) == 1


def test_the_cap_holds_for_the_whole_batch(box: Box, serve: Serve) -> None:
    server = serve()
    requests = [ask(n) for n in range(40)]
    first = box.answer(server, requests, budget=0.004)
    assert failures(first) == {"pending", "over_budget"}
    assert sum(row.micros for row in box.rows()) <= 4000
    box.answer(server, requests, budget=0.004)
    # What was not used is there for more, up to the cap.
    assert (server.input_tokens * 125 + server.output_tokens * 1000) / 200 <= 4000
    assert sum(row.micros for row in box.rows()) <= 4000
    assert box.answer(serve(), [ask(99)], budget=0)[0].failure == "over_budget"


def test_without_a_network_nothing_is_held(box: Box) -> None:
    with BatchAPI(judge) as server:
        pass
    assert failures(box.answer(server, attempts=1)) == {"offline"}
    assert box.totals().held_micros == 0


def test_a_wrong_key_is_told(box: Box, serve: Serve) -> None:
    with pytest.raises(ConfigError, match="HTTP 401"):
        box.answer(serve(Mishap("status", 401, "invalid_api_key")))
    assert box.totals().held_micros == 0
