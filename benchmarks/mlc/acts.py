"""Whether a compiled checkpoint reads messages as the GGUF does: the very calls of an evaluation, answered by both.

    python -m benchmarks.mlc.acts record CALLS CHECKPOINT [--threads N] [--only "golden cases"|"third-party rows"]
    python -m benchmarks.mlc.acts replay CALLS CHECKPOINT [--threads N] [--reversed] [--at-once N]

``record`` reads the seed set's eval rows and plays the first-party golden cases, as refine's gate does, on a
checkpoint of this home, and writes every call of its engine (prompt with the dialogue's state, grammar, limit, bias)
with the answer to the file CALLS, as it comes: what is there when it is stopped can be replayed. Third-party rows are
600 held-out ones of ``../shared/data``, read only where ``--only`` names them. ``replay`` asks another
checkpoint, or the same one again, and prints what differs as JSON. Two commands, for two engines in one process slow
each other. ``--at-once``: so many tokens of a prompt are read at once by llama.cpp, which then adds the same numbers in
another order; nothing else about it changes.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shopbot_refine.judging import understand_by
from shopbot_refine.suite import build_suite

from benchmarks import shared_data
from benchmarks.setup import plugins
from shopbot.backends import Completion, ModelBackend, gguf
from shopbot.config import Config
from shopbot.evals import run_cases, wilson
from shopbot.grammar import parse
from shopbot.minds import open_backend

GOLDEN, EVAL, FOREIGN = "golden cases", "eval rows", "third-party rows"
_FOREIGN_ROWS = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine wrote: its tokens, and the log-probability of each without the grammar."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]

    @classmethod
    def of(cls, completion: Completion) -> Answer:
        tokens = completion.tokens
        return cls(tuple(token.text for token in tokens), tuple(round(token.logprob, 4) for token in tokens))

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def acts(self) -> list[tuple[str, dict[str, str]]]:
        return [(act.name, dict(act.arguments)) for act in parse(self.text)]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an engine and its answer. ``kind``: what it was made for."""

    kind: str
    prompt: str
    grammar: str | None
    max_tokens: int
    bias: Mapping[str, float] | None
    answer: Answer


class _Recording:
    """A backend whose calls are written to ``path``, a line each."""

    def __init__(self, inner: ModelBackend, path: Path) -> None:
        self._inner, self.name = inner, inner.name
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self.kind = EVAL
        self.count: Counter[str] = Counter()

    def complete(
        self,
        prompt: str,
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        bias: Mapping[str, float] | None = None,
    ) -> Completion:
        found = self._inner.complete(prompt, grammar=grammar, max_tokens=max_tokens, bias=bias)
        call = Call(self.kind, prompt, grammar, max_tokens, bias, Answer.of(found))
        self._file.write(json.dumps(asdict(call)) + "\n")
        self.count[self.kind] += 1
        return found

    def close(self) -> None:
        self._inner.close()
        self._file.close()


def record(path: Path, checkpoint: str, *, threads: int = 0, only: str = "") -> Mapping[str, int]:
    """Play the suite on a checkpoint and write its calls to ``path``; returns how many of each kind, and how many
    golden cases passed. ``only``: one kind alone."""
    config, installed = _config(checkpoint, threads), plugins()
    suite = build_suite(installed)
    manifest, engine = open_backend(config, installed)
    if manifest is None:
        raise SystemExit(f"{checkpoint} is no checkpoint.")
    backend = _Recording(engine, path)
    try:
        understanding = understand_by(backend, manifest, installed)
        if only in ("", EVAL):
            for rows in suite.sets.values():
                for row in rows:
                    understanding(row.text, row.state)
        if only == FOREIGN:
            backend.kind = FOREIGN
            for example in random.Random(0).sample(list(shared_data.examples("held_out")), _FOREIGN_ROWS):
                understanding(example["text"], example["state"])
        if only in ("", GOLDEN):
            backend.kind = GOLDEN
            report = run_cases(suite.golden, config=config, plugins=installed, backend=backend, manifest=manifest)
            backend.count["golden cases passed"] = report.passed
    finally:
        backend.close()
    return backend.count


def replay(path: Path, checkpoint: str, *, threads: int = 0, is_reversed: bool = False) -> dict[str, Any]:
    """Ask a checkpoint all that ``path`` holds: for each kind how many answers are the same, and those that are not.

    ``is_reversed``: the last call first, so that an engine finds other beginnings of prompts in its cache.
    """
    calls = list(_read(path))
    _, engine = open_backend(_config(checkpoint, threads), plugins())
    answers: dict[int, Answer] = {}
    try:
        for place in sorted(range(len(calls)), reverse=is_reversed):
            call = calls[place]
            asked = {"grammar": call.grammar, "max_tokens": call.max_tokens, "bias": call.bias}
            answers[place] = Answer.of(engine.complete(call.prompt, **asked))
    finally:
        engine.close()
    pairs = [(call, answers[place]) for place, call in enumerate(calls)]
    kinds = dict.fromkeys(call.kind for call in calls)
    return {kind: _compared([pair for pair in pairs if pair[0].kind == kind]) for kind in kinds}


def _read_at_once(count: int) -> None:
    """Have llama.cpp read so many tokens at once, in every engine that is opened from now on."""
    xllamacpp = gguf.engine()
    make = xllamacpp.CommonParams

    def params() -> Any:
        made = make()
        made.n_batch = made.n_ubatch = count
        return made

    xllamacpp.CommonParams = params


def _config(checkpoint: str, threads: int) -> Config:
    config = Config().with_checkpoint(checkpoint)
    return config.model_copy(update={"model": config.model.model_copy(update={"threads": threads})})


def _read(path: Path) -> Iterator[Call]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        answer = Answer(tuple(row["answer"]["tokens"]), tuple(row["answer"]["logprobs"]))
        yield Call(**{**row, "answer": answer})


def _compared(pairs: Sequence[tuple[Call, Answer]]) -> dict[str, Any]:
    same = [call.answer.acts == answer.acts for call, answer in pairs]
    distinct = {
        (call.prompt, call.grammar, str(call.bias)): is_same for (call, _), is_same in zip(pairs, same, strict=True)
    }
    acts = sum(max(len(call.answer.acts), len(answer.acts)) for call, answer in pairs)
    beside = [both for call, answer in pairs for both in zip(call.answer.acts, answer.acts, strict=False)]
    differing = {_shown(call, answer) for (call, answer), is_same in zip(pairs, same, strict=True) if not is_same}
    return {
        "calls": _share(sum(same), len(same)),
        "distinct calls": _share(sum(distinct.values()), len(distinct)),
        "acts": _share(sum(one == other for one, other in beside), acts),
        "acts by name": _share(sum(one == other for (one, _), (other, _) in beside), acts),
        "the same text": _share(sum(call.answer.text == answer.text for call, answer in pairs), len(pairs)),
        "differing": sorted(differing),
    }


def _share(same: int, total: int) -> dict[str, Any]:
    low, high = wilson(same, total)
    share = same / total if total else 0.0
    return {"same": same, "of": total, "share": round(share, 4), "interval_95": [round(low, 4), round(high, 4)]}


def _shown(call: Call, answer: Answer) -> str:
    """The message, both texts, and how sure each engine was of its own where they part (log-probabilities)."""
    before, after = call.answer, answer
    lengths = min(len(before.tokens), len(after.tokens))
    place = next((at for at in range(lengths) if before.tokens[at] != after.tokens[at]), lengths)
    sure = [one.logprobs[place] if place < len(one.logprobs) else None for one in (before, after)]
    said = call.prompt.rpartition("\n")[2].removesuffix("<|im_end|>")
    return f"{said} | {before.text} {sure[0]} | {after.text} {sure[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("record", "replay"))
    parser.add_argument("calls", type=Path)
    parser.add_argument("checkpoint")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", choices=(EVAL, GOLDEN, FOREIGN), default="")
    parser.add_argument("--reversed", action="store_true")
    parser.add_argument("--at-once", type=int)
    given = parser.parse_args()
    if given.at_once is not None:
        _read_at_once(given.at_once)
    if given.what == "record":
        found: Mapping[str, Any] = record(given.calls, given.checkpoint, threads=given.threads, only=given.only)
    else:
        found = replay(given.calls, given.checkpoint, threads=given.threads, is_reversed=given.reversed)
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
