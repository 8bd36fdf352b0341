"""A service that is told to stop finishes what it has begun, and tells everybody else to come back."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx

from shopbot.server.limits import Turns

STREAM = {"Accept": "text/event-stream"}


def test_turns_in_flight_finish_and_the_others_are_turned_away(
    make_bot: Any, serving: Any, stop: Any, visitor_of: Any, door: Any
) -> None:
    bot = make_bot(model={"slots": 1})
    answers: dict[str, httpx.Response] = {}
    streamed: list[str] = []

    def say(name: str, session: str) -> None:
        answers[name] = visitor.say(session, "wait for me")

    def stream(session: str, key: dict[str, str]) -> None:
        path = f"/v1/sessions/{session}/messages"
        body = {"text": "wait for me"}
        with visitor.http.stream("POST", path, json=body, headers={**key, **STREAM}) as response:
            streamed.extend(response.iter_lines())

    def follow(session: str) -> None:
        answers["followed"] = visitor.ask("GET", session, "/events")

    with serving(bot) as url:
        visitor = visitor_of(url)
        running, queued, late = visitor.session(), visitor.session(), visitor.session()
        threads = [threading.Thread(target=stream, args=(running, visitor.key(running)))]
        threads[0].start()
        assert door.entered.acquire(timeout=20)
        threads += [
            threading.Thread(target=say, args=("queued", queued)),
            threading.Thread(target=follow, args=(late,)),
        ]
        for thread in threads[1:]:
            thread.start()
        deadline = time.monotonic() + 20
        while "shopbot_turns_queued 1.0" not in visitor.http.get("/metrics").text:
            assert time.monotonic() < deadline
        stop(url)
        threads[1].join(20)
        threads[2].join(20)
        ready = visitor.http.get("/readyz")
        answers["late"] = visitor.say(late, "when do you open?")
        door.is_open.set()
        threads[0].join(20)
        visitor.http.close()
    for name in ("queued", "late"):
        assert (answers[name].status_code, answers[name].json()["error"]["code"]) == (503, "draining"), name
        assert int(answers[name].headers["Retry-After"]) >= 1
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["draining"])
    assert answers["followed"].text.endswith('event: end\ndata: {"reason": "draining"}\n\n')
    assert "event: reply" in streamed, "the turn in flight was answered"
    assert bot.store.messages(queued) == [], "a turn that was turned away left nothing behind"


def test_a_drain_that_takes_too_long_says_so() -> None:
    may_end = threading.Event()

    async def drain() -> list[bool]:
        turns = Turns(workers=1, max_waiting=2)
        turn = turns.start("s", lambda: may_end.wait(20))
        while not turns.running:
            await asyncio.sleep(0)
        drained = [await turns.drain(0.01)]
        may_end.set()
        drained += [await turn, await turns.drain(20)]
        turns.close()
        return drained

    assert asyncio.run(drain()) == [False, True, True]
