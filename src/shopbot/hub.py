"""The Hugging Face hub: one file of a repository, or those files of it that make a folder. Needs the extra 'hf'."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from shopbot.errors import ModelError, ModelNotFoundError

_POLL_S = 0.2
Progress = Callable[[int, "int | None"], None]


def fetch_file(repository: str, path: str, part: Path, progress: Progress) -> None:
    """Write the file ``path`` of a repository to ``part``. What was begun is gone on from.

    Raises :class:`ModelNotFoundError`, :class:`ModelError` or :class:`OSError`.
    """
    folder = part.with_name(f".{part.name}.hf")
    with _hub(f"hf:{repository}/{path}") as hub:
        fetched = hub.hf_hub_download(repository, path, local_dir=folder)
    size = Path(fetched).stat().st_size
    os.replace(fetched, part)
    progress(size, size)
    shutil.rmtree(folder, ignore_errors=True)


def fetch_folder(repository: str, patterns: Sequence[str], folder: Path, progress: Progress) -> None:
    """Write the files of a repository that ``patterns`` name into ``folder``. What was begun is gone on from.

    Raises :class:`ModelNotFoundError`, :class:`ModelError` or :class:`OSError`.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_S):
            progress(bytes_in(folder), None)

    watcher = threading.Thread(target=watch, name="shopbot-download")
    watcher.start()
    try:
        with _hub(f"hf:{repository}") as hub:
            hub.snapshot_download(repository, local_dir=folder, allow_patterns=list(patterns))
    finally:
        done.set()
        watcher.join()


def bytes_in(folder: Path) -> int:
    """How many bytes the files below ``folder`` have; others may rename and delete them meanwhile."""
    count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                count += os.stat(os.path.join(parent, name)).st_size
    return count


@contextmanager
def _hub(shown: str) -> Iterator[Any]:
    """The hub's own client; what it raises becomes errors of ours."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
    except ImportError:
        raise ModelError(
            "Sources of the form hf:… need huggingface_hub.", remedy="Run 'pip install huggingface_hub'."
        ) from None
    try:
        yield huggingface_hub
    except (EntryNotFoundError, RepositoryNotFoundError):
        raise ModelNotFoundError(f"{shown} does not exist, or is private.", remedy="Check it, or log in.") from None
    except OSError:
        raise
    except Exception as error:  # that package raises what its HTTP client of the day raises
        raise ModelError(f"{shown} cannot be fetched: {error}", remedy="Try again: what came is kept.") from error
