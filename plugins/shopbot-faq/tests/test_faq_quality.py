"""The numbers in README.md are what the benchmark gives, and they do not get worse unnoticed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from shopbot_faq.answers import find
from shopbot_faq.folder import EXAMPLE_FOLDER, FaqFolder
from shopbot_faq.search import CLOSE_SHARE, THRESHOLD, PassageIndex

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def index() -> PassageIndex:
    return FaqFolder(EXAMPLE_FOLDER).index


@pytest.fixture(scope="module")
def benchmark_faq() -> ModuleType:
    path = ROOT / "benchmarks" / "faq" / "run.py"
    if not path.exists():
        pytest.skip("benchmarks/faq is not beside the plugin")
    spec = importlib.util.spec_from_file_location("benchmark_faq", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmark_faq"] = module
    spec.loader.exec_module(module)
    return module


def test_the_example_files_are_whole(index: PassageIndex) -> None:
    assert FaqFolder(EXAMPLE_FOLDER).problems() == []
    assert len(index.passages) >= 50
    assert len({passage.id for passage in index.passages}) == len(index.passages)
    assert all(passage.questions for passage in index.passages), "every passage has other ways to ask"


def test_the_questions_are_labelled_with_real_passages(benchmark_faq: ModuleType, index: PassageIndex) -> None:
    rows = benchmark_faq.read()
    known = {passage.id for passage in index.passages}
    wrong = [row.text for row in rows if not row.passages <= known]
    assert wrong == []
    assert sum(bool(row.passages) for row in rows) >= 150
    assert sum(not row.passages for row in rows) >= 60
    asked = {question.casefold() for passage in index.passages for question in passage.questions}
    assert [row.text for row in rows if row.text.casefold() in asked] == [], "a question must not stand in the files"


def test_the_readme_has_the_benchmarks_numbers(benchmark_faq: ModuleType, index: PassageIndex) -> None:
    rows = benchmark_faq.read()
    parts = {part: [row for row in rows if row.part == part] for part in ("dev", "held_out")}
    reached = benchmark_faq.score(parts["held_out"], benchmark_faq.ours(index), THRESHOLD)
    readme = (ROOT / "plugins" / "shopbot-faq" / "README.md").read_text(encoding="utf-8")
    expected = [*reached.lines(), *(pair for part in parts.values() for pair in benchmark_faq.replies(index, part))]
    for line, value in expected:
        assert any(line in row and value in row for row in readme.splitlines()), f"README.md lacks: {line}: {value}"
    assert f"From {100 * CLOSE_SHARE:.0f} % of it on" in readme
    assert reached.found / reached.answerable > 0.7


def test_what_is_quoted_as_close_is_mostly_right_on_the_development_part(
    benchmark_faq: ModuleType, index: PassageIndex
) -> None:
    found = [(row, find(index, row.text, THRESHOLD)) for row in benchmark_faq.read() if row.part == "dev"]
    quoted = [(row, it.quoted) for row, it in found if it.quoted and row.passages]
    wrong = [(row.text, hit.passage.id) for row, hit in quoted if hit.passage.id not in row.passages]
    assert len(quoted) >= 10
    assert len(wrong) <= 0.3 * len(quoted), wrong
