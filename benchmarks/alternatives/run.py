"""What a user would pick instead of shopbot, on the same box and the same messages: accuracy and time side by side.

    python -m venv /tmp/alternatives
    /tmp/alternatives/bin/pip install -r requirements.txt 'pydantic-ai-slim[openai]' semantic-router wordllama
    /tmp/alternatives/bin/python -m benchmarks.alternatives.run [--rows 500] [--shared 150] [--calls 60] [--routers] [--json]

An environment of its own, for ``semantic-router`` wants an older ``openai`` than shopbot's tests. Three kinds of arms: what
shopbot makes of a message; the same base model, untuned, behind a generic agent framework that asks llama.cpp's HTTP
server for JSON (``pydantic-ai``); a semantic router with embeddings (``semantic-router``, ``wordllama``), with the examples
that shopbot's tools declare, and with the training rows of the third-party data as well. Their settings were chosen on
development rows (``benchmarks.alternatives.choose``). Cases: held-out third-party messages, calls with swapped arguments,
and the first messages of the blind conversations that name their act. The first ``--shared`` of ``--rows`` messages, and all
calls and blind messages, go one by one through all arms, two threads each; the rest of ``--rows`` only through the fast
ones. Ctrl-C ends either part early.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

from benchmarks.alternatives import shots
from benchmarks.alternatives.engines import chat_server
from benchmarks.alternatives.judging import Answer, Case, Guess, blind_cases, call_cases, costs, routing_cases, shares
from benchmarks.alternatives.offers import offers
from benchmarks.setup import open_model, plugins
from benchmarks.shared_data import FOLDER
from shopbot.understand import Understanding

Arm = Callable[[str], Guess]
SHOPBOT, FRAMEWORK = "shopbot", "pydantic-ai, JSON schema, the 6 nearest examples and training rows shown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--shared", type=int, default=150, help="so many of them go through the slow arm, too")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--routers", action="store_true", help="only the semantic routers, which need no model")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    missing = _missing()
    if missing:
        print(f"skipped: {missing}", file=sys.stderr)
        return
    logging.disable(logging.INFO)
    rows = routing_cases("held_out", arguments.rows)
    shared = [*rows[: arguments.shared], *call_cases("held_out", arguments.calls), *blind_cases()]
    random.Random(0).shuffle(shared)  # so that a run that is cut short has some of each kind
    load = os.getloadavg()[0]
    with nullcontext(routers()) if arguments.routers else arms() as made:
        answers = measure(made, shared)
        fast = {name: arm for name, arm in made.items() if name != FRAMEWORK}
        more = measure(fast, rows[arguments.shared :])
    found = {
        name: shares([*given, *more.get(name, [])]) | costs(given) | _against(answers.get(SHOPBOT, ()), given)
        for name, given in answers.items()
    }
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print(f"load {load:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end, {os.cpu_count()} cores")
    for name, values in found.items():
        print(name, *(f"  {key}: {value}" for key, value in values.items()), sep="\n")


def _missing() -> str:
    """What keeps the benchmark from running here; empty: nothing."""
    if not FOLDER.exists():
        return f"the third-party data is not in {FOLDER}."
    try:
        import pydantic_ai
        import semantic_router
        import wordllama
    except ImportError as error:
        return f"{error}; see the beginning of benchmarks/alternatives/run.py for what to install."
    del pydantic_ai, semantic_router, wordllama
    return ""


@contextmanager
def arms() -> Iterator[dict[str, Arm]]:
    """All arms with the settings that were best on the development rows."""
    from benchmarks.alternatives.framework import FrameworkArm
    from benchmarks.alternatives.router import wordllama_embeddings

    backend, manifest = open_model()
    tools = plugins().tools()
    bias = manifest.bias if manifest else None
    understanding = Understanding(backend, tools.values(), trained=tools, bias=bias)
    offered = offers()
    nearest = shots.Nearest(shots.with_training_rows(offered), wordllama_embeddings(), 6)
    try:
        with chat_server() as server:
            framework = FrameworkArm(server, offered, "json", nearest)
            yield {SHOPBOT: lambda message: _guess(understanding, message), FRAMEWORK: framework, **routers()}
    finally:
        backend.close()


def routers() -> dict[str, Arm]:
    """The semantic routers, their thresholds fitted on all development rows."""
    from benchmarks.alternatives.router import Encoder, RouterArm, RouterSettings, wordllama_embeddings

    offered, encoder, settings = offers(), Encoder(embed=wordllama_embeddings()), RouterSettings("max", 5, 1.0)
    made = {
        "semantic-router, declared examples": RouterArm(shots.declared(offered), encoder, settings),
        "semantic-router, and training rows": RouterArm(shots.with_training_rows(offered), encoder, settings),
    }
    dev = routing_cases("dev", 10_000)
    for router in made.values():
        router.fit(dev)
    return dict(made)


def _guess(understanding: Understanding, message: str) -> Guess:
    understood = understanding(message, "-")
    tokens = understood.tokens
    act = understood.acts[0] if understood.acts else None
    return Guess(act.name if act else "none", act.arguments if act else {}, tokens.read, tokens.cached, tokens.written)


def measure(made: Mapping[str, Arm], cases: Sequence[Case]) -> dict[str, list[Answer]]:
    """Each case through each arm in turn; what all prompts begin with has been read before. Ctrl-C: those so far."""
    answers: dict[str, list[Answer]] = {name: [] for name in made}
    try:
        for arm in made.values():
            arm("hello")
        for number, case in enumerate(cases):
            if number % 20 == 0:
                print(f"{number} of {len(cases)}", file=sys.stderr, flush=True)
            taken = {}
            for name, arm in made.items():
                began = time.perf_counter()
                guess = arm(case.text)
                taken[name] = Answer(case, guess, 1e3 * (time.perf_counter() - began))
            for name, answer in taken.items():
                answers[name].append(answer)
    except KeyboardInterrupt:
        print("stopped: what follows is about the messages so far", file=sys.stderr)
    return answers


def _against(ours: Sequence[Answer], theirs: Sequence[Answer]) -> dict[str, str]:
    """On the messages that both got: how many only one of them had right; nothing without ours."""
    if not ours:
        return {}
    pairs = [
        (one.case.is_right(one.guess), two.case.is_right(two.guess)) for one, two in zip(ours, theirs, strict=True)
    ]
    only_ours, only_theirs = pairs.count((True, False)), pairs.count((False, True))
    return {"against": f"{only_ours} right by shopbot alone, {only_theirs} by this alone, n={len(pairs)}"}


if __name__ == "__main__":
    main()
