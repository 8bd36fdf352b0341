"""Kill -9 in the middle of a refine run, again and again: the same training set at the end, and nothing paid twice.

    python -m benchmarks.refine_crash.run [--kills 20] [--turns 200] [--seed 0] [--json]

A real ``shopbot refine run --until export`` process with the live teacher (a loopback server that answers like one) is
killed at a random moment and gone on with by ``resume`` until it ends, and then another run, until so many kills have
hit. The training set's fingerprint must always be that of a run that nobody disturbed. Counted are the questions that the teacher answered more
than once: an answer that was under way when the process died may be among them, one that had arrived may not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from shopbot_refine.seed import load_seed
from shopbot_refine.stages import STAGES, read_report
from shopbot_refine.testing import TeacherServer

_CONFIG = """
[plugins.refine]
base_url = "{base_url}"
model = "loopback"
api_key_env = "TEACHER_KEY"
teacher = "live"
concurrency = 2
write = 80
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    hit: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log.jsonl"
        _write_log(log, arguments.turns, arguments.seed)
        with TeacherServer(_reply) as server:
            calm = Box(Path(name) / "calm", log, server.base_url)
            began = time.monotonic()
            calm.start().wait()
            whole_s = time.monotonic() - began
            asked = len(server.answered)
        with TeacherServer(_reply) as server:
            fingerprints, under_way, repeated = [], 0, 0
            while hit.total() < arguments.kills:
                box = Box(Path(name) / f"killed-{len(fingerprints)}", log, server.base_url)
                server.answered.clear()
                while not _ends(box.start(), within_s=rng.uniform(0.1, 1.0) * whole_s):
                    hit[box.stage] += 1
                    under_way += 2 if box.stage == "teach" else 0
                fingerprints.append(box.fingerprint)
                repeated += sum(times - 1 for times in server.answered.values())
            result = {
                "kills": hit.total(),
                "runs": len(fingerprints),
                "stage under way at the kill": dict(hit),
                "same fingerprint": set(fingerprints) == {calm.fingerprint},
                "questions in a run": asked,
                "answered again": repeated,
                "at most under way": under_way,
            }
    print(json.dumps(result) if arguments.json else "\n".join(f"{key}: {value}" for key, value in result.items()))


class Box:
    """A home folder with a refine run in it."""

    def __init__(self, home: Path, log: Path, base_url: str) -> None:
        home.mkdir()
        self._home, self._log = home, log
        self._config = home / "shopbot.toml"
        self._config.write_text(_CONFIG.format(base_url=base_url), encoding="utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        """The run, or what is left of it."""
        command = [str(Path(sys.executable).with_name("shopbot")), "--config", str(self._config), "refine"]
        command += ["resume"] if self.run else ["run", "--log", str(self._log), "--no-transcripts"]
        environment = {**os.environ, "SHOPBOT_HOME": str(self._home), "TEACHER_KEY": "none"}
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([*command, "--until", "export"], env=environment, **quiet)

    @property
    def run(self) -> Path | None:
        return next((path.parent for path in self._home.glob("refine/runs/*/run.json")), None)

    @property
    def stage(self) -> str:
        """The first stage that is not done."""
        run = self.run
        return next((stage for stage in STAGES if read_report(run, stage) is None), "end") if run else "start"

    @property
    def fingerprint(self) -> str:
        report = read_report(self.run, "export") if self.run else None
        assert report is not None, "the run did not end"
        return report.fingerprint


def _ends(process: subprocess.Popen[bytes], *, within_s: float) -> bool:
    """Whether the process ends in time; else it is killed."""
    try:
        process.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def _write_log(path: Path, turns: int, seed: int) -> None:
    examples = random.Random(seed).sample(load_seed(1, seed), turns)
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            row = {"state": example.state, "text": example.text, "acts": list(example.acts)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _reply(messages: list[dict[str, Any]], schema: dict[str, Any] | None) -> str:
    """A teacher that takes its time, keeps every row and writes nothing."""
    question = json.loads(messages[-1]["content"])
    time.sleep(0.05)
    if question["task"] == "write":
        return json.dumps({"utterances": []})
    return json.dumps({"verdict": "keep", "acts": question["logged"], "why": "right", "utterances": []})


if __name__ == "__main__":
    main()
