"""Does the FAQ search find the right passage, and does it know when there is none?

    python benchmarks/faq/run.py                 # the tables in plugins/shopbot-faq/README.md
    python benchmarks/faq/run.py --fit           # fit weights and thresholds on the development part and print them
    python benchmarks/faq/run.py --part dev -v   # what went wrong, on the part that may be looked at

``questions.tsv`` has the labelled questions. A question belongs to the development or the held-out part by a hash of
its text; only the development part was used to fit the weights and to choose the thresholds. The thresholds are
chosen on scores that every question got from weights fitted without it.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from shopbot_faq import search, words
from shopbot_faq.answers import clear_first, find
from shopbot_faq.folder import EXAMPLE_FOLDER, FaqFolder

from shopbot import TextIndex

#: Share of the unanswerable development questions that may be answered; it sets the threshold.
MAX_FALSE = 0.1
#: Of the passages that are quoted as close to an answerable question, at least this share must be the right one.
MIN_CLOSE_RIGHT = 0.7
FOLDS = 5
HERE = Path(__file__).parent
Part = Literal["dev", "held_out"]
#: A searcher gives the best passage's id and a score.
Searcher = Callable[[str], tuple[str, float]]


@dataclass(frozen=True)
class Row:
    """``passages``: ids that answer ``text``; none: the shop's pages do not say."""

    text: str
    passages: frozenset[str]
    part: Part


@dataclass(frozen=True)
class Score:
    """Counts over rows with an answer (``answerable``) and without."""

    answerable: int
    found: int
    answered_right: int
    answered_wrong: int
    unanswerable: int
    said_unknown: int

    def lines(self) -> Iterable[tuple[str, str]]:
        yield "right passage first (recall@1)", share(self.found, self.answerable)
        yield "answered, and rightly", share(self.answered_right, self.answerable)
        yield "answered from a wrong passage", share(self.answered_wrong, self.answerable)
        yield (
            'said "I don\'t know" though the pages say',
            share(self.answerable - self.answered_right - self.answered_wrong, self.answerable),
        )
        yield 'no answer in the pages: said "I don\'t know"', share(self.said_unknown, self.unanswerable)
        yield "no answer in the pages: false answer", share(self.unanswerable - self.said_unknown, self.unanswerable)


def read(path: Path = HERE / "questions.tsv") -> list[Row]:
    """All rows. Below a line ``# part: dev`` all rows are for development."""
    rows, is_dev = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        is_dev = is_dev or line.startswith("# part: dev")
        if line and not line.startswith("#"):
            labels, _, text = line.partition("\t")
            ids = () if labels == "-" else (label.replace("#", ".md#") for label in labels.split(","))
            part: Part = "dev" if is_dev or hashlib.sha256(text.encode()).digest()[0] % 2 else "held_out"
            rows.append(Row(text, frozenset(ids), part))
    return rows


def score(rows: Sequence[Row], searcher: Searcher, threshold: float) -> Score:
    answers = [(row, *searcher(row.text)) for row in rows]
    known = [(row, passage, value) for row, passage, value in answers if row.passages]
    right = [(row, value) for row, passage, value in known if passage in row.passages]
    return Score(
        answerable=len(known),
        found=len(right),
        answered_right=sum(value >= threshold for _, value in right),
        answered_wrong=sum(value >= threshold for row, passage, value in known if passage not in row.passages),
        unanswerable=len(answers) - len(known),
        said_unknown=sum(value < threshold for row, _, value in answers if not row.passages),
    )


def share(hits: int, total: int) -> str:
    """``hits of total, percent (95 % interval)``; Wilson's interval."""
    if not total:
        return "-"
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return (
        f"{hits} of {total}, {100 * p:.1f} % ({100 * max(0.0, middle - half):.1f}–{100 * min(1.0, middle + half):.1f})"
    )


def ours(index: search.PassageIndex) -> Searcher:
    def find(text: str) -> tuple[str, float]:
        hit = index.search(text, limit=1)[0]
        return hit.passage.id, hit.score

    return find


def ngrams(index: search.PassageIndex) -> Searcher:
    """Baseline: character n-grams of the titles, questions and text."""
    texts = TextIndex([" ".join((*p.trail, p.title, *p.questions, p.text)) for p in index.passages])

    def find(text: str) -> tuple[str, float]:
        scores = texts.scores(text)
        return index.passages[int(scores.argmax())].id, float(scores.max())

    return find


def full_text(index: search.PassageIndex) -> Searcher:
    """Baseline: SQLite FTS5 with the Porter stemmer and BM25 over the same words."""
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE passage USING fts5(text, tokenize='porter unicode61')")
    texts = [(" ".join((*p.trail, p.title, *p.questions, p.text)),) for p in index.passages]
    base.executemany("INSERT INTO passage(text) VALUES (?)", texts)

    def find(text: str) -> tuple[str, float]:
        asked = " OR ".join(f'"{word}"' for word in words.fold(text) if word not in words.stop_words())
        query = "SELECT rowid, -bm25(passage) FROM passage WHERE passage MATCH ? ORDER BY 2 DESC LIMIT 1"
        row = base.execute(query, (asked,)).fetchone() if asked else None
        return (index.passages[row[0] - 1].id, float(row[1])) if row else ("", 0.0)

    return find


def careful_threshold(rows: Sequence[Row], searcher: Searcher) -> float:
    """The lowest threshold that lets through at most :data:`MAX_FALSE` of the questions that no page answers."""
    return _letting_through(searcher(row.text)[1] for row in rows if not row.passages)


def _letting_through(scores: Iterable[float]) -> float:
    ranked = sorted(scores, reverse=True)
    return math.nextafter(ranked[int(MAX_FALSE * len(ranked))], math.inf)


def fit_thresholds(index: search.PassageIndex, rows: Sequence[Row]) -> tuple[float, float]:
    """THRESHOLD and CLOSE_SHARE, from scores of weights that were fitted without the question."""
    scored: list[tuple[Row, list[search.Hit]]] = []
    for number in range(FOLDS):
        use(*fit(index, [row for place, row in enumerate(rows) if place % FOLDS != number]))
        scored += [(row, index.search(row.text, limit=2)) for row in rows[number::FOLDS]]
    threshold = math.ceil(100 * _letting_through(hits[0].score for row, hits in scored if not row.passages)) / 100
    leading = [
        (hits[0].score, hits[0].passage.id in row.passages)
        for row, hits in scored
        if row.passages and hits[0].score < threshold and clear_first(hits, 0.0)
    ]
    for percent in range(5, 100, 5):
        quoted = [is_right for value, is_right in leading if value >= percent / 100 * threshold]
        if quoted and sum(quoted) >= MIN_CLOSE_RIGHT * len(quoted):
            return threshold, percent / 100
    return threshold, 1.0


def use(weights: Sequence[float], none: Sequence[float]) -> None:
    search.WEIGHTS, search.NONE_WEIGHTS = tuple(weights), tuple(none)  # type: ignore[assignment]


def fit(
    index: search.PassageIndex, rows: Sequence[Row], steps: int = 3_000, decay: float = 0.02
) -> tuple[list[float], ...]:
    """Weights of the conditional logit by Adam; features of a passage weigh at least nothing."""
    place = {passage.id: number for number, passage in enumerate(index.passages)}
    data = [index.features(row.text) for row in rows]
    features = np.stack([passages for passages, _ in data])
    nones = np.stack([none for _, none in data])
    target = np.zeros((len(rows), len(place) + 1))
    for number, row in enumerate(rows):
        for passage in row.passages or ():
            target[number, place[passage]] = 1
        target[number, -1] = not row.passages
    weights = np.ones(len(search.FEATURES) + len(search.NONE_FEATURES))
    split = len(search.FEATURES)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        utility = np.concatenate([features @ weights[:split], (nones @ weights[split:])[:, None]], axis=1)
        chance = np.exp(utility - utility.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        wanted = chance * target
        wanted /= wanted.sum(axis=1, keepdims=True)
        error = (chance - wanted) / len(rows)
        gradient = np.concatenate([np.einsum("rp,rpf->f", error[:, :-1], features), error[:, -1] @ nones])
        gradient += decay / len(rows) * weights
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weights -= 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        weights[:split] = weights[:split].clip(min=0)
    return [round(float(w), 2) for w in weights[:split]], [round(float(w), 2) for w in weights[split:]]


def replies(index: search.PassageIndex, rows: Sequence[Row]) -> Iterable[tuple[str, str]]:
    """What a customer gets to read, tier by tier."""
    found = [(row, find(index, row.text, search.THRESHOLD)) for row in rows]
    known = [(row, it) for row, it in found if row.passages]
    unknown = [it for row, it in found if not row.passages]

    def count(certainty: str, is_right: bool) -> int:
        return sum(
            it.certainty == certainty
            and is_right == any(hit.passage.id in row.passages for hit in it.shown or it.named)
            for row, it in known
        )

    close = count("close", True) + count("close", False)
    yield "sure: the right passage", share(count("sure", True), len(known))
    yield "sure: a wrong passage", share(count("sure", False), len(known))
    yield "close: quotes the right passage", share(count("close", True), len(known))
    yield "close: quotes another passage", share(count("close", False), len(known))
    yield "none: names the right page", share(count("none", True), len(known))
    yield "none: does not name it", share(count("none", False), len(known))
    yield "of those quoted as close, the right one", share(count("close", True), close)
    yield "no answer in the pages: false answer", share(sum(it.certainty == "sure" for it in unknown), len(unknown))
    yield "no answer in the pages: hedged quote", share(sum(it.certainty == "close" for it in unknown), len(unknown))
    silent = [it for it in unknown if it.certainty == "none"]
    yield "no answer in the pages: titles only", share(sum(bool(it.named) for it in silent), len(unknown))
    yield 'no answer in the pages: plain "could not find"', share(sum(not it.named for it in silent), len(unknown))


def latency(index: search.PassageIndex, rows: Sequence[Row]) -> tuple[float, float]:
    """Median and 95th percentile of a search in milliseconds of processor time (a busy neighbour does not count)."""
    times = []
    for row in rows:
        start = time.thread_time()
        index.search(row.text)
        times.append(1000 * (time.thread_time() - start))
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--part", choices=["dev", "held_out"], default="held_out")
    parser.add_argument("-v", "--verbose", action="store_true", help="list what went wrong")
    arguments = parser.parse_args()
    index = FaqFolder(EXAMPLE_FOLDER).index
    rows = read()
    dev = [row for row in rows if row.part == "dev"]
    judged = [row for row in rows if row.part == arguments.part]
    if arguments.fit:
        search.THRESHOLD, search.CLOSE_SHARE = fit_thresholds(index, dev)
        weights, none = fit(index, dev)
        use(weights, none)
        print("WEIGHTS =", tuple(weights), "\nNONE_WEIGHTS =", tuple(none))
        print("THRESHOLD =", search.THRESHOLD, "\nCLOSE_SHARE =", search.CLOSE_SHARE, "\n")
    table = []
    for name, searcher in (("SQLite FTS5", full_text(index)), ("n-grams", ngrams(index)), ("shopbot_faq", ours(index))):
        threshold = search.THRESHOLD if name == "shopbot_faq" else careful_threshold(dev, searcher)
        table.append((name, dict(score(judged, searcher, threshold).lines())))
    print(f"| {arguments.part} | " + " | ".join(name for name, _ in table) + " |")
    print("|---" * (len(table) + 1) + "|")
    for line in table[0][1]:
        print(f"| {line} | " + " | ".join(result[line] for _, result in table) + " |")
    print(f"\n| {arguments.part} | what the customer gets |\n|---|---|")
    for line, value in replies(index, judged):
        print(f"| {line} | {value} |")
    median, tail = latency(index, rows)
    print(
        f"\n{len(index.passages)} passages; processor time of a search: {median:.1f} ms (median), {tail:.1f} ms (p95)"
    )
    if arguments.verbose:
        for row in judged:
            hits = index.search(row.text)
            is_right = hits[0].passage.id in row.passages if hits[0].score >= search.THRESHOLD else not row.passages
            if not is_right:
                print(f"{row.text}\n    want {', '.join(sorted(row.passages)) or '-'}")
                print("".join(f"    {hit.score:.2f} {hit.passage.id}\n" for hit in hits), end="")


if __name__ == "__main__":
    main()
