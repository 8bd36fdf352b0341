"""What refining is worth: the spoilt logs through the loop, and what is learnt from raw, refined and true labels.

    python -m benchmarks.refine.run [--rows 2500] [--epochs 2] [--seeds 1] [--limit 600] [--linear-only] [--json]

The loop runs with the recorded teacher, without written messages, on the logs without anything held out. Then, for each
seed, the same number of rows is drawn from the logs as they are, from the refined set and from the true labels, and the
same model is trained on each from nothing: a LoRA adapter on the 135M base, and a linear classifier (TF-IDF of words and
character n-grams, logistic regression). Judged: routing on the held-out rows. Share closed: (refined - raw) / (true - raw).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shopbot_refine.dataset import Example, load_examples
from shopbot_refine.records import read_rows
from shopbot_refine.stages import read_report, rejected_path, rows_path

from benchmarks.refine.logs import Row, held_out, log_rows, raw_examples, true_examples, write_held_out, write_log
from benchmarks.setup import plugins
from benchmarks.shared_data import ACTS_OF_INTENT
from shopbot.backends import BackendSettings
from shopbot.config import Config
from shopbot.evals import wilson
from shopbot.models import locate_model
from shopbot.understand import Understanding, render_prompt

ARMS = ("raw", "refined", "true")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--limit", type=int, default=600, help="held-out rows that the model is judged on, drawn by chance"
    )
    parser.add_argument("--linear-only", action="store_true", help="leave the 135M model out")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    base = locate_model()
    rows = log_rows()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SHOPBOT_HOME"] = folder
        refined, found = refine(rows, Path(folder))
        sets = {"raw": raw_examples(rows), "refined": refined, "true": true_examples(rows)}
        budget = min(arguments.rows, *map(len, sets.values()))
        scores: dict[str, list[float]] = {}
        judged = random.Random(0).sample(held_out(), arguments.limit)
        for seed in range(arguments.seeds):
            for arm in ARMS:
                drawn = random.Random(seed).sample(sets[arm], budget)
                scores.setdefault(f"linear {arm}", []).append(_linear(drawn, held_out()))
                if not arguments.linear_only:
                    output = Path(folder) / f"{arm}-{seed}"
                    share = _model(drawn, judged, base, output, epochs=arguments.epochs, seed=seed)
                    scores.setdefault(f"model {arm}", []).append(share)
                    print(f"  seed {seed}, {arm}: {share:.1%}", flush=True)
    result = {"rows": {arm: len(sets[arm]) for arm in ARMS}, "budget": budget, "log": found, "scores": scores}
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    print(json.dumps({key: result[key] for key in ("rows", "budget", "log")}, indent=1))
    for kind, n in (("linear", len(held_out())), ("model", len(judged))):
        if f"{kind} raw" not in scores:
            continue
        means = {arm: sum(scores[f"{kind} {arm}"]) / arguments.seeds for arm in ARMS}
        for arm in ARMS:
            low, high = wilson(round(means[arm] * n), n)
            print(f"{kind:7} {arm:8} {means[arm]:7.2%}  [{low:.2%}, {high:.2%}]  n={n}, {arguments.seeds} seeds")
        print(
            f"{kind:7} share of the gap closed: {(means['refined'] - means['raw']) / (means['true'] - means['raw']):.0%}"
        )


def refine(
    rows: list[Row], folder: Path, judged: Sequence[dict[str, Any]] = ()
) -> tuple[list[Example], dict[str, Any]]:
    """The refined set, and of each corruption how much was found. ``judged``: more rows that nothing may be learnt from."""
    from shopbot_refine.pipeline import Pipeline
    from shopbot_refine.runs import RunSettings, start_run

    log, eval_set = folder / "log.jsonl", folder / "held_out.jsonl"
    write_log(rows, log)
    write_held_out(eval_set, judged)
    config = Config(plugins={"refine": {"write": 0}})
    wanted = RunSettings(logs=(str(log),), eval_sets=(str(eval_set),), transcripts=False, teacher="recorded")
    pipeline = Pipeline(start_run(config, wanted), config, plugins=plugins())
    for _, work in list(pipeline.stages())[:6]:
        work()
    report = read_report(pipeline.folder, "teach")
    found = _found(rows, pipeline.folder)
    return load_examples([pipeline.folder / "export" / "examples.jsonl"]), {
        **found,
        "teach": report.details if report else {},
    }


def _found(rows: list[Row], folder: Path) -> dict[str, Any]:
    """For each corruption: rows, and how many of them ended as they should; and what was lost of the good rows."""
    gone = {
        row["id"]: f"{stage}: {row['reason']}"
        for stage in ("redact", "clean", "teach", "check")
        for row in read_rows(rejected_path(folder, stage))
    }
    acts = {row["id"]: row["acts"][0].partition("(")[0] for row in read_rows(rows_path(folder, "check"))}
    texts = {row["id"]: row["text"] for row in read_rows(rows_path(folder, "redact"))}
    done: Counter[str] = Counter()
    for row in rows:
        is_gone = row.id in gone
        if row.corruption == "pii_appended":
            done[row.corruption] += texts.get(row.id) != row.text
        elif row.corruption in ("label_flip", "irrelevant"):
            done[row.corruption] += is_gone or acts.get(row.id) in row.right
        elif row.corruption != "none":
            done[row.corruption] += is_gone
    total = Counter(row.corruption for row in rows)
    good = [row for row in rows if row.is_right and row.corruption in ("none", "pii_appended")]
    lost = Counter(gone[row.id] for row in good if row.id in gone)
    changed = sum(row.id in acts and acts[row.id] not in row.right for row in good)
    return {
        "found": {name: f"{done[name]} of {total[name]}" for name in sorted(total) if name != "none"},
        "good rows": len(good),
        "good rows lost": dict(lost.most_common()),
        "good rows given another act than the data's": changed,
        "wrong labels left": sum(row.id in acts and acts[row.id] not in row.right for row in rows),
    }


def linear_model(examples: Sequence[Example]) -> Any:
    """A classifier of act names: TF-IDF of words and character n-grams, logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    model = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2),
        ),
        LogisticRegression(C=20, max_iter=1000),
    )
    model.fit([one.text for one in examples], [one.acts[0].partition("(")[0] for one in examples])
    return model


def _linear(examples: Sequence[Example], judged: Sequence[dict[str, Any]]) -> float:
    found = linear_model(examples).predict([row["text"] for row in judged])
    return sum(name in ACTS_OF_INTENT[row["intent"]] for name, row in zip(found, judged, strict=True)) / len(judged)


def _model(
    examples: Sequence[Example], judged: Sequence[dict[str, Any]], base: Path, output: Path, *, epochs: float, seed: int
) -> float:
    from shopbot_refine.settings import TrainSettings
    from shopbot_refine.train import train

    from shopbot.backends.gguf import GgufBackend

    settings = TrainSettings(epochs=epochs, lr=1e-3, token_budget=1280, seed=seed)
    train(examples, eval_examples=[], base=base, output=output, settings=settings, render=render_prompt)
    backend = GgufBackend(BackendSettings(base, output / "lora.gguf", threads=2, slots=1, context=1024))
    tools = plugins().tools()
    understanding = Understanding(backend, tools.values(), trained=tools)
    right = 0
    for row in judged:
        acts = understanding(row["text"], "-").acts
        right += bool(acts) and acts[0].name in ACTS_OF_INTENT[row["intent"]]
    backend.close()
    return right / len(judged)


if __name__ == "__main__":
    main()
