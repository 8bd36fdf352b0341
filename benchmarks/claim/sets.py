"""The three training sets and what is judged, as files: ``python -m benchmarks.claim.sets FOLDER``.

Two spoilt logs in one: the third-party log of messages (recorded teacher) and the log of calls with arguments (nobody's
answers: ``clean``, the label model and ``check`` alone). *raw* takes it as it is, *refined* is what the loop makes of it,
*true* is what somebody would learn from who knew. ``replay.jsonl``, examples of the seed set, goes with all three, as in
every refine run: without it no model knows what a dialogue is.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shopbot_refine.dataset import Example
from shopbot_refine.seed import split_seed

from benchmarks.claim.calls import call_log, judged_calls, right_calls
from benchmarks.refine.logs import held_out, log_rows, raw_examples, true_examples
from benchmarks.refine.run import refine
from benchmarks.shared_data import ACTS_OF_INTENT, call_as_act
from shopbot import fold

DATA = ("raw", "refined", "true")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--routing", type=int, default=600, help="rows to judge routing on, drawn by chance")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    acts = right_calls()
    with_argument = {fold(text) for text, act in acts.items() if act.arguments}
    # the messages' log names acts without arguments: a message that has one is in the calls' log alone
    messages = [row for row in log_rows() if fold(row.text) not in with_argument]
    known = {fold(row.text) for row in messages}
    calls, true_calls = call_log({text: act for text, act in acts.items() if fold(text) not in known})
    rows = [*messages, *calls]
    with tempfile.TemporaryDirectory() as home:
        os.environ["SHOPBOT_HOME"] = home
        refined, found = refine(rows, Path(home), judged_calls())
    sets = {"raw": raw_examples(rows), "refined": refined, "true": [*true_examples(messages), *true_calls]}
    for name, examples in sets.items():
        random.Random(name).shuffle(examples)
        _write(folder / f"{name}.jsonl", (json.loads(one.to_json()) for one in examples))
    _write(folder / "replay.jsonl", (json.loads(one.to_json()) for one in _replay()))
    drawn = random.Random(0).sample(held_out(), arguments.routing)
    routing = ({"text": row["text"], "right": sorted(ACTS_OF_INTENT[row["intent"]])} for row in drawn)
    _write(folder / "routing.jsonl", routing)
    _write(folder / "calls.jsonl", ({"text": row["text"], "right": call_as_act(row)} for row in judged_calls()))
    told = {"rows": {name: len(examples) for name, examples in sets.items()}, "log": found}
    (folder / "sets.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))


def _replay() -> list[Example]:
    own, _ = split_seed(seed=0)
    random.Random("replay").shuffle(own)
    return own


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
