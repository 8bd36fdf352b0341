"""What a first start brings: the base model and, where no store is configured, the demo store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from shopbot.config import Config, home, load
from shopbot.errors import ModelNotFoundError, StoreError
from shopbot.sources import Progress

Say = Callable[[str], None]
ProgressBar = Callable[[str], AbstractContextManager[Progress]]


def prepare(config: Config | Path | str | None = None, *, say: Say = lambda text: None) -> None:
    """Bring what :meth:`~shopbot.Bot.open` needs and does not make itself; nothing, and no network, where it is here.

    ``config`` as for ``Bot.open``. ``say`` is told, in a sentence, what is being done. Raises
    :class:`~shopbot.errors.ModelError` or :class:`~shopbot.errors.StoreError`, each with its remedy.
    """
    settings = config if isinstance(config, Config) else load(config)
    ensure_model(settings, say=say, progress_bar=_no_bar)
    ensure_store(settings, say=say)


def base_of(config: Config) -> tuple[str, str] | None:
    """Source and SHA-256 of the base model of the checkpoint that ``config`` names, or of the current one; None for a
    compiled one, which has all its weights in its own folder."""
    from shopbot.checkpoint import CheckpointStore

    checkpoints = CheckpointStore(home())
    checkpoint = checkpoints.load(config.model.checkpoint) if config.model.checkpoint else checkpoints.current()
    if checkpoint.manifest.compiled is not None:
        return None
    return checkpoint.base_source(config.model.source), checkpoint.manifest.base.sha256


def ensure_model(config: Config, *, say: Say, progress_bar: ProgressBar) -> None:
    """Fetch the base model if it is not on this box. Needs no network if it is.

    ``progress_bar`` is opened with a title around a download, and only then.
    """
    from shopbot.models import locate_model, pull

    if config.model.backend != "auto":
        return
    if (base := base_of(config)) is None:
        return
    source, sha256 = base
    try:
        locate_model(source, sha256=sha256)
    except ModelNotFoundError:
        say("The model is not on this box yet; fetching it once.")
        with progress_bar("Fetching the model") as progress:
            pull(source, sha256=sha256, progress=progress)


def ensure_store(config: Config, *, say: Say) -> None:
    """Create the demo store if none is configured and there is none yet: complete or not at all."""
    target = home() / "store.db"
    if config.store.url or target.exists():
        return
    from shopbot.stores.demo import fill_demo
    from shopbot.stores.sql import open_store

    say(f"There is no store yet; creating the demo store in {target}.")
    draft = home() / f".store.{os.getpid()}.part"
    _remove(draft)
    try:
        home().mkdir(parents=True, exist_ok=True)
        store = open_store(f"sqlite:///{draft}")
        try:
            fill_demo(store)
        finally:
            store.close()
        os.replace(draft, target)
    except OSError as error:
        raise StoreError(
            f"The demo store cannot be written: {error.strerror}.", remedy=f"Check {home()}, or set SHOPBOT_HOME."
        ) from None
    finally:
        _remove(draft)


@contextmanager
def _no_bar(_title: str) -> Iterator[Progress]:
    yield lambda done, total: None


def _remove(database: Path) -> None:
    """An SQLite file with what stands beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            database.with_name(database.name + suffix).unlink()
