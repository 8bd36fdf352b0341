"""Several chats at once with ``shopbot serve``, beside the same load on bare llama.cpp; or a soak of many turns.

    python -m benchmarks.load.run [--chats 8] [--turns 160] [--rounds 4] [--checkpoint NAME] [--soak 0] [--json]

A service of its own (a demo shop, as many slots as chats) and llama.cpp's own HTTP server (base and LoRA adapter, as many
slots and threads) take the same messages in alternating rounds, both over HTTP as streams of events: the bare one the
very prompts that the messages become, no grammar and no log-probabilities, and as many tokens as the service's model
wrote. Reported: turns a second of each and the ratios, milliseconds to the first event (the act; the first token) and to
the end. ``--checkpoint``: what the service serves, a compiled one for instance. ``--soak N`` instead sends N turns and
reports errors and the service's memory. Run it with nothing else on the machine.
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
from contextlib import ExitStack, closing
from itertools import cycle, islice
from pathlib import Path
from queue import SimpleQueue
from statistics import mean, median
from typing import Any, TypeVar

import psutil

from benchmarks.load.bare import CONTEXT, bare_server
from benchmarks.load.chats import BareCall, Chat, Connection, Taken
from benchmarks.serving import serving
from benchmarks.setup import MESSAGES
from shopbot.understand import render_prompt

_Caller = TypeVar("_Caller", bound=Connection)
_Work = TypeVar("_Work")
_Done = TypeVar("_Done")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=8)
    parser.add_argument("--turns", type=int, default=160, help="turns of a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--checkpoint", default="")
    parser.add_argument("--soak", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settings = {"MODEL__SLOTS": arguments.chats, "MODEL__CONTEXT": CONTEXT}
    if arguments.checkpoint:
        settings["MODEL__CHECKPOINT"] = arguments.checkpoint
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        serving(Path(folder), **settings) as (url, process),
    ):
        if arguments.soak:
            found = _soak(url, process, arguments.chats, arguments.soak)
        else:
            found = _compare(url, arguments.chats, arguments.turns, arguments.rounds)
    print(json.dumps(found) if arguments.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


def _compare(url: str, chats: int, turns: int, rounds: int) -> dict[str, Any]:
    messages = list(islice(cycle(MESSAGES), turns))
    served: list[Taken] = []
    plain: list[Taken] = []
    rates: list[tuple[float, float]] = []
    with ExitStack() as stack:
        bare = stack.enter_context(bare_server(chats))
        talks = [stack.enter_context(closing(Chat(url))) for _ in range(chats)]
        calls = [stack.enter_context(closing(BareCall(bare))) for _ in range(chats)]
        written = {message: max(1, talks[0].say(talks[0].start(), message).written) for message in MESSAGES}
        for _ in range(rounds):
            # chats that are under way: their start is not the turn's
            begun = [(talks[0].start(), message) for message in messages]
            taken, rate = _round(talks, begun, lambda talk, turn: talk.say(*turn))
            prompts = [(render_prompt("-", message), written[message]) for message in messages]
            done, bare_rate = _round(calls, prompts, lambda call, work: call.take(*work))
            served += taken
            plain += done
            rates.append((rate, bare_rate))
    ratios = [rate / bare_rate for rate, bare_rate in rates]
    return {
        "chats": chats,
        "turns": f"{len(served)} in {rounds} rounds",
        "errors": dict(Counter(one.error for one in served if one.error)),
        "turns a second": round(mean(rate for rate, _ in rates), 2),
        "bare llama.cpp, calls a second": round(mean(rate for _, rate in rates), 2),
        "ratio": f"median {median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}",
        "first event, ms": _spread([one.first_ms for one in served]),
        "end of the turn, ms": _spread([one.total_ms for one in served]),
        "bare: first token, ms": _spread([one.first_ms for one in plain]),
        "bare: end of the call, ms": _spread([one.total_ms for one in plain]),
    }


def _soak(url: str, process: psutil.Process, chats: int, turns: int) -> dict[str, Any]:
    """Many turns in sessions of ten, and the memory on the way."""
    memory: list[float] = []
    errors: Counter[str] = Counter()
    began = time.monotonic()
    with ExitStack() as stack:
        talks = [stack.enter_context(closing(Chat(url))) for _ in range(chats)]
        for start in range(0, turns, 500):
            count = min(500, turns - start)
            taken, _ = _round(talks, range(count // len(MESSAGES)), lambda talk, _: _conversation(talk))
            errors.update(one.error for said in taken for one in said if one.error)
            memory.append(process.memory_info().rss / 1e6)
            print(f"{start + count} turns, {memory[-1]:.0f} MB, {dict(errors)}", file=sys.stderr, flush=True)
    return {
        "turns": turns,
        "errors": dict(errors),
        "turns a second": round(turns / (time.monotonic() - began), 2),
        "resident after each 500 turns, MB": [round(value) for value in memory],
    }


def _conversation(talk: Chat) -> list[Taken]:
    session = talk.start()
    return [talk.say(session, message) for message in MESSAGES]


def _round(
    callers: Sequence[_Caller], work: Sequence[_Work], take: Callable[[_Caller, _Work], _Done]
) -> tuple[list[_Done], float]:
    """All of it, each caller one at a time; and how many a second."""
    free: SimpleQueue[_Caller] = SimpleQueue()
    for caller in callers:
        caller.close()  # a server lets go of a connection that was idle while the other was asked; it opens by itself
        free.put(caller)

    def take_one(one: _Work) -> _Done:
        caller = free.get()
        try:
            return take(caller, one)
        finally:
            free.put(caller)

    began = time.monotonic()
    with ThreadPoolExecutor(len(callers)) as pool:
        done = list(pool.map(take_one, work))
    return done, len(work) / (time.monotonic() - began)


def _spread(values: Sequence[float]) -> str:
    ordered = sorted(values)
    return f"median {median(ordered):.0f}, p95 {ordered[int(0.95 * (len(ordered) - 1))]:.0f}, n={len(ordered)}"


if __name__ == "__main__":
    main()
