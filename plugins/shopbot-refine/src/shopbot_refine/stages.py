"""What all stages share: a stage reads rows, writes ``NAME.jsonl`` and ``NAME.rejected.jsonl``, and, last of all,
``NAME.json``, its report. It is done when the report is there; a report of the same identity is not worked for twice.

The identity is a fingerprint of everything the output follows from: the stage's own version and settings, and the
fingerprint of what it read. A stage that dies leaves only ``.part`` files, which the next try overwrites.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shopbot import ShopbotError
from shopbot_refine.records import Candidate, LoggedTurn, Rejected, read_rows

#: The stages in their order.
STAGES = ("collect", "redact", "clean", "teach", "check", "export", "train", "evaluate")


class StageError(ShopbotError):
    """A stage cannot do its work: nothing to read, a full disk, a file of another run."""


class Row(Protocol):
    """A record with an ``id`` and a JSON form."""

    @property
    def id(self) -> str: ...

    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a stage did. ``fingerprint`` is of the rows it kept, in their order; ``rejected`` counts by reason;
    ``details`` is the stage's own."""

    stage: str
    identity: str
    fingerprint: str
    kept: int
    rejected: dict[str, int]
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def run_stage(
    folder: Path,
    stage: str,
    *,
    identity: str,
    work: Callable[[], Iterable[Row | Rejected]],
    details: Callable[[], dict[str, Any]] = dict,
) -> StageReport:
    """Do the work, unless the same was done before, and write the stage's three files.

    ``work`` is called only where there is something to do; ``details`` after it, for the report. Raises
    :class:`StageError` where the files cannot be written.
    """
    done = read_report(folder, stage)
    if done is not None and done.identity == identity:
        return done
    began = time.monotonic()
    digest, kept, rejected = hashlib.sha256(), 0, Counter[str]()
    report_path = folder / f"{stage}.json"
    files = rows_path(folder, stage), rejected_path(folder, stage)
    parts = [path.with_name(f"{path.name}.part") for path in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report_path.unlink(missing_ok=True)
        with parts[0].open("wb") as good, parts[1].open("wb") as bad:
            for row in work():
                # half a surrogate pair, as JSON may bring it, is no text that could be read again
                line = (json.dumps(row.as_json(), ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8", "replace")
                if isinstance(row, Rejected):
                    bad.write(line)
                    rejected[row.reason] += 1
                else:
                    good.write(line)
                    digest.update(line)
                    kept += 1
            for file in (good, bad):
                file.flush()
                os.fsync(file.fileno())
        for part, path in zip(parts, files, strict=True):
            part.replace(path)
        report = StageReport(
            stage,
            identity,
            digest.hexdigest(),
            kept,
            dict(sorted(rejected.items())),
            round(time.monotonic() - began, 2),
            details(),
        )
        write_json(report_path, report.as_json())
    except OSError as error:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise StageError(
            f"The stage '{stage}' cannot write to {folder} ({error}).", remedy="Free some disk space, then resume."
        ) from error
    return report


def run_step(
    folder: Path, stage: str, *, identity: str, work: Callable[[], tuple[str, int, dict[str, Any]]]
) -> StageReport:
    """Do the work of a stage whose result is no list of rows, unless the same was done before, and write its report.

    ``work`` returns the fingerprint of its result, the number of rows in it, and details. Raises :class:`StageError`
    where the report cannot be written.
    """
    done = read_report(folder, stage)
    if done is not None and done.identity == identity:
        return done
    began = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stage}.json").unlink(missing_ok=True)
        result, kept, details = work()
        seconds = round(time.monotonic() - began, 2)
        report = StageReport(stage, identity, result, kept, {}, seconds, details)
        write_json(folder / f"{stage}.json", report.as_json())
    except OSError as error:
        raise StageError(
            f"The stage '{stage}' cannot write to {folder} ({error}).", remedy="Free some disk space, then resume."
        ) from error
    return report


def read_report(folder: Path, stage: str) -> StageReport | None:
    """The report of a finished stage; None where it is not finished, or its report is damaged."""
    try:
        return StageReport(**json.loads((folder / f"{stage}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def rows_path(folder: Path, stage: str) -> Path:
    """Where the rows stand that a stage kept."""
    return folder / f"{stage}.jsonl"


def rejected_path(folder: Path, stage: str) -> Path:
    """Where the rows stand that a stage left out."""
    return folder / f"{stage}.rejected.jsonl"


def read_turns(folder: Path, stage: str) -> Iterator[LoggedTurn]:
    """The turns a stage kept. Raises :class:`~shopbot_refine.dataset.DatasetError`."""
    path = rows_path(folder, stage)
    return (LoggedTurn.from_json(row, f"{path}, row {n}") for n, row in enumerate(read_rows(path), 1))


def read_candidates(folder: Path, stage: str) -> Iterator[Candidate]:
    """The candidates a stage kept. Raises :class:`~shopbot_refine.dataset.DatasetError`."""
    path = rows_path(folder, stage)
    return (Candidate.from_json(row, f"{path}, row {n}") for n, row in enumerate(read_rows(path), 1))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, whole or not at all. Raises :class:`OSError`."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
