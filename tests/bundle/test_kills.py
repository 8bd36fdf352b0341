"""``kill -9`` before each step that an installation makes durable: the old bundle is in force, or the whole new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shopbot.bundle.shelf import Shelf
from shopbot.checkpoint import CheckpointStore

#: Installs argv[1], and dies by SIGKILL before its argv[2]th rename, replacement or sync of a file.
DYING = """
import os, signal, sys
from pathlib import Path
from shopbot.bundle import installing

left = int(sys.argv[2])

def dying(call):
    def count(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return count

os.rename, os.replace, os.fsync = dying(os.rename), dying(os.replace), dying(os.fsync)
installing.install(Path(sys.argv[1]))
"""
MAX_STEPS = 100


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX systems")
def test_a_kill_at_every_step_leaves_a_whole_bundle_in_force(fleet: Any) -> None:
    fleet.install(fleet.bundle("1", hours="From 9 to 18, as before."))
    two = fleet.bundle("2", hours="From 9 to 18, from now on.")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(fleet.folder / "site"), *sys.path])}
    found = []
    for step in range(1, MAX_STEPS):
        done = subprocess.run(
            [sys.executable, "-c", DYING, str(two), str(step)], env=environment, capture_output=True, check=False
        )
        shelf, current = Shelf(fleet.home), fleet.current
        assert current is not None and shelf.is_whole(current.id), f"after step {step}"
        assert CheckpointStore(fleet.home).current().manifest.name == current.id
        found.append(current.id)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        if current.id == "acme-2":
            assert fleet.hours() == "From 9 to 18, from now on."
            shelf.rollback()
    assert step > 10, "an installation has more steps than that"
    assert "acme-1" in found[:-1] and found[-1] == "acme-2"
    assert not [path for path in Path(fleet.home).rglob(".draft-*") if path.is_dir()]
    assert fleet.hours() == "From 9 to 18, from now on."
