"""What a turn costs beside bare llama.cpp doing the same prompt and the same number of generated tokens.

    python -m benchmarks.latency.run [--turns 60] [--lora FILE] [--neighbours 0]

Both run on the same model, LoRA adapter and threads, turn by turn in alternation, each with its own engine and prompt cache.
The bare engine is in a process of its own: OpenMP's threads wait otherwise, and longer, once a process has more of them than
there are cores. The bare engine gets the very prompt of the turn, no grammar and no log-probabilities, and
generates as many tokens. Also: start to first answer, and resident memory. Run it with nothing else on the machine, or with
``--neighbours``: so many processes that want a core all the time, to see that the bot gets slower and is never stuck.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.setup import MESSAGES, bare_request, open_model, plugins, trained_files
from shopbot.backends import Completion, ModelBackend
from shopbot.bot import Bot
from shopbot.config import Config, TranscriptsSection
from shopbot.evals import CASE_DAY, demo_stores

#: The bare engine, in its process.
_engines: list[Any] = []


class Recording:
    """A backend that notes the last prompt and completion."""

    name = "recording"

    def __init__(self, inner: ModelBackend) -> None:
        self._inner = inner
        self.last: tuple[str, Completion] | None = None

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        completion = self._inner.complete(prompt, grammar=grammar, max_tokens=max_tokens, bias=bias)
        self.last = prompt, completion
        return completion

    def close(self) -> None:
        self._inner.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--lora", type=Path)
    parser.add_argument("--neighbours", type=int, default=0)
    arguments = parser.parse_args()
    with busy_neighbours(arguments.neighbours):
        _measure(arguments)


@contextmanager
def busy_neighbours(count: int) -> Iterator[None]:
    """So many processes that compute all the time."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def _measure(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    backend, manifest = open_model(arguments.lora)
    recording = Recording(backend)
    turns: list[float] = []
    bare_turns: list[float] = []
    tokens: list[tuple[int, int]] = []
    stages: dict[str, list[float]] = {}
    with demo_stores() as make_store, ExitStack() as stack:
        config = Config(transcripts=TranscriptsSection(enabled=False))
        bot = Bot(
            config=config,
            store=make_store(),
            plugins=plugins(),
            backend=recording,
            manifest=manifest,
            today=lambda: CASE_DAY,
        )
        first = _turn(bot, MESSAGES[0], {})
        start_s = time.perf_counter() - started
        bare = stack.enter_context(
            ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start_bare, initargs=(arguments.lora,))
        )
        for number in range(arguments.turns):
            turn_ms = _turn(bot, MESSAGES[number % len(MESSAGES)], stages)
            assert recording.last is not None
            prompt, completion = recording.last
            bare_turns.append(bare.submit(_bare_ms, prompt, max(1, len(completion.tokens))).result())
            turns.append(turn_ms)
            tokens.append((completion.prompt_tokens - completion.cached_tokens, len(completion.tokens)))
        bot.close()
    ratios = [turn / bare_turn for turn, bare_turn in zip(turns, bare_turns, strict=True)]
    print(f"n = {len(turns)} turns; first answer {first:.0f} ms; start to first answer {start_s:.2f} s")
    print(f"turn:  median {statistics.median(turns):.0f} ms, p95 {_p95(turns):.0f} ms, longest {max(turns):.0f} ms")
    print(f"bare:  median {statistics.median(bare_turns):.0f} ms, p95 {_p95(bare_turns):.0f} ms")
    print(
        f"ratio: median {statistics.median(ratios):.3f}, of sums {sum(turns) / sum(bare_turns):.3f}, p95 {_p95(ratios):.3f}"
    )
    print(
        f"tokens a turn: {statistics.mean(t for t, _ in tokens):.1f} read, {statistics.mean(t for _, t in tokens):.1f} written"
    )
    print("stages, median ms:", {name: round(statistics.median(values), 1) for name, values in stages.items()})
    print(f"resident memory: {_resident_mb():.0f} MB (one engine)")


def _turn(bot: Bot, message: str, stages: dict[str, list[float]]) -> float:
    """Milliseconds of one turn of a fresh session of Ada's; saving and identifying are not counted."""
    session = bot.session()
    ada = bot.store.customer_by_email("ada@example.com")
    assert ada is not None
    bot.identify(session.id, ada.id)
    began = time.perf_counter()
    reply = session.ask(message)
    taken = 1e3 * (time.perf_counter() - began)
    for stage, ms in reply.timings_ms.items():
        stages.setdefault(stage, []).append(ms)
    return taken


def _start_bare(lora: Path | None) -> None:
    """Open the bare engine in this process."""
    from shopbot.backends.gguf import default_threads, start_engine

    base, shipped = trained_files()
    _engines.append(start_engine(base, lora=lora or shipped, context=2048, slots=1, threads=default_threads()))


def _bare_ms(prompt: str, tokens: int) -> float:
    """Milliseconds that the bare engine takes for a prompt and so many tokens."""
    began = time.perf_counter()
    _engines[0].handle_completions(bare_request(prompt, tokens))
    return 1e3 * (time.perf_counter() - began)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
