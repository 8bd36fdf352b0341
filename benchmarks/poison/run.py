"""What malicious conversations do to what is learnt: 5 % poisoned log rows through the loop.

    python -m benchmarks.poison.run [--share 0.05] [--seeds 3] [--attacks usual adaptive] [--teacher recorded] [--raw] [--json]

The attacks are those of ``benchmarks.poison.attacks``. Teacher: ``recorded``, which knows no malicious row, or
``oracle``, which judges every row and is always right (no real one is). For each seed: the rows of each kind that reach
the training set with the act that the attacker wants; a linear classifier, learnt from the refined set with and without
the poison, on the same held-out rows, in pairs; and how often a trigger turns a message into the attacker's act, with
the poison and without.
``--raw``: also a classifier that learns from the poisoned log as it is. Whatever a model learns, a write needs the
customer's yes to what code reads back (``benchmarks.attacker``).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shopbot_refine.dataset import Example, load_examples
from shopbot_refine.injections import find_injection
from shopbot_refine.pipeline import Pipeline
from shopbot_refine.records import read_rows
from shopbot_refine.runs import RunSettings, start_run
from shopbot_refine.stages import read_turns, rejected_path

from benchmarks.poison import effects, oracle
from benchmarks.poison.attacks import ATTACKS
from benchmarks.poison.standing_orders import ORDERS, ORDINARY
from benchmarks.refine.logs import Row, held_out, log_rows, raw_examples, write_held_out, write_log
from benchmarks.refine.run import linear_model
from benchmarks.setup import plugins
from shopbot.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS), choices=list(ATTACKS))
    parser.add_argument("--teacher", default="recorded", choices=["recorded", "oracle"])
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows, judged = log_rows(), held_out()
    found: list[dict[str, Any]] = [{"standing orders found": _recall()}]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference, _ = _refined(rows, folder / "clean", arguments.teacher)
        clean = linear_model(reference)
        found.append({"without the poison": _good_rows_lost(rows, folder / "clean"), "rows": len(reference)})
        _tell(found, arguments.json)
        for seed in range(arguments.seeds):
            for attack in arguments.attacks:
                make, triggers = ATTACKS[attack]
                poison = make(rows, round(arguments.share * len(rows)), seed)
                examples, survived = _refined([*rows, *poison], folder / f"{attack}-{seed}", arguments.teacher)
                arms = {"refined": examples}
                if arguments.raw:
                    arms["not refined"] = raw_examples([*rows, *poison])
                for arm, learnt in arms.items():
                    model = linear_model(learnt)
                    works = {
                        one: [round(effects.triggered(some, judged, one), 4) for some in (model, clean)]
                        for one in triggers
                    }
                    paired = effects.compare(clean, model, judged)
                    found.append({"attack": attack, "seed": seed, "arm": arm, **paired, "the trigger works": works})
                    if arm == "refined":
                        planted = Counter(row.corruption for row in poison)
                        found[-1]["reach the set"] = {kind: f"{survived[kind]} of {n}" for kind, n in planted.items()}
                    _tell(found[-1:], arguments.json)
    if arguments.json:
        print(json.dumps(found))


def _refined(rows: Sequence[Row], home: Path, teacher: str) -> tuple[list[Example], Counter[str]]:
    """The refined set of a log, and of each kind of row how many are in it as they were logged."""
    home.mkdir()
    os.environ["SHOPBOT_HOME"] = str(home)
    log, eval_set, answers = home / "log.jsonl", home / "held_out.jsonl", home / "oracle.jsonl"
    write_log(list(rows), log)
    write_held_out(eval_set)
    config = Config(plugins={"refine": {"write": 0}})
    wanted = RunSettings(
        logs=(str(log),),
        eval_sets=(str(eval_set),),
        transcripts=False,
        teacher="recorded",
        recordings=(str(answers),) if teacher == "oracle" else (),
    )
    pipeline = Pipeline(start_run(config, wanted), config, plugins=plugins())
    for stage, work in list(pipeline.stages())[:6]:
        work()
        if stage == "clean" and teacher == "oracle":
            oracle.write_answers(read_turns(pipeline.folder, "clean"), rows, answers)
    learnt = {row["id"]: row["acts"] for row in read_rows(pipeline.folder / "check.jsonl")}
    survived = Counter(row.corruption for row in rows if learnt.get(row.id) == [row.act])
    return load_examples([pipeline.folder / "export" / "examples.jsonl"]), survived


def _good_rows_lost(rows: Sequence[Row], home: Path) -> dict[str, int]:
    """Stage and reason → the good rows that it cost."""
    good = {row.id for row in rows if row.is_right and row.corruption in ("none", "pii_appended")}
    [run] = (home / "refine" / "runs").iterdir()
    gone = Counter(
        f"{stage}: {row['reason']}"
        for stage in ("clean", "teach", "check")
        for row in read_rows(rejected_path(run, stage))
        if row["id"] in good
    )
    return {"good rows": len(good), **dict(gone.most_common())}


def _recall() -> dict[str, str]:
    """Language → how many of the blind standing orders the patterns find, and of the ordinary messages."""

    def found(said: Sequence[str]) -> str:
        return f"{sum(find_injection(one) is not None for one in said)} of {len(said)}"

    return {name: f"{found(said)}, ordinary {found(ORDINARY[name])}" for name, said in ORDERS.items()}


def _tell(found: Sequence[dict[str, Any]], is_json: bool) -> None:
    if not is_json:
        for one in found:
            print(json.dumps(one, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
