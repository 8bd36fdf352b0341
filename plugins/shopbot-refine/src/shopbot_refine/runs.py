"""Refine runs on this box: a folder each below ``<home>/refine/runs``, with the stages' files and ``run.json``."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from shopbot import CheckpointStore, Config, Transcripts, home
from shopbot_refine.collect import START, Watermark, newest, read_watermark
from shopbot_refine.config import EngineName, RefineConfig
from shopbot_refine.stages import STAGES, StageError, read_report, write_json

RUN_FILE, REPORT_FILE = "run.json", "report.html"
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}-\d{1,4}")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What one run does; it is kept with the run, so that a resumed run does the same.

    ``parent`` is the checkpoint that the run starts from and is judged against. ``logs`` are foreign logs to read
    beside, or without, the box's own ``transcripts``: those above ``after``, up to ``until``. ``engine`` works
    through the rows (empty: the one that is configured; the same comes out of each). ``recordings`` are files of
    recorded answers beside the shipped ones; ``eval_sets`` files of cases to judge on, and never to train on.
    ``replay``: how many examples of the seed set are learnt again with the new ones, so that nothing is forgotten.
    ``lr``, ``epochs``, ``max_steps``, ``token_budget`` and ``keep`` are those of the train stage.

    A run may be one ``generation`` of ``generations``: ``previous`` is then the run before it, ``confusions`` (wrong
    act, right act, times) and ``missed`` (act, times) what that one's candidate got wrong. ``shrink``: the share of the
    blocks that a smaller student keeps, made when the last generation is done (0: none is made); it is accepted if it
    loses at most ``shrink_loss``, a share of the cases.
    """

    parent: str = ""
    logs: tuple[str, ...] = ()
    transcripts: bool = True
    after: Watermark = START
    until: Watermark = START
    teacher: str = ""
    engine: EngineName | Literal[""] = ""
    recordings: tuple[str, ...] = ()
    eval_sets: tuple[str, ...] = ()
    replay: int = 4000
    lr: float = 4e-4
    epochs: float = 1.0
    max_steps: int | None = None
    token_budget: int = 1280
    keep: float = 0.0
    seed: int = 0
    generation: int = 1
    generations: int = 1
    previous: str = ""
    confusions: tuple[tuple[str, str, int], ...] = ()
    missed: tuple[tuple[str, int], ...] = ()
    shrink: float = 0.0
    shrink_loss: float = 0.02

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> RunSettings:
        values = dict(row)
        for name in ("after", "until"):
            values[name] = Watermark.from_json(values.get(name, {}))
        for name in ("logs", "recordings", "eval_sets"):
            values[name] = tuple(values.get(name, ()))
        for name in ("confusions", "missed"):
            values[name] = tuple(tuple(entry) for entry in values.get(name, ()))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder and settings."""

    folder: Path
    settings: RunSettings

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def next_stage(self) -> str | None:
        """The first stage that is not done; None: all are."""
        return next((stage for stage in STAGES if read_report(self.folder, stage) is None), None)


def refine_home() -> Path:
    """Where refine keeps its runs, its ledger and its watermark."""
    return home() / "refine"


def ledger_path() -> Path:
    """The ledger of this box: what teachers were asked and paid."""
    return refine_home() / "ledger.db"


def watermark_path() -> Path:
    """How far transcripts have been used."""
    return refine_home() / "watermark.json"


def start_run(config: Config, wanted: RunSettings) -> Run:
    """Make a run that starts from the checkpoint in force and takes the transcripts that are new now.

    Of ``wanted``, ``parent``, ``after`` and ``until`` are filled in here, ``teacher`` where it is empty. Raises
    :class:`StageError` where there is nothing to learn from.
    """
    refine = RefineConfig.of(config.plugins.get("refine", {}))
    after, until = read_watermark(watermark_path()), newest(Transcripts(config.transcripts_path))
    reads_transcripts = wanted.transcripts and refine.collect and until.is_past(after)
    if not (reads_transcripts or wanted.logs):
        raise StageError(
            "There is nothing to learn from: no new transcripts, and no log was given.",
            remedy="Let customers talk to the bot first, or give a log with --log FILE.",
        )
    return create_run(
        replace(
            wanted,
            parent=CheckpointStore(home()).trained_name(),
            transcripts=reads_transcripts,
            after=after,
            until=until,
            teacher=wanted.teacher or refine.teacher,
        )
    )


def create_run(settings: RunSettings, *, now: datetime | None = None) -> Run:
    """A new run, named by the day and a number. Raises :class:`StageError` where it cannot be written."""
    day = (now or datetime.now(timezone.utc)).date().isoformat()
    runs = refine_home() / "runs"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            folder = runs / f"{day}-{number}"
            try:
                folder.mkdir(mode=0o700)  # a foreign log's rows stand in it before they are redacted
            except FileExistsError:
                continue
            write_json(folder / RUN_FILE, settings.as_json())
            return Run(folder, settings)
    except OSError as error:
        raise StageError(f"No run can be made in {runs} ({error}).", remedy="Free some disk space.") from error
    raise StageError(f"{runs} holds too many runs of {day}.", remedy="Remove old ones.")


def list_runs() -> list[Run]:
    """The runs on this box, oldest first; damaged ones are left out."""
    runs = refine_home() / "runs"
    folders = [folder for folder in runs.iterdir() if _NAME.fullmatch(folder.name)] if runs.is_dir() else []
    found = []
    for folder in sorted(folders, key=lambda folder: (folder.name[:10], int(folder.name[11:]))):
        try:
            found.append(_open(folder))
        except StageError:
            continue
    return found


def find_run(name: str | None = None) -> Run:
    """The run of this name, or the newest one. Raises :class:`StageError` where there is none."""
    if name is not None:
        folder = refine_home() / "runs" / name
        if not _NAME.fullmatch(name) or not folder.is_dir():
            known = ", ".join(run.name for run in list_runs()) or "none"
            raise StageError(f"There is no refine run '{name}'.", remedy=f"On this box: {known}.")
        return _open(folder)
    runs = list_runs()
    if not runs:
        raise StageError("There is no refine run on this box yet.", remedy="Start one with 'shopbot refine run'.")
    return runs[-1]


def forget_run(run: Run) -> None:
    """Remove a run's folder and all that stands in it."""
    shutil.rmtree(run.folder, ignore_errors=True)


def earlier_runs(run: Run) -> list[Run]:
    """The generations before this run, oldest first. Raises :class:`StageError` where one is gone."""
    found: list[Run] = []
    while run.settings.previous and len(found) < run.settings.generation:
        run = find_run(run.settings.previous)
        found.insert(0, run)
    return found


def _open(folder: Path) -> Run:
    path = folder / RUN_FILE
    try:
        return Run(folder, RunSettings.from_json(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError) as error:
        raise StageError(f"{path} is unreadable ({error}).", remedy="Start a new run.") from error
