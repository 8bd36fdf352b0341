"""Tokens a second of the compiled model and of llama.cpp, in turn, each with its own engine in this process."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shopbot.backends.gguf import default_threads, start_engine
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.interface import use_threads
from shopbot.backends.mlc.library import code_folder, compiled_library
from shopbot.backends.mlc.runtime import Runtime

PROMPTS = (31, 100, 400)
GENERATED = 32
_CONTEXT = 1024


@dataclass(frozen=True)
class Rate:
    """Tokens a second, read and written, and seconds of processors' time for all, which says something on a busy box."""

    read: float
    written: float
    processor_s: float = 0.0


class Compiled:
    """The runtime alone: no grammar, no guesses."""

    def __init__(self, folder: Path) -> None:
        artefact = Artefact.open(folder)
        library = compiled_library(artefact.config, artefact.quantization, cache=code_folder())
        use_threads(default_threads())
        self._runtime = Runtime(artefact, library, context=_CONTEXT)
        self._cache = self._runtime.new_cache()

    def __call__(self, prompt: list[int]) -> Rate:
        began = time.perf_counter()
        self._runtime.forward(self._cache, prompt, 0)
        middle = time.perf_counter()
        for place in range(GENERATED):
            logits = self._runtime.forward(self._cache, [prompt[place % len(prompt)]], len(prompt) + place)
            logits[0].argmax()
        return Rate(len(prompt) / (middle - began), GENERATED / (time.perf_counter() - middle))


class Llama:
    """llama.cpp on the base as it is shipped, without a LoRA adapter: its own timings."""

    def __init__(self, base: Path) -> None:
        self._server: Any = start_engine(base, lora=None, context=_CONTEXT, slots=1, threads=default_threads())

    def __call__(self, prompt: list[int]) -> Rate:
        request = {"prompt": prompt, "n_predict": GENERATED + 1, "temperature": 0.0, "ignore_eos": True}
        timings = self._server.handle_completions({**request, "cache_prompt": False})["timings"]
        return Rate(float(timings["prompt_per_second"]), float(timings["predicted_per_second"]))


def compare(folder: Path, base: Path, rounds: int, vocabulary: int) -> None:
    """Print what both reach, ``rounds`` times each length of prompt, random tokens, in alternation."""
    engines = {"compiled": Compiled(folder), "llama.cpp": Llama(base)}
    chance = random.Random(0)
    found: dict[int, dict[str, list[Rate]]] = {length: {name: [] for name in engines} for length in PROMPTS}
    for number in range(rounds + 1):
        for length in PROMPTS:
            prompt = [chance.randrange(100, vocabulary) for _ in range(length)]
            for name, engine in sorted(engines.items(), reverse=bool(number % 2)):
                began = time.process_time()
                rate = replace(engine(prompt), processor_s=time.process_time() - began)
                if number:  # the first round warms up
                    found[length][name].append(rate)
    for length, rates in found.items():
        for what in ("read", "written"):
            ours, theirs = ([getattr(rate, what) for rate in rates[name]] for name in ("compiled", "llama.cpp"))
            ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
            print(
                f"prompt of {length}, tokens {what} a second: compiled {_spread(ours, 0)}, llama.cpp {_spread(theirs, 0)}; "
                f"ratio {_spread(ratios, 2)}, n = {len(ratios)}"
            )
        spent = [[1e3 * rate.processor_s for rate in rates[name]] for name in ("compiled", "llama.cpp")]
        ratios = [one / other for one, other in zip(*spent, strict=True)]
        print(
            f"prompt of {length} and {GENERATED} written, ms of processors' time: compiled {_spread(spent[0], 0)}, "
            f"llama.cpp {_spread(spent[1], 0)}; ratio {_spread(ratios, 2)}, n = {len(ratios)}"
        )


def _spread(values: list[float], digits: int) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
