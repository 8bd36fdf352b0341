"""How fast and how large ``shopbot refine`` is on a long log, stage by stage.

    python -m benchmarks.refine_scale.run [--rows 20000] [--engine local|ray] [--stages collect,redact,…] [--seed 0] [--json]

The log is made up (:mod:`benchmarks.refine_scale.logs`), the teacher is the recorded one, which knows none of its rows.
Each stage is a process of its own, as ``shopbot refine STAGE`` starts it. Memory is the largest sum, looked at once a
second, of what the process and its children hold, a page that several share counted once (PSS). CPU seconds are those
of all of them: on a busy machine they, not the seconds, tell what the work costs. For a million rows leave out what is
not asked for: ``--stages collect,redact,clean``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from shopbot_refine.stages import STAGES, read_report

from benchmarks.refine_scale.logs import write_log

_STAGES = STAGES[: STAGES.index("train")]
_LOOK_S = 1.0


@dataclass(frozen=True)
class Measured:
    """One stage, with the start of its process. ``peak_mb``: of 2**20 bytes."""

    stage: str
    rows: int
    seconds: float
    cpu_s: float
    peak_mb: float
    kept: int
    fingerprint: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--stages", default=",".join(_STAGES), help="the first ones, with commas between them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refine-scale-") as name:
        log = Path(name) / "log.jsonl"
        write_log(log, arguments.rows, arguments.seed)
        rows = arguments.rows
        for stage in arguments.stages.split(","):
            measured = measure(stage, rows, log, Path(name), arguments.engine)
            print(json.dumps(asdict(measured)) if arguments.json else _line(measured), flush=True)
            rows = measured.kept


def measure(stage: str, rows: int, log: Path, home: Path, engine: str) -> Measured:
    """Run one stage of the one run below ``home``, which the first stage starts."""
    command = [str(Path(sys.executable).with_name("shopbot")), "refine", stage]
    if stage == _STAGES[0]:
        command[-1:] = ["run", "--log", str(log), "--no-transcripts", "--engine", engine, "--until", stage]
    began, peak = time.monotonic(), 0
    cpu: dict[int, float] = {}
    environment = {**os.environ, "SHOPBOT_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            family = _family(process.pid)
            peak = max(peak, sum(map(_pss, family)))
            cpu.update({one.pid: max(_cpu(one), cpu.get(one.pid, 0.0)) for one in family})
            time.sleep(_LOOK_S)
    report = read_report(next(home.glob("refine/runs/*/run.json")).parent, stage)
    if process.returncode or report is None:
        sys.exit(f"the stage {stage} failed")
    seconds = time.monotonic() - began
    spent = round(sum(cpu.values()), 1)
    return Measured(stage, rows, round(seconds, 1), spent, round(peak / 2**20), report.kept, report.fingerprint)


def _family(pid: int) -> list[psutil.Process]:
    """A process and its children, those that have not just ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def _pss(process: psutil.Process) -> int:
    """What a process holds, in bytes."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _cpu(process: psutil.Process) -> float:
    """What a process has worked, in seconds."""
    try:
        times = process.cpu_times()
        return float(times.user + times.system)
    except psutil.Error:
        return 0.0


def _line(one: Measured) -> str:
    return (
        f"{one.stage:8} {one.rows:9,} rows in {one.seconds:8.1f} s, {one.cpu_s:8.1f} of the CPU, "
        f"{one.peak_mb:6.0f} MB, {one.kept:9,} kept, {one.fingerprint[:16]}"
    )


if __name__ == "__main__":
    main()
