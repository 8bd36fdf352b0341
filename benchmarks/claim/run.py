"""What quality of data buys in size: untuned, trained on the raw logs, on the refined ones, on the truth.

    python -m benchmarks.claim.run [--sets FOLDER] [--rows 4000] [--replay 2000] [--seeds 1] [--golden-seeds 1] [--data untuned raw refined true]
                                   [--kinds 135M half linear] [--parts routing calls golden] [--trainers 1] [--judges 1]
                                   [--output claim.json] [--plot claim.svg]

Three models: the 135M base with a LoRA adapter, a student with half its blocks that begins as that model, and a linear
classifier (with the first number as argument). Three questions: routing (third-party rows), calls with swapped arguments,
the golden cases' end state. The sets are made first (``benchmarks.claim.sets``) unless FOLDER holds them. On a machine
with a GPU training uses it; ``--trainers`` and ``--judges`` are how many processes may do each at once.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.claim import arms, table

DATA, KINDS, PARTS = ("untuned", "raw", "refined", "true"), ("135M", "half", "linear"), ("routing", "calls", "golden")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--replay", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--golden-seeds", type=int, default=1, help="of so many seeds the golden cases are played")
    parser.add_argument("--trainers", type=int, default=1)
    parser.add_argument("--judges", type=int, default=1)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        if arguments.sets is None:
            arguments.sets = Path(work) / "sets"
            subprocess.run([sys.executable, "-m", "benchmarks.claim.sets", str(arguments.sets)], check=True)
        found = _run(arguments, Path(work))
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table.text(found))
    if arguments.plot:
        table.plot(found, arguments.plot)


def _run(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Train, and judge each model as soon as it is there."""
    context = multiprocessing.get_context("spawn")
    folder: Path = arguments.sets
    sets = {
        data: arms.training_set(folder, data, rows=arguments.rows, replay=arguments.replay)
        for data in arguments.data
        if data != "untuned"
    }
    scores: list[dict[str, Any]] = []
    models: list[dict[str, Any]] = []
    with (
        ProcessPoolExecutor(arguments.trainers, mp_context=context, max_tasks_per_child=1) as trainers,
        ProcessPoolExecutor(arguments.judges, mp_context=context, max_tasks_per_child=1) as judges,
    ):
        waiting: set[Future[Any]] = set()

        def ask(one: arms.Trained) -> None:
            models.append(asdict(one))
            examples = sets[one.data] if one.kind == "linear" else ()
            parts = [part for part in arguments.parts if part != "golden" or one.seed < arguments.golden_seeds]
            waiting.update(judges.submit(arms.judge, part, one, folder, examples) for part in parts)

        if "untuned" in arguments.data and "135M" in arguments.kinds:
            ask(arms.untrained_whole())
        if "untuned" in arguments.data and "half" in arguments.kinds:
            waiting.add(trainers.submit(arms.untrained_half, work / "half-untuned"))
        for seed in range(arguments.seeds):
            for data in sets:
                if "linear" in arguments.kinds and not seed:
                    ask(arms.Trained("linear", data, seed))
                if {"135M", "half"} & set(arguments.kinds):
                    waiting.add(trainers.submit(arms.train_lora, sets[data], data, seed, work / f"{data}-{seed}"))
        while waiting:
            done, rest = wait(waiting, return_when=FIRST_COMPLETED)
            waiting.clear()
            waiting.update(rest)
            for future in done:
                result = future.result()
                if isinstance(result, dict):
                    scores.append(result)
                    print(json.dumps(result), file=sys.stderr, flush=True)
                    continue
                print(json.dumps(asdict(result)), file=sys.stderr, flush=True)
                if result.kind in arguments.kinds:
                    ask(result)
                if result.kind == "135M" and "half" in arguments.kinds:
                    output = work / f"half-{result.data}-{result.seed}"
                    waiting.add(trainers.submit(arms.train_half, sets[result.data], result, output))
    return {
        "rows": {data: len(examples) for data, examples in sets.items()},
        "replay": arguments.replay,
        "models": models,
        "scores": scores,
    }


if __name__ == "__main__":
    main()
