"""Recall and precision of the redaction patterns, and time a turn: ``python benchmarks/redact/run.py``.

The rows are third-party sentences (``../shared/data/pii.jsonl``); the patterns know nothing of their people, so this is
redaction at its hardest. A span is *covered* when every letter and digit of it is inside a placeholder, *touched* when
one is. Precision: the share of placeholders that touch any personal span. With ``--misses N`` some misses are shown.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path
from statistics import median, quantiles
from time import thread_time
from typing import Any

from shopbot.personal_data import find
from shopbot.redact import Redactor, merge_spans

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "pii.jsonl"
#: What a shop's transcript keeps on purpose: it names nobody.
KEPT = {"ORGANIZATION", "GPE", "DATE_TIME", "TITLE", "NRP", "AGE", "DOMAIN_NAME"}


def measure(rows: list[dict[str, Any]], *, misses: int = 0) -> dict[str, Any]:
    """Counts per type, precision and processor milliseconds a text."""
    total: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    wrong_kinds: Counter[str] = Counter()
    right, given = 0, 0
    missed: list[tuple[str, str]] = []
    times = []
    for row in rows:
        text = row["text"]
        started = thread_time()
        Redactor(b"benchmark").text(text)
        times.append(1e3 * (thread_time() - started))
        spans = merge_spans(find(text))
        hidden = {place for span in spans for place in range(span.start, span.end)}
        for gold in row["spans"]:
            places = [place for place in range(gold["start"], gold["end"]) if text[place].isalnum()]
            inside = sum(place in hidden for place in places)
            total[gold["type"]] += 1
            covered[gold["type"]] += inside == len(places)
            touched[gold["type"]] += inside > 0
            if inside < len(places) and gold["type"] not in KEPT:
                missed.append((gold["type"], text))
        given += len(spans)
        for span in spans:
            is_right = any(span.start < gold["end"] and gold["start"] < span.end for gold in row["spans"])
            right += is_right
            if not is_right:
                wrong_kinds[span.kind] += 1
                missed.append((f"WRONG {span.kind}: {text[span.start : span.end]!r}", text))
    if misses:
        for kind, text in random.Random(0).sample(missed, min(misses, len(missed))):
            print(f"{kind}: {text!r}", file=sys.stderr)
    cuts = quantiles(times, n=100)
    return {
        "n": len(rows),
        "types": {
            kind: {
                "n": total[kind],
                "covered": round(covered[kind] / total[kind], 3),
                "touched": round(touched[kind] / total[kind], 3),
                "is_aimed_at": kind not in KEPT,
            }
            for kind in sorted(total, key=lambda kind: (kind in KEPT, -total[kind]))
        },
        "precision": round(right / given, 3),
        "placeholders": given,
        "wrong": dict(wrong_kinds),
        "ms": {"median": round(median(times), 3), "p99": round(cuts[98], 3)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--misses", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    if not DATA.is_file():
        print(f"{DATA} is absent: nothing to measure.", file=sys.stderr)
        return
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    found = measure(rows, misses=arguments.misses)
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'type':20} {'n':>5} {'covered':>8} {'touched':>8}")
    for kind, scores in found["types"].items():
        note = "" if scores["is_aimed_at"] else "  (kept on purpose)"
        print(f"{kind:20} {scores['n']:5} {scores['covered']:8.1%} {scores['touched']:8.1%}{note}")
    print(f"precision {found['precision']:.1%} of {found['placeholders']} placeholders; wrong: {found['wrong']}")
    print(f"processor time a text: median {found['ms']['median']} ms, 99th percentile {found['ms']['p99']} ms")


if __name__ == "__main__":
    main()
