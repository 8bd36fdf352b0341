"""How fast a compiled checkpoint is beside the GGUF it was made from, in alternation, one process an engine."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from shopbot_refine.suite import SEED_SET, build_suite

from benchmarks.mlc.worker import PAUSE_S, Worker
from benchmarks.setup import plugins
from shopbot.grammar import build
from shopbot.understand import render_prompt

PROMPTS = (31, 100, 400)
Engines = Mapping[str, Sequence[str]]


def compare_rates(folder: Path, base: Path, targets: Sequence[str], rounds: int, vocabulary: int) -> dict[str, Any]:
    """Tokens a second that the runtime alone reads and writes, and llama.cpp on the base; random tokens."""
    engines = {"llama.cpp": ["llama", str(base)]}
    engines |= {target: ["compiled", str(folder), target] for target in targets}
    chance = random.Random(0)
    found: dict[int, list[dict[str, dict[str, float]]]] = {length: [] for length in PROMPTS}
    with _running(engines) as workers:
        for number in range(rounds + 1):
            for length in PROMPTS:
                tokens = [chance.randrange(100, vocabulary) for _ in range(length)]
                rates = _in_turn(workers, {"tokens": tokens}, number)
                if number:  # the first round warms up
                    found[length].append(rates)
    return {f"prompt of {length}": _rates(rows, targets) for length, rows in found.items()}


def compare_calls(names: Mapping[str, str], bias: Mapping[str, float], calls: int) -> dict[str, Any]:
    """Milliseconds a call takes with the grammar, on rows of the eval set with their state.

    ``names``: ``mlc`` and ``gguf`` → checkpoint.
    """
    grammar, rows = build(plugins().tools().values()), build_suite(plugins()).sets[SEED_SET]
    found: list[dict[str, float]] = []
    with _running({name: ["backend", checkpoint] for name, checkpoint in names.items()}) as workers:
        for number, row in enumerate(rows[: calls + 1]):
            request = {"prompt": render_prompt(row.state, row.text), "grammar": grammar, "bias": bias}
            answers = _in_turn(workers, {**request, "max_tokens": 48 + len(row.text) // 2}, number)
            if number:
                found.append({name: answer["ms"] for name, answer in answers.items()})
        memory = {name: round(worker.resident_mb()) for name, worker in workers.items()}
    times = {f"{name} ms": spread([row[name] for row in found]) for name in names}
    ratio = spread([row["mlc"] / row["gguf"] for row in found])
    return {**times, "mlc to gguf": ratio, "resident MB": memory, "n": len(found)}


def compare_starts(names: Mapping[str, str], runs: int) -> dict[str, Any]:
    """Seconds from the start of a process to its first answer. The files are in the system's cache."""
    request = {"prompt": render_prompt("-", "where is my order"), "grammar": 'root ::= [a-z_]+ "()"', "max_tokens": 8}
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name, checkpoint in names.items():
            began = time.perf_counter()
            with Worker("backend", checkpoint) as worker:
                worker.ask(request)
                found[name].append(time.perf_counter() - began)
    return {**{f"{name} s": spread(seconds) for name, seconds in found.items()}, "n": runs}


def spread(values: Sequence[float]) -> list[float]:
    """First quartile, median, third quartile."""
    return [float(f"{quartile:.3g}") for quartile in statistics.quantiles(values, n=4)]


@contextmanager
def _running(engines: Engines) -> Iterator[dict[str, Worker]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(Worker(*engine)) for name, engine in engines.items()}


def _in_turn(workers: Mapping[str, Worker], request: Mapping[str, Any], number: int) -> dict[str, dict[str, float]]:
    """The answers of all, one after the other; every other ``number`` begins at the other end."""
    answers = {}
    for name in sorted(workers, reverse=bool(number % 2)):
        answers[name] = workers[name].ask(request)
        time.sleep(PAUSE_S)
    return answers


def _rates(rows: Sequence[Mapping[str, Mapping[str, float]]], targets: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"n": len(rows)}
    for what in ("read", "written"):
        for name in ("llama.cpp", *targets):
            found[f"{name}, {what} a second"] = spread([row[name][what] for row in rows])
        for target in targets:
            found[f"{target} to llama.cpp, {what}"] = spread(
                [row[target][what] / row["llama.cpp"][what] for row in rows]
            )
    return found
