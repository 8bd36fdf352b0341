"""The report: its numbers are the run's, and nothing that a log or a teacher says can become anything but text."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from shopbot_refine.comparison import compare, compare_tools, measure_reliability
from shopbot_refine.config import RefineConfig
from shopbot_refine.gate import decide
from shopbot_refine.records import Candidate, LoggedTurn, Rejected
from shopbot_refine.report import render_report, write_report
from shopbot_refine.scores import GOLDEN, Pair, Score
from shopbot_refine.settings import TrainReport
from shopbot_refine.stages import run_stage, write_json

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=https://evil.example/x onerror=alert(1)>',
    "</td></table></style><style>body{background:url(//evil.example)}</style>",
    "{{ 7*7 }}{% for x in y %} javascript:alert(1) \x00\x1b[31m <!-- ",
]
VOID = {"meta", "link", "img", "br", "hr", "input", "base"}


class Page(HTMLParser):
    """Tags, attributes, tables and text of a page, checked for balance."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._open: list[str] = []
        self._caption = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag == "tr" and self._caption:
            self.tables[self._caption].append([])
        if tag in ("td", "th") and self._caption:
            self.tables[self._caption][-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "table":
            self._caption = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open[-1:] == ["caption"]:
            self._caption = data
            self.tables[data] = []
        elif self._open[-1:] in (["td"], ["th"]) and self._caption:
            self.tables[self._caption][-1][-1] += data

    def rows(self, caption: str) -> dict[str, list[str]]:
        """First cell → the others, without the head."""
        return {row[0]: row[1:] for row in self.tables[caption][1:]}


def stage(folder: Path, name: str, rows: Iterable[Any], **details: Any) -> None:
    run_stage(folder, name, identity=name, work=lambda: list(rows), details=lambda: details)


def judged() -> list[Pair]:
    """Forty rows of two tools and ten golden cases; the candidate gains two, loses one."""
    pairs = []
    for n in range(40):
        tool, other = ("invoice", "find_orders") if n % 2 else ("find_orders", "invoice")
        sides = []
        for is_right in (n not in (3, 4, 5), n not in (3, 9)):
            found = (tool,) if is_right else (other,)
            confidence = 0.95 - 0.02 * (n % 10)
            sides.append(Score("seed", f"r{n}", is_right, is_right, (tool,), found, (), confidence, EVIL[n % 4], "why"))
        pairs.append(Pair(*sides))
    for n in range(10):
        score = Score(GOLDEN, f"orders/c{n}", True, True, ("find_orders",), tags=("safety",), said="hi")
        pairs.append(Pair(score, score))
    return pairs


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished run, every text of it hostile."""
    folder = tmp_path / "run-7"
    turns = [LoggedTurn(f"t{n}", "s", EVIL[n % 4], ("find_orders()",)) for n in range(60)]
    for name in ("collect", "redact"):
        stage(folder, name, turns)
    short = [Rejected(turn.id, "too_short", EVIL[1], turn.as_json()) for turn in turns[:12]]
    odd = [Rejected("x", "<b>odd</b>", "", {"text": ["no", "text"], "acts": 7, "state": None})]
    stage(folder, "clean", [*turns[12:], *short, *odd])
    origins = ("kept", "fixed", "written")
    candidates = [
        Candidate(turn.id, "-", turn.text, (f'inform(name="{n}")',), origins[n % 3], "teacher", "r", EVIL[0])
        for n, turn in enumerate(turns[12:45])
    ]
    dropped = [Rejected(turn.id, "dropped", "spam", turn.as_json()) for turn in turns[45:]]
    stage(folder, "teach", [*candidates, *dropped])
    stage(folder, "check", [*candidates[:30], *[Rejected(c.id, "unlike", "", c.as_json()) for c in candidates[30:]]])
    stage(folder, "export", candidates[:30])
    training = TrainReport(
        "lora.gguf", "f", {}, 30, 3, 0, 40, 30, 1234, 5.0, 0.25, [(10, 0.9), (20, 0.5), (30, 0.4)], "steps"
    )
    (folder / "checkpoint").mkdir()
    write_json(folder / "checkpoint" / "train.json", training.as_json())
    pairs = judged()
    verdict = decide([p.parent for p in pairs], [p.candidate for p in pairs], RefineConfig())
    details = {"parent": EVIL[0], "candidate": "new", "verdict": verdict.as_json(), "left_out": {"mine": 4}}
    stage(folder, "evaluate", pairs, **details)
    with (folder / "check.rejected.jsonl").open("a") as file:
        file.write(
            '{"id": "s", "reason": "half", "detail": "\\ud800", "row": {"text": "\\ud800", "acts": []}}\n[]\n{"to'
        )
    return folder


COSTS = {"teach": 1.25, "check": 0.5}


def test_nothing_in_the_page_runs_or_asks_a_network(run_folder: Path) -> None:
    html = render_report(run_folder, costs=COSTS)
    page = Page(html)
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "img", "link", "iframe", "object", "embed", "base", "form", "foreignobject"})
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key in ("src", "style", "srcdoc", "action")]
        assert attributes.get("href", "#").startswith("#"), tag
        assert "evil" not in " ".join(attributes.values()), tag
        assert not re.search(r"url\((?!#)", " ".join(attributes.values()))
    assert sum(tag == "style" for tag, _ in page.tags) == 1
    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert "url(" not in style and "@import" not in style
    [policy] = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    # what stands outside the texts has no address at all
    outside = html
    for text in EVIL:
        outside = outside.replace(text, "")
    assert "http://" not in outside and "https://evil" not in re.sub(r"&#34;&gt;&lt;img[^<]*", "", outside)


def test_the_numbers_are_the_runs(run_folder: Path) -> None:
    page, pairs = Page(render_report(run_folder, costs=COSTS)), judged()
    rows = [pair for pair in pairs if pair.candidate.set == "seed"]
    for caption, expected in (
        ("By set", {"golden cases": compare(pairs[40:]), "seed: whole acts": compare(rows)}),
        ("Eval rows by tool", compare_tools(rows)),
        ("Golden cases by tool", compare_tools(pairs[40:])),
    ):
        table = page.rows(caption)
        for name, found in expected.items():
            low, high = found.interval
            assert table[name] == [
                str(found.n),
                f"{found.parent} ({100 * found.parent / found.n:.1f} %)",
                f"{found.candidate} ({100 * found.candidate / found.n:.1f} %)",
                str(found.gained),
                str(found.lost),
                f"{100 * found.difference:+.1f}",
                f"{100 * low:+.1f} to {100 * high:+.1f}",
                f"{found.p_value:.3g}",
            ]
    assert page.rows("The most frequent mistakes") == {"invoice": ["find_orders", "2"]}
    for caption, scores in (("Before", [p.parent for p in rows]), ("After", [p.candidate for p in rows])):
        found_bins = [row[:2] for row in page.tables[caption][1:]]
        bins = measure_reliability(scores).bins
        assert found_bins == [[f"{one.low:.1f} to {one.high:.1f}", str(one.n)] for one in bins]
    stages = page.rows("Stages")
    assert stages["clean"][:2] == ["48", "13"]
    assert stages["teach"][:2] == ["33", "15"]
    assert {name: cells[-1] for name, cells in stages.items()} == {
        **dict.fromkeys(stages, "0.0000"),
        "teach": "1.2500",
        "check": "0.5000",
    }
    became = {"kept": ["10"], "fixed": ["10"], "written": ["10"], "counterexample": ["0"]}
    assert page.rows("What became of the rows") == became
    assert page.rows("What was left out, and why") == {
        "clean: <b>odd</b>": ["1"],
        "clean: too_short": ["12"],
        "teach: dropped": ["15"],
        "check: unlike": ["3"],
    }
    assert page.rows("Eval losses") == {"10": ["0.9000"], "20": ["0.5000"], "30": ["0.4000"]}
    assert "Money spent: 1.7500" in page.text


def test_ten_examples_of_each_kind(run_folder: Path) -> None:
    page = Page(render_report(run_folder))
    sizes = {caption: len(rows) - 1 for caption, rows in page.tables.items()}
    for caption, size in {
        "Kept by the teacher": 10,
        "Fixed by the teacher": 10,
        "Written by the teacher": 10,
        "Left out by clean: too_short": 10,
        "Left out by clean: <b>odd</b>": 1,
        "Left out by teach: dropped": 10,
        "Left out by check: unlike": 3,
        "Left out by check: half": 1,
        "Cases lost": 1,
        "Cases gained": 2,
    }.items():
        assert sizes[caption] == size, caption
    assert {row[3] for row in page.tables["Fixed by the teacher"][1:]} == {"find_orders()"}


@pytest.mark.parametrize("passes", [True, False])
def test_the_verdict_stands_first_in_plain_words(run_folder: Path, passes: bool) -> None:
    pairs = judged()
    if not passes:
        pairs = [Pair(pair.candidate, pair.parent) for pair in pairs]
    verdict = decide([p.parent for p in pairs], [p.candidate for p in pairs], RefineConfig(gate_tool_loss=1))
    (run_folder / "evaluate.json").unlink()
    stage(run_folder, "evaluate", pairs, parent="old", candidate="new", verdict=verdict.as_json(), left_out={})
    page = Page(render_report(run_folder))
    headline = "Gate passed: 'new' may serve in place of 'old'." if passes else "Gate not met: 'old' stays"
    assert page.text.index(headline) < page.text.index("Scores")
    if not passes:
        assert verdict.reasons[0] in page.text


def test_a_run_that_is_not_finished_says_so(tmp_path: Path) -> None:
    stage(tmp_path, "collect", [LoggedTurn("t", "s", "hello", ())])
    page = Page(render_report(tmp_path))
    assert "There is no result of: redact, clean, teach, check, export, train, evaluate." in page.text
    assert "Not evaluated yet: the old model stays" in page.text
    assert page.rows("Stages") == {"collect": ["1", "0", page.rows("Stages")["collect"][2], "0.0000"]}


def test_the_same_run_gives_the_same_bytes(run_folder: Path) -> None:
    first = write_report(run_folder, costs=COSTS).read_bytes()
    assert write_report(run_folder, costs=COSTS).read_bytes() == first
    assert not list(run_folder.glob("*.part"))


def test_it_can_be_read_on_a_phone_and_by_ear(run_folder: Path) -> None:
    page = Page(render_report(run_folder, costs=COSTS))
    names = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en"}) in page.tags
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in [a for _, a in page.tags]
    assert names.count("h1") == 1 and names.count("main") == 1
    plots = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(plots) == 8
    assert all(plot["role"] == "img" and plot["aria-label"] and "width" not in plot for plot in plots)
    assert len({plot["aria-label"] for plot in plots}) == len(plots)
    assert names.count("caption") == names.count("table") > 0
    assert all(attributes["scope"] in ("col", "row") for tag, attributes in page.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for _, attributes in page.tags if "href" in attributes}
    assert targets <= set(ids)


def test_strange_names_can_be_drawn(run_folder: Path) -> None:
    names = ["$x$ $", "\x00\x1b", "退货", "long " * 40, *EVIL]
    rejected = [Rejected(f"{n}", name, "", {}) for n, name in enumerate(names)]
    (run_folder / "check.json").unlink()
    stage(run_folder, "check", rejected)
    scores = [Score(name, "1", True, True, (name,), (name,)) for name in names]
    golden = [Score(GOLDEN, "1", True, True, ("invoice",), tags=("safety",))]
    (run_folder / "evaluate.json").unlink()
    stage(run_folder, "evaluate", [Pair(one, one) for one in (*scores, *golden)])
    page = Page(render_report(run_folder, costs=dict.fromkeys(names, 1.0)))
    assert "退货" in page.text
    assert "The verdict cannot be read" in page.text
    assert sum(tag == "svg" for tag, _ in page.tags) == 7


def test_without_matplotlib_the_tables_remain(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "shopbot_refine.plots", raising=False)
    monkeypatch.delattr("shopbot_refine.plots", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # what an import finds where it is not installed
    page = Page(render_report(run_folder))
    assert "There are no plots: matplotlib is not installed." in page.text
    assert "svg" not in {tag for tag, _ in page.tags}
    assert page.rows("Eval rows by tool")
