"""The refine loop: the stages in their order on one run's folder, each fed by the one before.

Every stage can be run alone, and again: what is done is not done twice. A stage that waits for the teacher leaves the
run where it is; going on later asks only what has no answer yet.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shopbot import (
    CheckpointStore,
    Config,
    PluginManager,
    ShopbotError,
    Tool,
    Transcripts,
    home,
)
from shopbot_refine import check, clean, collect, export, redact, teach
from shopbot_refine.config import RefineConfig
from shopbot_refine.corroboration import Corroboration
from shopbot_refine.dataset import Example, file_fingerprint, fingerprint, load_examples
from shopbot_refine.decontamination import Guarded, guarded_texts
from shopbot_refine.engines import Engine, open_engine
from shopbot_refine.ledger import Ledger
from shopbot_refine.ledger_rows import MICROS
from shopbot_refine.new_phrases import NewPhrases
from shopbot_refine.prompts import system_prompt
from shopbot_refine.questions import Models
from shopbot_refine.records import Candidate, LoggedTurn, Rejected
from shopbot_refine.runs import Run, earlier_runs, ledger_path, watermark_path
from shopbot_refine.seed import load_templates, split_seed
from shopbot_refine.sets import EVAL_SHARE, refined_sets
from shopbot_refine.shop import Shop
from shopbot_refine.stages import (
    STAGES,
    StageError,
    StageReport,
    read_candidates,
    read_report,
    read_turns,
    run_stage,
    run_step,
)
from shopbot_refine.steering import Steering, find_doubted
from shopbot_refine.suspicion import LabelModel
from shopbot_refine.teachers import Answer, Request, Teacher
from shopbot_refine.verdicts import TeachCounts


class WaitingError(ShopbotError):
    """The teacher has not answered everything yet; what it answered is kept."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a stage stands. ``left_s`` in seconds, ``cost`` in the currency of the prices; None: not known."""

    stage: str
    done: int
    total: int
    left_s: float | None = None
    cost: float | None = None


Watch = Callable[[Progress], None]


class Pipeline:
    """One run with everything its stages need: the shop's configuration, its plugins, refine's own settings."""

    def __init__(self, run: Run, config: Config, *, plugins: PluginManager) -> None:
        self.run, self.config, self.plugins = run, config, plugins
        self.watch: Watch = lambda progress: None
        self.refine = RefineConfig.of(config.plugins.get("refine", {}))
        self.folder = run.folder

    @property
    def checkpoint(self) -> str:
        """The name of the checkpoint that this run makes."""
        return f"refine-{self.run.name}"

    def stages(self) -> Iterator[tuple[str, Callable[[], StageReport]]]:
        """The stages by name, in their order."""
        for stage in STAGES:
            yield stage, partial(STAGE_METHODS[stage], self)

    # ── the data ───────────────────────────────────────────────────────────────────────────────────────────────

    def collect(self) -> StageReport:
        """The turns since the watermark, and those of the foreign logs."""
        settings = self.run.settings
        logs = [Path(log) for log in settings.logs]
        reads_transcripts = settings.transcripts and self.refine.collect
        bounds = [reads_transcripts, asdict(settings.after), asdict(settings.until)]
        parts = [json.dumps(bounds), *map(file_fingerprint, logs)]

        def work() -> Iterator[LoggedTurn | Rejected]:
            if reads_transcripts:
                transcripts = Transcripts(self.config.transcripts_path)
                yield from collect.collect_transcripts(transcripts, after=settings.after, until=settings.until)
            for log in logs:
                yield from collect.collect_file(log)

        return run_stage(self.folder, "collect", identity=_identity(collect.VERSION, *parts), work=work)

    def redact(self) -> StageReport:
        """Without personal data; nothing of what comes after sees any."""
        return run_stage(
            self.folder,
            "redact",
            identity=_identity(redact.VERSION, self.result("collect")),
            work=lambda: redact.redact(
                read_turns(self.folder, "collect"), known=lambda session: None, folder=self.folder
            ),
        )

    def clean(self) -> StageReport:
        """Without what nobody should learn from."""

        def work() -> Iterator[LoggedTurn | Rejected]:
            with self._engine() as engine:
                yield from clean.clean(read_turns(self.folder, "redact"), self.refine, engine)

        return run_stage(
            self.folder,
            "clean",
            identity=_identity(clean.VERSION, self.result("redact"), *self.refine.languages),
            work=work,
        )

    def teach(self) -> StageReport:
        """Judged by the teacher, and with what it wrote. Raises :class:`WaitingError` while answers are to come."""
        refine, seed = self.refine, self.run.settings.seed
        counts = TeachCounts()
        asked: list[Any] = [self.run.settings.teacher, refine.model, refine.write, refine.agreement, seed]
        if self.run.settings.previous:
            asked += [self.run.settings.confusions, self.run.settings.missed, self.earlier_results()]

        def work() -> Iterator[Candidate | Rejected]:
            def turns() -> Iterator[LoggedTurn]:
                return read_turns(self.folder, "clean")

            tools = self._tools()
            models = Models(
                LabelModel.learn(turns(), seed), Corroboration(tools, seed), NewPhrases.learn(turns(), tools, seed)
            )
            with self._engine() as engine, self._teacher() as teacher:
                yield from teach.teach(
                    turns(),
                    teacher,
                    self._tools(),
                    engine,
                    doubter=models,
                    templates=load_templates(),
                    trusted=split_seed(eval_share=EVAL_SHARE, rows_per_template=1, seed=seed)[0],
                    counts=counts,
                    write=refine.write,
                    agreement=refine.agreement,
                    seed=seed,
                    steering=self._steering(turns()),
                )
            if not counts.is_complete:
                waiting = sum(n for name, n in counts.failures.items() if name.endswith(("offline", "pending")))
                raise WaitingError(
                    f"{waiting} questions wait for the teacher.", remedy="Go on later with 'shopbot refine resume'."
                )

        identity = _identity(
            teach.VERSION, self.result("clean"), system_prompt(self._tools()), json.dumps(asked), *self._recordings()
        )
        return run_stage(self.folder, "teach", identity=identity, work=work, details=counts.as_json)

    def check(self) -> StageReport:
        """What holds of it."""
        cases = [case for _, case in self.plugins.cases()]
        sets = [Path(path) for path in self.run.settings.eval_sets]
        seed, values = self.run.settings.seed, self.refine.values
        own = (example.text for example in split_seed(eval_share=EVAL_SHARE, seed=seed)[1])
        guarded = [*guarded_texts(cases, sets), *own]

        def work() -> Iterator[Candidate | Rejected]:
            with closing(Shop(self.config, self.plugins)) as shop, self._engine() as engine:
                rows = read_candidates(self.folder, "teach")
                yield from check.check(rows, shop, Guarded(guarded), engine, seed=seed, values=values)

        parts = [self.result("teach"), system_prompt(self._tools()), str(seed), str(values)]
        identity = _identity(check.VERSION, *parts, *guarded)
        return run_stage(self.folder, "check", identity=identity, work=work)

    def export(self) -> StageReport:
        """The training set, as files."""
        seed = self.run.settings.seed

        def work() -> tuple[str, int, dict[str, Any]]:
            reports = [report for stage in STAGES if (report := read_report(self.folder, stage))]
            exported = export.export(
                read_candidates(self.folder, "check"),
                self.folder / "export",
                rejected={report.stage: report.rejected for report in reports},
                languages=self.refine.languages,
                seed=seed,
                values=self.refine.values,
            )
            return exported.fingerprint, exported.rows, exported.as_json()

        identity = _identity(export.VERSION, self.result("check"), str(seed), str(self.refine.values))
        return run_step(self.folder, "export", identity=identity, work=work)

    # ── the model ──────────────────────────────────────────────────────────────────────────────────────────────

    def train(self) -> StageReport:
        """The parent's LoRA adapter, trained on; see :func:`shopbot_refine.learning.train`."""
        from shopbot_refine import learning  # which knows this class

        return learning.train(self)

    def evaluate(self) -> StageReport:
        """Parent and candidate on the same cases; see :func:`shopbot_refine.learning.evaluate`."""
        from shopbot_refine import learning

        return learning.evaluate(self)

    def promote(self) -> None:
        """Put the candidate in force, and the watermark behind what it learnt from.

        Raises :class:`~shopbot.GateError` where it did not pass.
        """
        if self.is_promoted:
            return  # done before; what was put in force since then stays
        CheckpointStore(home()).promote(self.checkpoint)
        if self.run.settings.transcripts:
            collect.write_watermark(watermark_path(), self.run.settings.until)
        (self.folder / _PROMOTED).touch()

    @property
    def is_promoted(self) -> bool:
        """Whether this run's checkpoint was put in force."""
        return (self.folder / _PROMOTED).is_file()

    # ── what they share ────────────────────────────────────────────────────────────────────────────────────────

    def costs(self) -> dict[str, float]:
        """Stage → money spent by this run."""
        path = ledger_path()
        if not path.is_file():
            return {}
        with Ledger(path) as ledger:
            return {"teach": ledger.totals(self.run.name).spent_micros / MICROS}

    def sets(self) -> tuple[list[Example], list[Example]]:
        """(train, eval): what this run and the generations before it learn from."""
        wanted = self.run.settings
        data = self.folder / "export" / export.EXAMPLES
        return refined_sets(data, replay=wanted.replay, seed=wanted.seed, earlier=self._earlier())

    def _earlier(self) -> list[Path]:
        """The training sets of the generations before this one."""
        return [run.folder / "export" / export.EXAMPLES for run in earlier_runs(self.run)]

    def earlier_results(self) -> list[str]:
        """The fingerprints of those sets' files."""
        return [file_fingerprint(path) for path in self._earlier()]

    def _steering(self, turns: Iterable[LoggedTurn]) -> Steering:
        wanted = self.run.settings
        return Steering(
            generation=wanted.generation,
            confusions={(wrong, right): times for wrong, right, times in wanted.confusions},
            missed=dict(wanted.missed),
            doubted=find_doubted(turns, CheckpointStore(home()).load(wanted.parent).manifest.threshold, self.folder),
            earlier=load_examples(self._earlier()),
        )

    def _engine(self) -> AbstractContextManager[Engine]:
        """What works through the rows of a stage; the same comes out of each."""
        return open_engine(self.run.settings.engine or self.refine.engine, self.folder)

    def _tools(self) -> dict[str, Tool]:
        return dict(self.plugins.tools())

    def result(self, stage: str) -> str:
        """The fingerprint of what a stage before this one kept. Raises :class:`StageError` where it is not done."""
        report = read_report(self.folder, stage)
        if report is None:
            raise StageError(
                f"The stage '{stage}' of run {self.run.name} is not done.",
                remedy=f"Run 'shopbot refine {stage}', or 'shopbot refine resume' for all that is left.",
            )
        return report.fingerprint

    def _recordings(self) -> list[str]:
        """What a recorded teacher's answers follow from beside the questions."""
        if self.run.settings.teacher != "recorded":
            return []
        from shopbot_refine.teachers.recorded import shipped_recordings

        return [file_fingerprint(path) for path in (*shipped_recordings(), *map(Path, self.run.settings.recordings))]

    @contextmanager
    def _teacher(self) -> Iterator[Teacher]:
        """The teacher of this run, watched."""
        chosen = self.run.settings.teacher
        with ExitStack() as stack:
            if chosen == "recorded":
                from shopbot_refine.teachers.recorded import RecordedTeacher, shipped_recordings

                given = [Path(path) for path in self.run.settings.recordings]
                teacher: Teacher = RecordedTeacher([*shipped_recordings(), *given])
            else:
                ledger = stack.enter_context(Ledger(ledger_path()))
                if chosen == "batch":
                    from shopbot_refine.teachers.batch import BatchTeacher

                    teacher = stack.enter_context(closing(BatchTeacher(self.refine, ledger, run=self.run.name)))
                else:
                    from shopbot_refine.teachers.live import LiveTeacher

                    teacher = stack.enter_context(closing(LiveTeacher(self.refine, ledger, run=self.run.name)))
            yield _Watched(teacher, self.watch)


STAGE_METHODS: dict[str, Callable[[Pipeline], StageReport]] = {
    "collect": Pipeline.collect,
    "redact": Pipeline.redact,
    "clean": Pipeline.clean,
    "teach": Pipeline.teach,
    "check": Pipeline.check,
    "export": Pipeline.export,
    "train": Pipeline.train,
    "evaluate": Pipeline.evaluate,
}
_PROMOTED = ".promoted"


@dataclass(frozen=True, slots=True)
class _Watched:
    """A teacher whose progress is told."""

    teacher: Teacher
    watch: Watch

    @property
    def name(self) -> str:
        return self.teacher.name

    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        began, cost = time.monotonic(), 0.0
        for number, answer in enumerate(self.teacher.answer(requests), 1):
            cost += 0.0 if answer.is_cached else answer.cost
            left_s = (time.monotonic() - began) / number * (len(requests) - number)
            self.watch(Progress("teach", number, len(requests), left_s, cost))
            yield answer


def _identity(version: int, *parts: str) -> str:
    return fingerprint([str(version), *parts])
