"""What a box pays to have the bot at all: seconds from the command to ready and to the first answer, memory, and disk.

    python -m benchmarks.start.run [--starts 5] [--json]

``shopbot serve`` is started in a home of its own that has been used before (its store is there, the model is checked),
so this is the start after a reboot or an update. Memory is resident memory, when it is ready and after 20 turns. Disk is
what the base install brings: the files of shopbot, of its plugins (5 MB, not counted where they are installed editable)
and of every package that they require, without extras.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median

import httpx
from packaging.requirements import Requirement

from benchmarks.serving import serving
from benchmarks.setup import FIRST_PARTY, MESSAGES

_TURNS = 20


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the command to ``Ready`` and to the first answer; resident memory in MB."""

    ready_s: float
    answer_s: float
    ready_mb: float
    used_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        _start(Path(folder), turns=1)  # makes the store
        starts = [_start(Path(folder), turns=_TURNS) for _ in range(arguments.starts)]
    found = {
        "starts": len(starts),
        "command to ready, s": _spread([one.ready_s for one in starts]),
        "command to first answer, s": _spread([one.answer_s for one in starts]),
        "resident when ready, MB": _spread([one.ready_mb for one in starts]),
        f"resident after {_TURNS} turns, MB": _spread([one.used_mb for one in starts]),
        "base install on disk, MB": round(installed_mb(["shopbot", *(f"shopbot-{name}" for name in FIRST_PARTY)])),
    }
    print(json.dumps(found) if arguments.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


def _start(box: Path, *, turns: int) -> Start:
    began = time.perf_counter()
    with serving(box) as (url, process), httpx.Client(base_url=url, timeout=60) as http:
        ready_s, ready_mb = time.perf_counter() - began, process.memory_info().rss / 1e6
        answer_s = 0.0
        for number in range(turns):
            _ask(http, MESSAGES[number % len(MESSAGES)])
            answer_s = answer_s or time.perf_counter() - began
        used_mb = process.memory_info().rss / 1e6
    return Start(ready_s, answer_s, ready_mb, used_mb)


def _ask(http: httpx.Client, text: str) -> None:
    session = http.post("/v1/sessions").raise_for_status().json()
    headers = {"Authorization": f"Bearer {session['session_token']}"}
    http.post(f"/v1/sessions/{session['session_id']}/messages", json={"text": text}, headers=headers).raise_for_status()


def installed_mb(names: list[str]) -> float:
    """What these distributions and all that they require take on disk, in MB; extras are not counted."""
    left, seen, size = list(names), set[str](), 0
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        distribution = metadata.distribution(name)
        size += sum(_size(Path(str(file.locate()))) for file in distribution.files or ())
        wanted = (Requirement(text) for text in distribution.requires or ())
        left += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return size / 1e6


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _spread(values: list[float]) -> str:
    return f"median {median(values):.2f}, {min(values):.2f} to {max(values):.2f}"


if __name__ == "__main__":
    main()
