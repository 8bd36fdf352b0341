"""Try a model file in a process of its own, so that one that kills the engine kills nobody else.

A header can be in order and the file still end the process: a number that the engine asserts on, weights that are no
numbers. A file whose hash is known needs no probe; any other is probed once. Both are remembered in
``<home>/models/.checked`` by the file's size and time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from shopbot.config import home
from shopbot.errors import ModelCorruptError, ModelError, ShopbotError
from shopbot.files import write_atomic

PROBE_TIMEOUT_S = 600.0
_CONTEXT = 256
_KILLED = -9
_RECORD_LIMIT_BYTES = 1 << 12


def checked_hash(path: Path) -> str | None:
    """The SHA-256 this very file was checked against, "" where it was probed; None where neither, or it changed."""
    try:
        with _record_path(path).open("rb") as file:
            record = json.loads(file.read(_RECORD_LIMIT_BYTES))
        stat = path.stat()
        is_same = (record["size"], record["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
        return str(record["sha256"]) if is_same else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def mark_checked(path: Path, sha256: str = "") -> None:
    """Remember that a file is good. Where nothing can be written, it is checked again next time."""
    with contextlib.suppress(OSError):
        stat = path.stat()
        record = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}
        write_atomic(_record_path(path), json.dumps(record).encode())


def _record_path(path: Path) -> Path:
    key = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return home() / "models" / ".checked" / f"{key}.json"


def probe(model: Path) -> None:
    """Load ``model`` in another process, with every weight checked, and generate a few tokens.

    Raises :class:`ModelCorruptError` if that process does not survive it.
    """
    if not sys.executable:  # an embedding program that is no Python: the header's checks have to do
        return
    package_root = str(Path(__file__).parents[2])
    paths = [package_root, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    command = [sys.executable, "-m", "shopbot.backends.probe", str(model)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelCorruptError(
            f"{model} does not load in {PROBE_TIMEOUT_S:.0f} s.", remedy="Fetch it again."
        ) from None
    except OSError:
        return
    if done.returncode == _KILLED:
        raise ModelError(f"Loading {model} was killed, for lack of memory most likely.", remedy="Use a smaller model.")
    if done.returncode != 0:
        raise ModelCorruptError(
            f"{model} is damaged: the engine fails on it (exit status {done.returncode}).",
            remedy="Fetch it again with 'shopbot model pull'.",
        )


def main(model: Path) -> int:
    """The probing process: 0 if the model loads and generates."""
    from shopbot.backends.gguf import start_engine

    try:
        server = start_engine(model, lora=None, context=_CONTEXT, slots=1, threads=1, is_probe=True)
    except ShopbotError:
        return 1
    request = {"prompt": "Hello there", "n_predict": 4, "temperature": 0.0, "n_probs": 1, "grammar": "root ::= [a-z ]+"}
    return 1 if "error" in server.handle_completions(request) else 0


if __name__ == "__main__":
    # A dump of the core and a dialogue of the system are of no use to anybody here.
    sys.exit(main(Path(sys.argv[1])))
