"""The loop of training, whatever is trained in it: batches, steps, evaluations, and the files of a run.

It is seeded, and can be killed at any moment: every ``save_every`` steps the whole state goes to ``resume.pt``
(atomically), and a later run with the same data and settings goes on from there to the same weights. Nothing is random
but the start of the weights and the order of the batches, and both follow from the seed and the step, so no generator
state has to be kept.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from shopbot import ConfigError, return_unused_memory
from shopbot_refine.base import load_tokenizer
from shopbot_refine.batches import Batch, Render, Row, collate, encode, plan_batches
from shopbot_refine.dataset import DatasetError, Example, file_fingerprint, fingerprint
from shopbot_refine.settings import Progress, TrainReport, TrainSettings

RESUME_FILE, REPORT_FILE = "resume.pt", "train.json"
_TRIM_EVERY = 8  # steps

Weights = dict[str, torch.Tensor]  # by GGUF name; float32


class Learner(Protocol):
    """A model and what is trained of it."""

    @property
    def named(self) -> Mapping[str, nn.Parameter]:
        """What is trained, by name."""

    def hidden_states(self, tokens: torch.Tensor, *, shared: int) -> torch.Tensor:
        """(rows, length), the first ``shared`` columns the same in all → (rows, length - shared, hidden)."""

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, hidden) → (n, vocabulary), float32."""

    def copy(self) -> Weights:
        """What is trained as it is now, on the CPU, not shared."""

    def set(self, weights: Weights) -> None:
        """Overwrite what is trained. Raises ValueError when names or shapes differ."""

    def save(self, path: Path, weights: Weights) -> None:
        """Write ``weights`` as a GGUF, atomically."""


@dataclass(slots=True)
class _State:
    """What a resumed run needs, besides the weights and the optimizer."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    eval_losses: list[tuple[int, float]] = field(default_factory=list)
    best: Weights = field(default_factory=dict)

    @property
    def best_eval(self) -> tuple[int, float]:
        return min(self.eval_losses, key=lambda pair: pair[1], default=(0, math.inf))


class TrainingRun:
    """One run: learner, data and optimizer, and the state between two steps.

    ``open_learner`` loads what is trained on a device; ``file`` is the name it is saved under in ``output``;
    ``identity`` is what the result follows from beside base and data, as JSON values. Raises :class:`ConfigError` for
    impossible settings, :class:`DatasetError` where no example is short enough, and what ``open_learner`` raises.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        eval_examples: Sequence[Example],
        base: Path,
        output: Path,
        settings: TrainSettings,
        render: Render,
        *,
        open_learner: Callable[[torch.device], Learner],
        file: str,
        identity: Mapping[str, Any],
    ) -> None:
        settings.check()
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.settings, self.output, self.file, self.identity = settings, output, file, dict(identity)
        tokenizer = load_tokenizer(base)
        self.rows = encode(examples, tokenizer, render, max_tokens=settings.max_tokens)
        self.eval_rows = encode(eval_examples, tokenizer, render, max_tokens=settings.max_tokens)
        self.given, self.eval_given = len(examples), len(eval_examples)
        if not self.rows:
            raise DatasetError(
                f"None of {len(examples)} examples fits into {settings.max_tokens} tokens.",
                remedy="Give more examples or a larger max_tokens.",
            )
        data = [json.dumps([row.answer, row.tokens]) for row in [*self.rows, *self.eval_rows]]
        told = json.dumps(self.identity, sort_keys=True)
        self.fingerprint = fingerprint([file_fingerprint(base), str(len(self.rows)), told, *data])
        self.device = _device(settings.device)
        self.learner = open_learner(self.device)
        self.parameters = list(self.learner.named.values())
        self.shared = _shared_length([*self.rows, *self.eval_rows])
        self.optimizer = torch.optim.AdamW(self.parameters, lr=settings.lr, weight_decay=0.0, fused=True)
        self.state = _State()
        self.steps_per_epoch = len(self._plan(0))
        self.steps = settings.max_steps or max(1, round(settings.epochs * self.steps_per_epoch))
        self.eval_every = settings.eval_every or max(1, self.steps_per_epoch // 2)
        output.mkdir(parents=True, exist_ok=True)

    def __call__(self, progress: Callable[[Progress], None] | None = None, *, fresh: bool = False) -> TrainReport:
        """Train. An interrupted run in ``output`` is gone on from, a complete one returned as it is, unless ``fresh``.

        Raises :class:`ConfigError` where ``output`` holds a run of other data or settings.
        """
        if fresh:
            self._forget()
        if (complete := self._complete_report()) is not None:
            return complete
        self._restore()
        return self._finish(self._loop(progress))

    @property
    def resume_path(self) -> Path:
        return self.output / RESUME_FILE

    @property
    def report_path(self) -> Path:
        return self.output / REPORT_FILE

    def _plan(self, epoch: int) -> list[list[int]]:
        rng = random.Random(f"{self.settings.seed}:{epoch}")  # noqa: S311 - reproducible, not secret
        lengths = [len(row.tokens) for row in self.rows]
        return plan_batches(lengths, token_budget=self.settings.token_budget, rng=rng)

    def _batches(self, start: int) -> Iterator[Batch]:
        """The batches from step ``start`` on, epoch after epoch, the same ones in every run."""
        epoch, skip = divmod(start, self.steps_per_epoch)
        while True:
            plan = self._plan(epoch)
            # Epochs differ by a batch or so; the count of the first keeps step → batch the same for a resumed run.
            for number in range(skip, self.steps_per_epoch):
                yield collate([self.rows[index] for index in plan[number % len(plan)]], shared=self.shared)
            epoch, skip = epoch + 1, 0

    # ── steps ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _loop(self, progress: Callable[[Progress], None] | None) -> str:
        """Train to the last step, or until the eval loss has not fallen for ``patience`` evaluations."""
        began, tokens_before = time.monotonic(), self.state.tokens
        seconds_before = self.state.seconds
        for batch in self._batches(self.state.step):
            if self.state.step >= self.steps:
                break
            if self._has_lost_patience():
                return "patience"
            self._step(batch)
            if self.eval_rows and (self.state.step % self.eval_every == 0 or self.state.step == self.steps):
                self._evaluate()
            elapsed = time.monotonic() - began
            self.state.seconds = seconds_before + elapsed
            if self.state.step % self.settings.save_every == 0 or self.state.step == self.steps:
                self._save()
            if progress:
                progress(self._progress((self.state.tokens - tokens_before) / max(elapsed, 1e-9), elapsed))
        return "steps"

    def _step(self, batch: Batch) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.lr * _lr_share(self.state.step, self.steps, self.settings)
        loss = self._loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.state.step += 1
        self.state.tokens += batch.used
        self.state.losses.append(float(loss.detach()))
        if self.state.step % _TRIM_EVERY == 0:
            return_unused_memory()  # batches of many shapes leave holes as large as what is in use

    def _loss(self, batch: Batch, reduction: str = "mean") -> torch.Tensor:
        hidden = self.learner.hidden_states(batch.tokens, shared=self.shared)
        # The vocabulary is the widest layer by far: only the positions that are learnt go through it.
        at_answers = hidden.reshape(-1, hidden.shape[-1])[batch.where.to(self.device)]
        logits = self.learner.logits(at_answers)
        return nn.functional.cross_entropy(logits, batch.target.to(self.device), reduction=reduction)

    def _evaluate(self) -> None:
        lengths = [len(row.tokens) for row in self.eval_rows]
        rng = random.Random(0)  # noqa: S311 - the order does not matter here
        plan = plan_batches(lengths, token_budget=self.settings.token_budget, rng=rng)
        total, count = 0.0, 0
        with torch.no_grad():
            for indices in plan:
                batch = collate([self.eval_rows[index] for index in indices], shared=self.shared)
                total += float(self._loss(batch, "sum"))
                count += len(batch.target)
        is_best = total / count < self.state.best_eval[1]
        self.state.eval_losses.append((self.state.step, total / count))
        if is_best:
            self.state.best = self.learner.copy()

    def _has_lost_patience(self) -> bool:
        steps_since = [step for step, _ in self.state.eval_losses if step > self.state.best_eval[0]]
        return len(steps_since) >= self.settings.patience

    def _progress(self, tokens_per_s: float, elapsed: float) -> Progress:
        done = self.state.step
        mean_step = self.state.seconds / done if done else elapsed
        recent = self.state.losses[-20:]
        newest = self.state.eval_losses[-1][1] if self.state.eval_losses else None
        left_s = mean_step * (self.steps - done)
        return Progress(done, self.steps, sum(recent) / len(recent), newest, tokens_per_s, left_s)

    # ── files ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _save(self) -> None:
        state = {name: getattr(self.state, name) for name in _State.__slots__}
        whole = {
            "fingerprint": self.fingerprint,
            "weights": self.learner.copy(),
            "optimizer": self.optimizer.state_dict(),
            "state": state,
        }
        temporary = self.resume_path.with_suffix(".part")
        with temporary.open("wb") as file:
            torch.save(whole, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.resume_path)

    def _forget(self) -> None:
        """Remove what an earlier run left, the mark of completeness first."""
        for path in (self.report_path, self.resume_path, self.output / self.file):
            path.unlink(missing_ok=True)

    def _complete_report(self) -> TrainReport | None:
        """The report of this very run where it has been completed before."""
        if not self.report_path.is_file():
            return None
        try:
            found = json.loads(self.report_path.read_text(encoding="utf-8"))
            self._require_same(self.report_path, found["fingerprint"])
            found["eval_losses"] = [(step, loss) for step, loss in found["eval_losses"]]
            return TrainReport(**found) if (self.output / self.file).is_file() else None
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{self.report_path} is unreadable ({error}).", remedy="Start with --fresh.") from error

    def _require_same(self, path: Path, found: object) -> None:
        if found != self.fingerprint:
            raise ConfigError(
                f"{path} belongs to other data, settings or base.",
                remedy="Start with --fresh, or give another --output.",
            )

    def _restore(self) -> None:
        """Go on from ``resume.pt`` where there is one."""
        if not self.resume_path.is_file():
            return
        try:
            whole = torch.load(self.resume_path, map_location=self.device, weights_only=True)
            found = whole["fingerprint"]
        except Exception as error:  # torch.load raises many kinds on a foreign file
            raise ConfigError(f"{self.resume_path} is unreadable ({error}).", remedy="Start with --fresh.") from error
        self._require_same(self.resume_path, found)
        self.learner.set(whole["weights"])
        self.optimizer.load_state_dict(whole["optimizer"])
        self.state = _State(**whole["state"])

    def _finish(self, stopped: str) -> TrainReport:
        """Write the weights, then ``train.json``, whose presence says that the run is complete."""
        self.learner.save(self.output / self.file, self.state.best or self.learner.copy())
        recent = self.state.losses[-20:]
        report = TrainReport(
            lora=self.file,
            fingerprint=self.fingerprint,
            settings=self.identity,
            examples=len(self.rows),
            eval_examples=len(self.eval_rows),
            dropped=self.given + self.eval_given - len(self.rows) - len(self.eval_rows),
            steps=self.state.step,
            best_step=self.state.best_eval[0] or self.state.step,
            tokens=self.state.tokens,
            seconds=round(self.state.seconds, 1),
            train_loss=sum(recent) / max(1, len(recent)),
            eval_losses=list(self.state.eval_losses),
            stopped=stopped,
        )
        _write_json(self.report_path, report.as_json())
        self.resume_path.unlink(missing_ok=True)
        return report


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _shared_length(rows: Sequence[Row]) -> int:
    """How many tokens all rows begin with; always fewer than come before any answer."""
    first, last = min(row.tokens for row in rows), max(row.tokens for row in rows)
    limit = min(row.answer for row in rows) - 1
    return next((n for n in range(limit) if first[n] != last[n]), limit)


def _lr_share(step: int, steps: int, settings: TrainSettings) -> float:
    """Linear warm-up, then half a cosine down to ``final_lr``."""
    warmup = max(1, round(settings.warmup * steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return settings.final_lr + (1 - settings.final_lr) * 0.5 * (1 + math.cos(math.pi * done))


def _write_json(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
