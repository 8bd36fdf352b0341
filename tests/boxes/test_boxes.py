"""Several boxes on one database, behind the documented nginx: a conversation is whole and a write happens once,
whichever process gets the turn and whichever is killed."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopbot.transcript import Transcripts
from tests.stores.cluster import Cluster

from .boxes import Boxes

STREAM = {"Accept": "text/event-stream"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]


class Visitor:
    """A client as the widget is one: every message has a ``request_id`` and is sent again until it is answered."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        started = client.post("/v1/sessions").json()
        client.cookies.clear()
        self.id = started["session_id"]
        self.path = f"/v1/sessions/{self.id}"
        self.key = {"Authorization": f"Bearer {started['session_token']}"}
        self.failures: list[str] = []

    def say(self, text: str, request_id: str) -> dict[str, Any]:
        body = {"text": text, "request_id": request_id}
        for _ in range(20):
            answer = self.client.post(f"{self.path}/messages", json=body, headers=self.key)
            if answer.status_code == 200:
                return dict(answer.json())
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) == answer.json()["retry_after_s"]
            self.failures.append(answer.json()["error"]["code"])
        raise AssertionError(f"no answer: {self.failures}")

    def said(self) -> list[tuple[str, str]]:
        messages = self.client.get(f"{self.path}/messages", headers=self.key).json()["messages"]
        return [(message["role"], message["text"]) for message in messages]


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(event, data, id) of a stream."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id", "")
            fields = {}
        else:
            fields = {}


@pytest.fixture
def visitor(boxes: Boxes) -> Visitor:
    return Visitor(boxes.client)


@pytest.fixture
def giver(visitor: Visitor) -> Visitor:
    """A visitor to whom the gift to the trees has been read back."""
    visitor.say("I am ada@example.com", "who")
    assert "Shall I go ahead?" in visitor.say("plant a tree", "wish")["reply"]
    return visitor


@pytest.mark.parametrize("is_sticky", [False])
def test_a_conversation_hops_between_the_boxes(boxes: Boxes, visitor: Visitor) -> None:
    balance, takers, replies = boxes.gift_card(), [], []
    for number, text in enumerate(["I am ada@example.com", "plant a tree", "yes"]):
        before = boxes.turns()
        replies.append(visitor.say(text, str(number)))
        takers.append([after - were for after, were in zip(boxes.turns(), before, strict=True)].index(1))
    assert takers in ([0, 1, 0], [1, 0, 1])
    assert replies[1]["awaiting"]["kind"] == "confirmation"
    assert [call["tool"] for call in replies[2]["tool_calls"]] == ["plant_tree"]
    assert [visitor.say("yes", "2") for _ in range(4)] == 4 * [replies[2]], "whichever is asked again"
    assert boxes.gift_card() == balance - 1 and boxes.ledger(visitor.id) == ["plant_tree"]
    assert [role for role, _ in visitor.said()] == ["customer", "bot"] * 3


@pytest.mark.parametrize("is_sticky", [False])
def test_what_is_erased_is_erased_at_every_box(boxes: Boxes, visitor: Visitor, tmp_path: Path) -> None:
    kept = [Transcripts(tmp_path / name / "transcripts.db") for name in ("first", "second")]
    for number in range(4):
        visitor.say("hello", str(number))
    assert [len(one.turns(visitor.id)) for one in kept] == [2, 2]
    assert boxes.client.delete(visitor.path, headers=visitor.key).status_code == 204
    deadline = time.monotonic() + 120
    while any(one.turns(visitor.id) for one in kept):
        assert time.monotonic() < deadline, "a transcript is still there"
        boxes.client.get("/widget.js")


def test_a_session_stays_with_its_box(boxes: Boxes) -> None:
    for _ in range(6):
        visitor, before = Visitor(boxes.client), boxes.turns()
        for number in range(4):
            visitor.say("hello", str(number))
        took = [after - were for after, were in zip(boxes.turns(), before, strict=True)]
        assert sorted(took) == [0, 4]


def test_the_same_yes_at_both_boxes_at_once(boxes: Boxes) -> None:
    """As it comes when a connection is lost while the first box is still at it."""
    planted, balance = 0, boxes.gift_card()

    def ask(address: str, visitor: Visitor, start: threading.Barrier) -> httpx.Response:
        start.wait(120)
        body = {"text": "yes", "request_id": "yes"}
        return boxes.http.post(f"{address}{visitor.path}/messages", json=body, headers=visitor.key)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            visitor, start = Visitor(boxes.client), threading.Barrier(2)
            visitor.say("I am ada@example.com", "who")
            visitor.say("plant a tree", "wish")
            first, second = pool.map(ask, boxes.addresses, [visitor] * 2, [start] * 2)
            assert first.status_code == second.status_code == 200, (first.text, second.text)
            assert first.json() == second.json(), "one request, one answer"
            # it is not where the first was so slow that it lost its turn
            is_planted = boxes.ledger(visitor.id) == ["plant_tree"]
            assert ("A tree is planted." in first.json()["reply"]) == is_planted, first.text
            planted += is_planted
            assert boxes.gift_card() == balance - planted
            assert [role for role, _ in visitor.said()] == ["customer", "bot"] * 3
    assert planted, "nobody was ever fast enough"


@pytest.mark.parametrize("is_sticky", [True, False])
def test_a_box_killed_in_the_middle_of_a_write(boxes: Boxes, giver: Visitor) -> None:
    balance = boxes.gift_card()
    boxes.close_door("writing")
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(giver.say("yes", "yes")))
    asking.start()
    boxes.kill_whoever_waits("writing")
    boxes.open_door("writing")
    asking.join(120)
    assert giver.failures == ["unavailable"], "nginx says so once, in our words; the next try is answered"
    assert "nothing was changed" in answers[0]["reply"] and "Shall I go ahead?" in answers[0]["reply"]
    assert boxes.gift_card() == balance and boxes.ledger(giver.id) == []
    assert "A tree is planted." in giver.say("yes", "again")["reply"]
    assert boxes.gift_card() == balance - 1 and boxes.ledger(giver.id) == ["plant_tree"]


def test_a_box_killed_when_all_was_written_and_nothing_said(boxes: Boxes, giver: Visitor) -> None:
    balance = boxes.gift_card()
    boxes.close_door("answering")
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(giver.say("yes", "yes")))
    asking.start()
    boxes.kill_whoever_waits("answering")
    boxes.open_door("answering")
    asking.join(120)
    assert answers[0]["reply"] == "A tree is planted."
    assert giver.say("yes", "yes") == answers[0]
    assert boxes.gift_card() == balance - 1 and boxes.ledger(giver.id) == ["plant_tree"]
    assert [role for role, _ in giver.said()] == ["customer", "bot"] * 3


def test_a_database_that_crashes_in_the_middle_of_a_write(boxes: Boxes, giver: Visitor, postgresql: Cluster) -> None:
    balance = boxes.gift_card()
    boxes.close_door("writing")
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(giver.say("yes", "yes")))
    asking.start()
    boxes.wait_for("writing")
    postgresql.stop()
    unready = [boxes.http.get(f"{address}/readyz").json()["reasons"] for address in boxes.addresses]
    postgresql.start()
    boxes.open_door("writing")
    asking.join(120)
    assert unready == [["store"], ["store"]]
    assert "nothing was changed" in answers[0]["reply"]
    assert boxes.gift_card() == balance and boxes.ledger(giver.id) == []
    giver.say("plant a tree", "again")
    assert "A tree is planted." in giver.say("yes", "at-last")["reply"]
    assert boxes.gift_card() == balance - 1 and boxes.ledger(giver.id) == ["plant_tree"]


def test_a_box_killed_while_it_streams(boxes: Boxes, visitor: Visitor) -> None:
    """The reply's stream and the stream of what comes break; both go on at the other box where they were."""
    visitor.say("hello", "0")
    boxes.close_door("reading")
    seen: list[tuple[str, dict[str, Any], str]] = []
    caught_up, broken = threading.Event(), threading.Event()

    def follow() -> None:
        headers = {**visitor.key, "Accept": "text/event-stream"}
        try:
            with boxes.client.stream("GET", f"{visitor.path}/events", headers=headers) as response:
                for one in events(response):
                    seen.append(one)
                    if len(seen) == 3:
                        caught_up.set()
        except httpx.HTTPError:
            broken.set()

    def ask_and_kill() -> None:
        body = {"text": "hold on", "request_id": "1"}
        with boxes.client.stream(
            "POST", f"{visitor.path}/messages", json=body, headers={**visitor.key, **STREAM}
        ) as it:
            for name, _, _ in events(it):
                assert name == "act", "understood, and nginx has passed it on at once"
                boxes.kill_whoever_waits("reading")

    following = threading.Thread(target=follow)
    following.start()
    assert caught_up.wait(120)
    with pytest.raises(httpx.RemoteProtocolError):
        ask_and_kill()
    following.join(120)
    assert broken.is_set(), "the browser would connect again now"
    assert [name for name, _, _ in seen] == ["mode", "message", "message"]
    boxes.open_door("reading")
    last = seen[-1][2]
    headers = {**visitor.key, "Last-Event-ID": last}
    with boxes.client.stream("GET", f"{visitor.path}/events", headers=headers) as response:
        coming = events(response)
        assert next(coming)[0] == "mode"
        reply = visitor.say("hold on", "1")
        assert reply["reply"] == "Here you are."
        came = [next(coming), next(coming)]
    assert [(data["seq"], data["role"]) for _, data, _ in came] == [(3, "customer"), (4, "bot")]
    assert [role for role, _ in visitor.said()] == ["customer", "bot"] * 2


def test_a_box_that_is_restarted(boxes: Boxes) -> None:
    visitor, before = Visitor(boxes.client), boxes.turns()
    visitor.say("I am ada@example.com", "1")
    its = [after - were for after, were in zip(boxes.turns(), before, strict=True)].index(1)
    boxes.processes[its].terminate()
    assert boxes.processes[its].wait(120) == 0
    assert "gift card" in visitor.say("plant a tree", "2")["reply"]
    assert visitor.failures == [], "a process that is gone is passed over at once"


def test_what_nginx_adds(boxes: Boxes, visitor: Visitor) -> None:
    answer = boxes.client.post("/v1/sessions")
    assert "Secure" in answer.headers["Set-Cookie"], "the service believes X-Forwarded-Proto"
    boxes.client.cookies.clear()
    for path in ("/metrics", "/healthz", "/readyz"):
        assert boxes.client.get(path).status_code == 404
    assert boxes.client.get("/widget.js").status_code == 200
    too_much = boxes.client.post(f"{visitor.path}/messages", content=b"x" * 70_000, headers=visitor.key)
    assert too_much.status_code == 413


def test_no_box_is_left(boxes: Boxes, visitor: Visitor) -> None:
    for process in boxes.processes:
        process.kill()
        process.wait(120)
    answer = boxes.client.get(visitor.path, headers=visitor.key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "2"
