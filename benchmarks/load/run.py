"""Several chats at once with ``shopbot serve``, beside the same load on bare llama.cpp; or a soak of many turns.

    python -m benchmarks.load.run [--chats 8] [--turns 160] [--rounds 4] [--soak 0] [--json]

A service of its own (a demo shop, the shipped checkpoint, as many slots as chats) and a bare engine (the same weights,
adapter, slots and threads) take the same messages in alternating rounds: the service over HTTP as streams of events, the
bare engine the very prompts that the messages become, no grammar and no log-probabilities, and as many tokens as the
service's model wrote. Reported: turns a second of each and their ratio, milliseconds to the first event (the act) and to
the end. ``--soak N`` instead sends N turns and reports errors and the service's memory. Run it with nothing else on the
machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeVar

import httpx
import psutil

from benchmarks.serving import serving
from benchmarks.setup import MESSAGES
from shopbot.backends.gguf import default_threads, start_engine
from shopbot.checkpoint import CheckpointStore
from shopbot.config import home
from shopbot.models import locate_model
from shopbot.understand import render_prompt

_CONTEXT = 1024
_Work = TypeVar("_Work")


@dataclass(frozen=True, slots=True)
class Taken:
    """One turn: milliseconds to its first event and to its end, the tokens written, and what went wrong."""

    first_ms: float
    total_ms: float
    written: int = 0
    error: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=8)
    parser.add_argument("--turns", type=int, default=160, help="turns of a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--soak", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        serving(Path(folder), MODEL__SLOTS=arguments.chats, MODEL__CONTEXT=_CONTEXT) as (url, process),
    ):
        if arguments.soak:
            found = _soak(url, process, arguments.chats, arguments.soak)
        else:
            found = _compare(url, arguments.chats, arguments.turns, arguments.rounds)
    print(json.dumps(found) if arguments.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


def _compare(url: str, chats: int, turns: int, rounds: int) -> dict[str, Any]:
    checkpoint = CheckpointStore(home()).current()
    base = locate_model(checkpoint.manifest.base.source, sha256=checkpoint.manifest.base.sha256)
    bare = start_engine(base, lora=checkpoint.lora_path, context=_CONTEXT, slots=chats, threads=default_threads())
    messages = [MESSAGES[number % len(MESSAGES)] for number in range(turns)]
    served: list[list[Taken]] = []
    plain: list[list[Taken]] = []
    rates: list[tuple[float, float]] = []
    with httpx.Client(base_url=url, timeout=120, limits=httpx.Limits(max_connections=2 * chats)) as http:
        written = {message: _turn(http, _start(http), message).written for message in MESSAGES}
        for _ in range(rounds):
            # chats that are under way: their start is not the turn's
            begun = [(_start(http), message) for message in messages]
            taken, rate = _round(begun, chats, lambda one: _turn(http, *one))
            done, bare_rate = _round(messages, chats, lambda message: _bare(bare, message, written[message]))
            served.append(taken)
            plain.append(done)
            rates.append((rate, bare_rate))
    turns_taken = [one for taken in served for one in taken]
    ratios = [rate / bare_rate for rate, bare_rate in rates]
    return {
        "chats": chats,
        "turns": f"{len(turns_taken)} in {rounds} rounds",
        "errors": dict(Counter(one.error for one in turns_taken if one.error)),
        "turns a second": round(mean(rate for rate, _ in rates), 2),
        "bare llama.cpp, calls a second": round(mean(rate for _, rate in rates), 2),
        "ratio": f"median {median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}",
        "first event, ms": _spread([one.first_ms for one in turns_taken]),
        "end of the turn, ms": _spread([one.total_ms for one in turns_taken]),
        "bare call, ms": _spread([one.total_ms for done in plain for one in done]),
    }


def _soak(url: str, process: psutil.Process, chats: int, turns: int) -> dict[str, Any]:
    """Many turns in sessions of ten, and the memory on the way."""
    memory: list[float] = []
    errors: Counter[str] = Counter()
    began = time.monotonic()
    with httpx.Client(base_url=url, timeout=120, limits=httpx.Limits(max_connections=2 * chats)) as http:
        for start in range(0, turns, 500):
            count = min(500, turns - start)
            with ThreadPoolExecutor(chats) as pool:
                for taken in pool.map(lambda _: _session(http), range(count // len(MESSAGES))):
                    errors.update(one.error for one in taken if one.error)
            memory.append(process.memory_info().rss / 1e6)
            print(f"{start + count} turns, {memory[-1]:.0f} MB, {dict(errors)}", file=sys.stderr, flush=True)
    return {
        "turns": turns,
        "errors": dict(errors),
        "turns a second": round(turns / (time.monotonic() - began), 2),
        "resident after each 500 turns, MB": [round(value) for value in memory],
    }


def _round(work: Sequence[_Work], chats: int, take: Callable[[_Work], Taken]) -> tuple[list[Taken], float]:
    """All of it, so many at once; and how many a second."""
    began = time.monotonic()
    with ThreadPoolExecutor(chats) as pool:
        taken = list(pool.map(take, work))
    return taken, len(work) / (time.monotonic() - began)


def _session(http: httpx.Client) -> list[Taken]:
    session = _start(http)
    return [_turn(http, session, message) for message in MESSAGES]


def _start(http: httpx.Client) -> dict[str, str]:
    session: dict[str, str] = http.post("/v1/sessions").json()
    return session


def _turn(http: httpx.Client, session: dict[str, str], message: str) -> Taken:
    headers = {"Authorization": f"Bearer {session['session_token']}", "Accept": "text/event-stream"}
    began, first_ms, event, written = time.perf_counter(), 0.0, "", 0
    path = f"/v1/sessions/{session['session_id']}/messages"
    try:
        with http.stream("POST", path, json={"text": message}, headers=headers) as answer:
            if answer.status_code != 200:
                return Taken(0.0, 0.0, error=str(answer.status_code))
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                    first_ms = first_ms or 1e3 * (time.perf_counter() - began)
                elif name == "data" and event == "reply":
                    written = json.loads(value)["tokens"]["written"]
    except httpx.HTTPError as error:
        return Taken(0.0, 0.0, error=type(error).__name__)
    return Taken(
        first_ms, 1e3 * (time.perf_counter() - began), written, "" if event == "reply" else f"ended in {event}"
    )


def _bare(engine: Any, message: str, tokens: int) -> Taken:
    began = time.perf_counter()
    engine.handle_completions(
        {
            "prompt": render_prompt("-", message),
            "n_predict": max(1, tokens),
            "temperature": 0.0,
            "cache_prompt": True,
            "ignore_eos": True,
        }
    )
    taken = 1e3 * (time.perf_counter() - began)
    return Taken(taken, taken, tokens)


def _spread(values: Sequence[float]) -> str:
    ordered = sorted(values)
    return f"median {median(ordered):.0f}, p95 {ordered[int(0.95 * (len(ordered) - 1))]:.0f}, n={len(ordered)}"


if __name__ == "__main__":
    main()
