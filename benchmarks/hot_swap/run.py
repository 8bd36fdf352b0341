"""Swaps of the checkpoint in a running ``shopbot serve`` while customers talk to it: no request may fail, no memory leak.

    python -m benchmarks.hot_swap.run [--swaps 50] [--clients 4] [--json]

A service is started in a home of its own with the real model. Clients send messages without a pause. Meanwhile two
checkpoints (the shipped one and a copy of it) are promoted in turn, each as soon as the service says that it serves the
one before. Reported: requests and failures, seconds from promotion to the first answer of ``/healthz`` with the new
name, and the resident memory after the first ten swaps and after the last ten (mean of readings after each swap).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median
from typing import Any

import httpx

from benchmarks.serving import serving
from shopbot.checkpoint import MANIFEST, SHIPPED, CheckpointStore

_MESSAGES = (
    "where is my order?",
    "I want to send the lamp back",
    "what is your return policy",
    "cancel my order",
    "never mind",
    "do you ship to Norway?",
)
_SWAP_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        box = Path(folder)
        names = _two_checkpoints(box)
        found = _swap(box, names, arguments.swaps, arguments.clients)
    print(json.dumps(found) if arguments.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


def _two_checkpoints(box: Path) -> tuple[str, str]:
    """The shipped checkpoint, and a copy of it under another name."""
    store = CheckpointStore(box)
    shipped = store.current().manifest
    with store.draft() as draft:
        for path in (SHIPPED / shipped.name).iterdir():
            (draft / path.name).write_bytes(path.read_bytes())
        manifest = json.loads((draft / MANIFEST).read_text(encoding="utf-8"))
        manifest.update(name="copy", parent=shipped.name)
        (draft / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return "copy", shipped.name


def _swap(box: Path, names: tuple[str, str], swaps: int, clients: int) -> dict[str, Any]:
    with serving(box) as (url, memory):
        is_over = threading.Event()
        seconds: list[float] = []
        resident: list[float] = []
        try:
            with ThreadPoolExecutor(clients) as pool, httpx.Client(base_url=url, timeout=30) as http:
                talking = [pool.submit(_talk, url, is_over) for _ in range(clients)]
                for number in range(swaps):
                    began = time.monotonic()
                    CheckpointStore(box).promote(names[number % 2])
                    while http.get("/healthz").json()["checkpoint"] != names[number % 2]:
                        if time.monotonic() - began > _SWAP_S:
                            raise SystemExit(f"swap {number} did not come into force")
                        is_over.wait(0.05)
                    seconds.append(time.monotonic() - began)
                    resident.append(memory.memory_info().rss / 1e6)
                is_over.set()
                answers = sum((future.result() for future in talking), Counter[str]())
        finally:
            is_over.set()
    return {
        "swaps": swaps,
        "clients": clients,
        "requests": answers.total(),
        "not answered": {status: count for status, count in answers.items() if status != "200"},
        "a swap, s": f"median {median(seconds):.1f}, longest {max(seconds):.1f}",
        "resident after the first ten swaps, MB": round(mean(resident[:10])),
        "resident after the last ten swaps, MB": round(mean(resident[-10:])),
        "resident at most, MB": round(max(resident)),
    }


def _talk(url: str, is_over: threading.Event) -> Counter[str]:
    """Sessions of six messages, one after the other; how often each status came."""
    counts: Counter[str] = Counter()
    with httpx.Client(base_url=url, timeout=60) as http:
        while not is_over.is_set():
            started = http.post("/v1/sessions")
            counts[str(started.status_code)] += 1
            session = started.json()
            key = {"Authorization": f"Bearer {session['session_token']}"}
            for text in _MESSAGES:
                try:
                    path = f"/v1/sessions/{session['session_id']}/messages"
                    counts[str(http.post(path, json={"text": text}, headers=key).status_code)] += 1
                except httpx.HTTPError as error:
                    counts[type(error).__name__] += 1
                if is_over.is_set():
                    break
    return counts


if __name__ == "__main__":
    main()
