"""Published MLC artefacts, as mlc-ai has them on the hub: taken in as they are, as checkpoints.

Nobody has judged one on this shop's cases, so it does not pass its gate by itself.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from shopbot import hub
from shopbot.backends.mlc.artefact import CHAT_CONFIG, Artefact
from shopbot.backends.mlc.index import INDEX_NAMES
from shopbot.checkpoint import CheckpointStore
from shopbot.config import home
from shopbot.errors import ModelCorruptError, ModelError
from shopbot.files import locked, require_disk, sha256_of
from shopbot.manifest import MANIFEST, Base, Compiled, Gate, Manifest, write_manifest
from shopbot.models import models_folder
from shopbot.sources import Progress, Source, refuse_offline
from shopbot.understand import PROMPT_FORMAT

#: The files of an artefact; a repository may hold others, and its README is none of them.
_PATTERNS = (CHAT_CONFIG, *INDEX_NAMES, "params_shard_*.bin", "tokenizer.json")
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+|^[^A-Za-z0-9]+")


def is_artefact(folder: Path) -> bool:
    """Whether ``folder`` holds a published artefact, and no checkpoint of ours."""
    return (folder / CHAT_CONFIG).is_file() and not (folder / MANIFEST).exists()


def pull_artefact(source: Source, progress: Progress = lambda done, total: None) -> Manifest:
    """Fetch the artefact of the repository ``source`` and take it in; nothing is fetched if it is here already.

    After an error or Ctrl-C the next pull goes on. Raises :class:`ModelNotFoundError`, :class:`ModelCorruptError` or
    :class:`ModelError`.
    """
    refuse_offline(source)
    part = models_folder() / f".{source.name}.artefact.part"
    try:
        with locked(models_folder() / f".{source.name}.lock"):
            for known in CheckpointStore(home()).list():
                if known.name == source.name and known.base.source == str(source):
                    return known
            _require_free(source.name)
            hub.fetch_folder(source.where, _PATTERNS, part, progress)
            try:
                taken = take_in(part, name=source.name, source=str(source), carry=shutil.move)
            except ModelCorruptError:
                shutil.rmtree(part, ignore_errors=True)  # the hub's client would take it for whole, again and again
                raise
            shutil.rmtree(part, ignore_errors=True)
            return taken
    except OSError as error:
        raise ModelError(f"{source} cannot be stored: {error}.", remedy=f"Check the disk of {home()}.") from error


def take_in(
    folder: Path, *, name: str = "", source: str = "", carry: Callable[[Path, Path], object] = shutil.copyfile
) -> Manifest:
    """Take the artefact in ``folder`` in as the checkpoint ``name`` (empty: the folder's), every weight checked.

    ``source``: where it comes from; ``carry`` takes a file to its place. Raises :class:`ModelCorruptError` or
    :class:`ModelError`.
    """
    artefact = Artefact.open(folder)
    for _ in artefact.read():  # checks each shard's hash
        pass
    name = name or _NO_NAME.sub("", folder.resolve().name)[:100] or "artefact"
    _require_free(name)
    files = [CHAT_CONFIG, artefact.tokenizer_file.name, artefact.index_file, *(s.file for s in artefact.index.shards)]
    store = CheckpointStore(home())
    with store.draft() as draft:
        require_disk(draft, sum((folder / file).stat().st_size for file in files))
        for file in files:
            carry(folder / file, draft / file)
        hashes = {file: sha256_of(draft / file) for file in files}
        base = Base(source=source or folder.name, sha256=hashes[artefact.index_file], file=artefact.index_file)
        manifest = Manifest(
            name=name,
            format="mlc",
            base=base,
            compiled=Compiled(quantization=artefact.quantization.name, files=hashes),
            prompt_format=PROMPT_FORMAT,
            created=datetime.now(timezone.utc),
            gate=Gate(report="it was published, and its golden cases were not played"),
        )
        write_manifest(draft, manifest)
    return store.load(name).manifest


def _require_free(name: str) -> None:
    if name in {known.name for known in CheckpointStore(home()).list()}:
        raise ModelError(f"There is a checkpoint '{name}' already.", remedy="Rename the folder, or take that one.")
