"""A real ``shopbot serve`` for benchmarks, in a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from shopbot.config import home


@contextmanager
def serving(box: Path, **settings: object) -> Iterator[tuple[str, psutil.Process]]:
    """A service on loopback whose home is the folder ``box``, with this box's models and checkpoints and no limit of
    messages: its address and its process. ``settings`` are those of the environment without its prefix (``MODEL__SLOTS``)."""
    for name in ("models", "checkpoints"):
        if (home() / name).exists() and not (box / name).exists():
            (box / name).symlink_to(home() / name)
    unlimited = {"SERVER__MESSAGES_PER_MINUTE": 1_000_000, "SERVER__REQUESTS_PER_MINUTE": 1_000_000}
    told = {f"SHOPBOT_{key}": str(value) for key, value in {**unlimited, **settings}.items()}
    command = [str(Path(sys.executable).with_name("shopbot")), "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "SHOPBOT_HOME": str(box), **told},
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("Ready: "):
                raise SystemExit("The service did not start; 'shopbot serve' says why.")
            yield line.split()[1], psutil.Process(process.pid)
        finally:
            process.terminate()
