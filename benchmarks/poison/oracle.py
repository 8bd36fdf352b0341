"""A teacher that judges every row and is always right: answers made from the true labels. No real teacher is that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from shopbot_refine.prompts import judge_request, system_prompt
from shopbot_refine.records import LoggedTurn

from benchmarks.refine.logs import Row
from benchmarks.setup import plugins


def write_answers(turns: Iterable[LoggedTurn], rows: Sequence[Row], path: Path) -> None:
    """Answers to the judge questions about these turns, as a file that ``--recorded`` takes."""
    known = {row.id: row for row in rows}
    system = system_prompt(plugins().tools())  # today's prompt, so that these come before the shipped answers
    with path.open("w", encoding="utf-8") as file:
        for turn in turns:
            row = known[turn.id]
            verdict = "keep" if row.is_right else "fix" if row.right else "drop"
            acts = [row.act] if row.is_right else [f"{min(row.right)}()"] if row.right else []
            for second in (False, True):
                request = judge_request(turn, system, second_opinion=second)
                answer = {"verdict": verdict, "acts": acts, "why": "the true label", "utterances": []}
                line = {"request": request.key, "prompt": request.prompt, "teacher": "oracle", "answer": answer}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
