"""A compiled checkpoint beside the GGUF that it was made from: speed, the same acts, the start, memory, compile time.

    python -m benchmarks.mlc.run [--rounds 12] [--calls 400] [--golden] [--quantization q8]

Everything is made in a home of its own; the base model is taken from this box. Speed: the runtime alone against
llama.cpp on the Q4_1 base without an adapter, in alternation. Calls and acts: both backends, the shipped adapter beside its
base on one side, merged on the other, on the messages of the golden cases. ``--golden`` plays the golden cases on both.
Brackets are quartiles.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.mlc.speed import compare as compare_speed
from benchmarks.setup import plugins
from shopbot.backends import BackendSettings, ModelBackend
from shopbot.backends.gguf import GgufBackend, default_threads
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.backend import MLCBackend
from shopbot.backends.mlc.library import code_folder, compiled_library
from shopbot.backends.mlc.quantization import parse_quantization
from shopbot.baking import compare as compare_golden
from shopbot.checkpoint import Checkpoint, CheckpointStore
from shopbot.compiling import compile_checkpoint
from shopbot.config import Config, home
from shopbot.grammar import build, parse
from shopbot.models import locate_model
from shopbot.understand import render_prompt, segments

_START = """
import os, sys, time
began = time.perf_counter()
from shopbot.config import Config
from shopbot.minds import open_backend
from shopbot.plugins import PluginManager
_, backend = open_backend(Config().with_checkpoint(sys.argv[1]), PluginManager.installed({}, only=()))
backend.complete("<|im_start|>shop acts\\n[-] where is my order<|im_end|>", grammar='root ::= [a-z_]+ "()"', max_tokens=8)
seconds = time.perf_counter() - began
for line in open("/proc/self/status"):
    if line.startswith("VmRSS"):
        print(f"{seconds:.2f} {int(line.split()[1]) / 1024:.0f}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("--quantization", default="q8")
    arguments = parser.parse_args()
    print(f"load when this began: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="shopbot-mlc-", ignore_cleanup_errors=True) as folder:
        shipped, base = _move_in(Path(folder))
        compiled = _compile(shipped, arguments.quantization)
        artefact = Artefact.open(compiled.folder)
        compare_speed(compiled.folder, base, arguments.rounds, artefact.config.vocab_size)
        _compare_acts(shipped, base, compiled, arguments.calls)
        _compare_starts(shipped, compiled)
        if arguments.golden:
            names = shipped.manifest.name, compiled.manifest.name
            found = compare_golden(*names, plugins().cases(), Config(), plugins())
            print(f"golden cases: {found.as_json()}")


def _move_in(folder: Path) -> tuple[Checkpoint, Path]:
    """Make ``folder`` the home, with this box's base model: the shipped checkpoint and its base."""
    store = CheckpointStore(home())
    shipped = next(one for manifest in store.list() if (one := store.load(manifest.name)).is_shipped)
    base = locate_model(shipped.base_source(), sha256=shipped.manifest.base.sha256)
    (folder / "models").mkdir()
    for file in base.parent.glob(f"{base.name}*"):
        (folder / "models" / file.name).symlink_to(file.absolute())
    os.environ["SHOPBOT_HOME"] = str(folder)
    return shipped, folder / "models" / base.name


def _compile(shipped: Checkpoint, quantization: str) -> Checkpoint:
    began = time.perf_counter()
    manifest = compile_checkpoint(shipped.manifest.name, config=Config(), quantization=parse_quantization(quantization))
    seconds = time.perf_counter() - began
    compiled = CheckpointStore(home()).load(manifest.name)
    artefact = Artefact.open(compiled.folder)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        library = compiled_library(artefact.config, artefact.quantization, cache=Path(cache))
        alone, size = time.perf_counter() - began, library.stat().st_size
    print(
        f"compiled in {seconds:.1f} s, of which the library takes {alone:.1f} s ({size / 1e3:.0f} kB); "
        f"weights {artefact.weight_bytes / 1e6:.0f} MB; kept in {code_folder().name}"
    )
    return compiled


def _compare_acts(shipped: Checkpoint, base: Path, compiled: Checkpoint, calls: int) -> None:
    tools = plugins().tools().values()
    grammar, bias = build(tools), {name.partition("_")[0]: value for name, value in shipped.manifest.bias.items()}
    messages = dict.fromkeys(
        part for _, case in plugins().cases() for turn in case.turns for part in segments(turn.say)
    )
    settings = {"threads": default_threads(), "slots": 1, "context": 1024}
    engines: dict[str, ModelBackend] = {
        "gguf": GgufBackend(BackendSettings(base, shipped.lora_path, **settings)),
        "mlc": MLCBackend(BackendSettings(compiled.folder, **settings)),
    }
    times: dict[str, list[float]] = {name: [] for name in engines}
    same_texts = same_acts = acts = 0
    for number, message in enumerate(list(messages)[:calls]):
        texts = {}
        for name, engine in sorted(engines.items(), reverse=bool(number % 2)):
            began = time.perf_counter()
            prompt = render_prompt("-", message)
            texts[name] = engine.complete(prompt, grammar=grammar, max_tokens=48 + len(message) // 2, bias=bias).text
            times[name].append(1e3 * (time.perf_counter() - began))
        same_texts += texts["gguf"] == texts["mlc"]
        one, other = ([(act.name, dict(act.arguments)) for act in parse(texts[name])] for name in engines)
        acts += max(len(one), len(other))
        same_acts += sum(act in other for act in one)
    for engine in engines.values():
        engine.close()
    ratios = [mlc / gguf for mlc, gguf in zip(times["mlc"], times["gguf"], strict=True)]
    shown = {name: [round(quartile) for quartile in statistics.quantiles(spent, n=4)] for name, spent in times.items()}
    quartiles = [round(quartile, 3) for quartile in statistics.quantiles(ratios, n=4)]
    print(f"calls in ms, quartiles: {shown}; ratio mlc to gguf {quartiles}, n = {len(ratios)}")
    print(f"the same text in {same_texts} of {len(ratios)} messages, the same act {same_acts} times of {acts}")


def _compare_starts(shipped: Checkpoint, compiled: Checkpoint, runs: int = 5) -> None:
    found: dict[str, list[tuple[float, float]]] = {shipped.manifest.name: [], compiled.manifest.name: []}
    for _ in range(runs):
        for name, values in found.items():
            done = subprocess.run([sys.executable, "-c", _START, name], capture_output=True, text=True, check=True)
            seconds, megabytes = done.stdout.split()
            values.append((float(seconds), float(megabytes)))
    for name, values in found.items():
        seconds, megabytes = (sorted(column) for column in zip(*values, strict=True))
        middle = len(values) // 2
        print(
            f"{name}: start to first answer {seconds[middle]:.2f} s [{seconds[0]:.2f}, {seconds[-1]:.2f}], "
            f"{megabytes[middle]:.0f} MB resident, n = {len(values)}"
        )


if __name__ == "__main__":
    main()
