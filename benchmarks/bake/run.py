"""What baking costs and brings: seconds, size and memory of the merge; a call's time with the LoRA adapter beside its
base and baked; the golden cases on both.

    python -m benchmarks.bake.run [--calls 60] [--no-golden]

Everything happens in a home of its own; the base model is taken from this box. The calls alternate between two engines
in this process, the tools' example messages in the same order, each engine with its own prompt cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.setup import plugins
from shopbot.backends import BackendSettings
from shopbot.backends.gguf import GgufBackend, default_threads
from shopbot.baking import bake
from shopbot.checkpoint import CheckpointStore
from shopbot.config import Config, home
from shopbot.grammar import build
from shopbot.models import locate_model
from shopbot.understand import plain_example, render_prompt

_MERGE = "import sys, pathlib; from shopbot.weights import merge_lora; merge_lora(*map(pathlib.Path, sys.argv[1:4]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--no-golden", action="store_true")
    arguments = parser.parse_args()
    store = CheckpointStore(home())
    checkpoint = next(one for manifest in store.list() if (one := store.load(manifest.name)).is_shipped)
    base = locate_model(checkpoint.base_source(), sha256=checkpoint.manifest.base.sha256)
    lora = checkpoint.lora_path
    assert lora is not None
    with tempfile.TemporaryDirectory(prefix="shopbot-bake-", ignore_cleanup_errors=True) as folder:
        merged = Path(folder) / "merged.gguf"
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _MERGE, str(base), str(lora), str(merged)], check=True)
        seconds = time.perf_counter() - began
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"merged in {seconds:.1f} s, {merged.stat().st_size / 1e6:.1f} MB, peak memory {peak_mb:.0f} MB")
        _time_calls(base, lora, merged, arguments.calls)
        if not arguments.no_golden:
            _play_golden(base, Path(folder) / "home")


def _time_calls(base: Path, lora: Path, merged: Path, calls: int) -> None:
    tools = plugins().tools().values()
    grammar = build(tools)
    prompts = [render_prompt("-", plain_example(example)) for tool in tools for example in tool.examples[:2]]
    settings = {"threads": default_threads(), "slots": 1, "context": 1024}
    engines = {
        "adapter": GgufBackend(BackendSettings(base, lora, **settings)),
        "baked": GgufBackend(BackendSettings(merged, None, **settings)),
    }
    times: dict[str, list[float]] = {name: [] for name in engines}
    parts: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    same = 0
    for engine in engines.values():
        engine.complete(prompts[0], grammar=grammar)
    for number in range(calls):
        texts = set()
        for name, engine in sorted(engines.items(), reverse=bool(number % 2)):
            began = time.perf_counter()
            answer = engine.complete(prompts[number % len(prompts)], grammar=grammar)
            times[name].append(1e3 * (time.perf_counter() - began))
            parts[name].append((answer.prompt_ms, answer.generate_ms))
            texts.add(answer.text)
        same += len(texts) == 1
    for name, spent in times.items():
        reading, writing = (statistics.median(part[place] for part in parts[name]) for place in (0, 1))
        print(
            f"{name}: median {statistics.median(spent):.0f} ms, p95 {_p95(spent):.0f} ms (reading {reading:.0f}, "
            f"writing {writing:.0f}), n = {len(spent)}"
        )
        engines[name].close()
    ratios = [baked / adapter for baked, adapter in zip(times["baked"], times["adapter"], strict=True)]
    print(
        f"baked against adapter: median {statistics.median(ratios):.3f}, of the sums "
        f"{sum(times['baked']) / sum(times['adapter']):.3f}; the same acts in {same} of {calls} calls"
    )


def _play_golden(base: Path, folder: Path) -> None:
    """Bake in a home of its own, as the command does, judged by the golden cases of the first-party plugins."""
    (folder / "models").mkdir(parents=True)
    for file in base.parent.glob(f"{base.name}*"):
        (folder / "models" / file.name).symlink_to(file)
    os.environ["SHOPBOT_HOME"] = str(folder)
    began = time.perf_counter()
    baked = bake(config=Config(), plugins=plugins())
    print(f"{baked.name}: {baked.gate.report} Baked and judged in {time.perf_counter() - began:.0f} s")


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


if __name__ == "__main__":
    main()
