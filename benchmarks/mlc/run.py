"""A compiled checkpoint beside the GGUF that it was made from: speed, the start, memory, compile time, as JSON.

    python -m benchmarks.mlc.run [--rounds 8] [--calls 60] [--starts 5] [--target x86-64-v3 …] [--quantization q8]

Everything is made in a home of its own; the base model is taken from this box. Speed: the runtime alone against
llama.cpp on the Q4_1 base without an adapter. Calls and starts: both backends as the product opens them, the shipped
adapter beside its base on one side, merged on the other. Each engine has a process of its own, and they are asked in
turn. Three numbers are quartiles and the median between them. ``benchmarks.mlc.acts`` says whether the acts are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.mlc.speed import compare_calls, compare_rates, compare_starts
from shopbot.backends.mlc.artefact import Artefact
from shopbot.backends.mlc.library import compiled_library
from shopbot.backends.mlc.quantization import parse_quantization
from shopbot.backends.mlc.targets import can_run, native_target, parse_target
from shopbot.checkpoint import Checkpoint, CheckpointStore
from shopbot.compiling import compile_checkpoint
from shopbot.config import Config, home
from shopbot.models import locate_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--target", action="append", dest="targets", help="Beside native; may be repeated.")
    parser.add_argument("--quantization", default="q8")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shopbot-mlc-", ignore_cleanup_errors=True) as folder:
        shipped, base = _move_in(Path(folder))
        print(json.dumps(_measure(shipped, base, given), indent=1))


def _measure(shipped: Checkpoint, base: Path, given: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    found: dict[str, Any] = {"load before": os.getloadavg()[0], "target": native_target().name}
    targets = [name for name in given.targets or ["x86-64-v3"] if can_run(parse_target(name))]
    _tell("compiling")
    compiled, found["compiling"] = _compile(shipped, given.quantization)
    vocabulary = Artefact.open(compiled.folder).config.vocab_size
    names = {"gguf": shipped.manifest.name, "mlc": compiled.manifest.name}
    bias = {name.partition("_")[0]: value for name, value in (shipped.manifest.bias or {}).items()}
    _tell("tokens a second")
    found["rates"] = compare_rates(compiled.folder, base, ["native", *targets], given.rounds, vocabulary)
    _tell("calls")
    found["calls"] = compare_calls(names, bias, given.calls)
    _tell("starts")
    found["starts"] = compare_starts(names, given.starts)
    return {**found, "load after": os.getloadavg()[0], "seconds": round(time.monotonic() - began)}


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


def _compile(shipped: Checkpoint, quantization: str) -> tuple[Checkpoint, dict[str, float]]:
    """The compiled checkpoint, and what it took."""
    began = time.perf_counter()
    manifest = compile_checkpoint(shipped.manifest.name, config=Config(), quantization=parse_quantization(quantization))
    seconds = time.perf_counter() - began
    compiled = CheckpointStore(home()).load(manifest.name)
    artefact = Artefact.open(compiled.folder)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        library = compiled_library(artefact.config, artefact.quantization, cache=Path(cache))
        alone, size = time.perf_counter() - began, library.stat().st_size
    return compiled, {
        "seconds": round(seconds, 1),
        "seconds for the library alone": round(alone, 1),
        "library kB": round(size / 1e3),
        "weights MB": round(artefact.weight_bytes / 1e6),
    }


def _tell(doing: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {doing}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
