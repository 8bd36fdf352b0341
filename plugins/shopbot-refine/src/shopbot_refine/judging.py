"""Judging a checkpoint: it plays the golden cases and reads the rows of the eval sets.

Golden cases are judged by :func:`shopbot.run_cases`, end state against end state. A row of an eval set is read by the
real ``Understanding`` with the checkpoint's tools and bias, also where the bot would decide by code before it asks the
model (a plain yes, an e-mail address that was asked for): the model is judged there, not the bot.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from shopbot import (
    BackendError,
    Calibration,
    CaseResult,
    Completion,
    Config,
    Manifest,
    ModelBackend,
    PluginManager,
    Understanding,
    home,
    run_cases,
)
from shopbot_refine.acts import parse_act
from shopbot_refine.dataset import Example, fingerprint
from shopbot_refine.scores import GOLDEN, Score, ScoreLog, read_scores, score_log
from shopbot_refine.suite import Suite, row_id

VERSION = 1
_MAX_SHOWN = 500  # characters of a message or a reason
_PROGRAM_FILES = {".py", ".toml", ".txt", ".md"}


@dataclass(frozen=True, slots=True)
class Contender:
    """A checkpoint to judge. ``open`` loads it, and is called only where something is left to judge."""

    manifest: Manifest
    open: Callable[[], ModelBackend]


@dataclass(frozen=True, slots=True)
class Judging:
    """Where judging stands: cases of all sets, for both checkpoints; ``left_s`` in seconds."""

    checkpoint: str
    done: int
    total: int
    left_s: float


class Judge:
    """Judges checkpoints on one suite; what was judged before in the same surroundings is read from its file."""

    def __init__(
        self,
        suite: Suite,
        *,
        config: Config,
        plugins: PluginManager,
        progress: Callable[[Judging], None] = lambda judging: None,
    ) -> None:
        self._suite, self._config, self._plugins, self._report = suite, config, plugins, progress
        self._folder = home() / "refine" / "scores"
        self._surroundings = fingerprint([_program(plugins), _shop(config)])
        self._began = 0.0
        self._done = self._known = self._total = 0

    def keys(self, manifest: Manifest) -> list[str]:
        """For each set the name (64 hex digits) of what a checkpoint's scores on it follow from: the weights, how the
        manifest uses them, the cases, the tools, the shop's settings and the program itself."""
        lora = manifest.lora.sha256 if manifest.lora else ""
        used = [manifest.calibration, manifest.bias, manifest.threshold, manifest.prompt_format, sorted(manifest.tools)]
        checkpoint = [manifest.base.sha256, lora, json.dumps(used, sort_keys=True)]
        common = [str(VERSION), self._surroundings, *checkpoint]
        return [fingerprint([*common, name, self._suite.fingerprint_of(name)]) for name in self._suite.names]

    def __call__(self, *contenders: Contender) -> list[list[Score]]:
        """The scores of each, in the suite's order. Raises :class:`~shopbot.BackendError`; what was judged is kept."""
        self._began = time.monotonic()
        known = [self._read(contender.manifest) for contender in contenders]
        self._total = len(contenders) * (len(self._suite.golden) + sum(map(len, self._suite.sets.values())))
        self._done = self._known = sum(len(scores) for sets in known for scores in sets.values())
        return [self._judge(contender, sets) for contender, sets in zip(contenders, known, strict=True)]

    def _files(self, manifest: Manifest) -> dict[str, Path]:
        return {
            name: self._folder / f"{key}.jsonl"
            for name, key in zip(self._suite.names, self.keys(manifest), strict=True)
        }

    def _read(self, manifest: Manifest) -> dict[str, dict[str, Score]]:
        return {name: read_scores(path, self._suite.ids_of(name)) for name, path in self._files(manifest).items()}

    def _judge(self, contender: Contender, known: dict[str, dict[str, Score]]) -> list[Score]:
        left = [name for name in self._suite.names if len(known[name]) < len(self._suite.ids_of(name))]
        if left:
            files = self._files(contender.manifest)
            with closing(_Watched(contender.open())) as backend:
                for name in left:
                    with score_log(files[name], known[name].values()) as log:
                        take = self._taker(contender.manifest, known[name], log)
                        if name == GOLDEN:
                            self._play(backend, contender.manifest, set(known[name]), take)
                        else:
                            self._read_rows(name, backend, contender.manifest, set(known[name]), take)
        return [known[name][case] for name in self._suite.names for case in self._suite.ids_of(name)]

    def _taker(self, manifest: Manifest, known: dict[str, Score], log: ScoreLog) -> Callable[[Score], None]:
        def take(score: Score) -> None:
            log.add(score)
            known[score.id] = score
            self._done += 1
            each_s = (time.monotonic() - self._began) / (self._done - self._known)
            self._report(Judging(manifest.name, self._done, self._total, each_s * (self._total - self._done)))

        return take

    def _play(self, backend: _Watched, manifest: Manifest, known: set[str], take: Callable[[Score], None]) -> None:
        def advance(result: CaseResult) -> None:
            backend.require_unharmed(f"{result.plugin}/{result.case.name}")
            take(_score_case(result))

        left = [(plugin, case) for plugin, case in self._suite.golden if f"{plugin}/{case.name}" not in known]
        run_cases(
            left, config=self._config, plugins=self._plugins, backend=backend, manifest=manifest, progress=advance
        )

    def _read_rows(
        self, name: str, backend: _Watched, manifest: Manifest, known: set[str], take: Callable[[Score], None]
    ) -> None:
        understanding = understand_by(backend, manifest, self._plugins)
        for row in self._suite.sets[name]:
            if row_id(row) not in known:
                take(_score_row(name, row, understanding))


def understand_by(backend: ModelBackend, manifest: Manifest, plugins: PluginManager) -> Understanding:
    """The understanding that a checkpoint gives the bot."""
    return Understanding(
        backend,
        plugins.tools().values(),
        trained=manifest.tools,
        calibration=Calibration(**manifest.calibration) if manifest.calibration else None,
        bias=manifest.bias,
    )


def _score_case(result: CaseResult) -> Score:
    case = result.case
    tools = [tool for turn in case.turns for tool in turn.tools or ()] + [str(write["tool"]) for write in case.writes]
    return Score(
        set=GOLDEN,
        id=f"{result.plugin}/{case.name}",
        passed=result.has_passed,
        named=result.has_passed,
        expected=tuple(dict.fromkeys(tools)),
        tags=case.tags,
        said=_shown(" ⏎ ".join(turn.say for turn in case.turns)),
        why=_shown("; ".join(result.failures)),
    )


def _score_row(name: str, row: Example, understanding: Understanding) -> Score:
    """Strict: the same acts in the same order; white space in an argument does not count, for a prompt is one line."""
    wanted = [parse_act(act) for act in row.acts]
    acts = understanding(row.text, row.state).acts
    expected, found = tuple(act.name for act in wanted), tuple(act.name for act in acts)
    arguments = [{key: " ".join(value.split()) for key, value in act.arguments} for act in wanted]
    copied = [{key: " ".join(value.split()) for key, value in act.arguments.items()} for act in acts]
    passed = expected == found and arguments == copied
    return Score(
        set=name,
        id=row_id(row),
        passed=passed,
        named=expected == found,
        expected=expected,
        found=found,
        confidence=min((min(1.0, act.confidence) for act in acts), default=None),
        said=_shown(row.text),
        why="" if passed else _shown(f"{'; '.join(map(str, acts)) or 'nothing'}, not {'; '.join(row.acts)}"),
    )


def _shown(text: str) -> str:
    """The beginning of a text for a person; a lone surrogate cannot be written to a file."""
    return text[:_MAX_SHOWN].encode("utf-8", "replace").decode()


class _Watched:
    """A backend that remembers that it failed. The bot bears with a dead engine, and the case would count as lost."""

    def __init__(self, backend: ModelBackend) -> None:
        self._backend, self.name = backend, backend.name
        self._error: BackendError | None = None

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        try:
            return self._backend.complete(prompt, grammar=grammar, max_tokens=max_tokens, bias=bias)
        except BackendError as error:
            self._error = error
            raise

    def require_unharmed(self, case: str) -> None:
        if self._error is not None:
            raise BackendError(
                f"The engine failed in the case {case}: {self._error}", remedy="Evaluate again: it goes on there."
            ) from self._error

    def close(self) -> None:
        self._backend.close()


def _shop(config: Config) -> str:
    """The settings that a case can depend on. Secrets go in masked, or, a plugin's own, hashed with the rest."""
    document = config.model_dump(mode="json", include={"identity", "session", "understanding", "plugins"})
    document.get("plugins", {}).pop("refine", None)
    return fingerprint([json.dumps(document, sort_keys=True, default=str)])


def _program(plugins: PluginManager) -> str:
    """SHA-256 of the code and texts of shopbot and of every plugin that has a tool: another program, other scores."""
    owners = {tool.function.__module__.partition(".")[0] for tool in plugins.tools().values()}
    parts = []
    for name in ("shopbot", *sorted(owners - {"shopbot"})):
        module = sys.modules[name]
        folders = [Path(folder) for folder in getattr(module, "__path__", ())]
        files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix in _PROGRAM_FILES]
        for file in files or [Path(module.__file__ or "")]:
            parts += [name, file.name, file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""]
    return fingerprint(parts)
