"""The judge: end states are compared, and a case that cannot be replayed fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import shopbot_orders

from shopbot import Case, load_cases
from shopbot.backends.scripted import ScriptedBackend
from shopbot.config import Config
from shopbot.errors import ConfigError
from shopbot.evals import CaseResult, CaseTurn, Report, demo_stores, judge, run_cases, wilson
from shopbot.plugins import PluginManager
from shopbot.store import Store

ADA = "ada@example.com"
ORDER = "#W4382745"
WISH = CaseTurn(f"cancel {ORDER}, a mistake", awaiting="confirmation", tools=(), says=(ORDER, "57.61"))
YES = CaseTurn("yes", awaiting="none", tools=("cancel_order",), never_says=("sorry",))
WRITE = {"tool": "cancel_order", "order": ORDER, "reason": "ordered by mistake"}
ACTS = f'cancel_order(order="{ORDER}", reason="ordered by mistake")'


@pytest.fixture(scope="module")
def make_store() -> Iterator[Callable[[], Store]]:
    with demo_stores() as make:
        yield make


def parts() -> dict[str, Any]:
    plugins = PluginManager(is_strict=True)
    plugins.register(shopbot_orders, "orders")
    backend = ScriptedBackend({WISH.say: ACTS, "": "out_of_scope()"})
    return {"config": Config(), "plugins": plugins, "backend": backend, "manifest": None}


@pytest.fixture
def judged(make_store: Callable[[], Store]) -> Callable[..., CaseResult]:
    def play(*turns: CaseTurn, customer: str | None = ADA, writes: tuple[Any, ...] = ()) -> CaseResult:
        return judge("orders", Case("case", turns, customer, writes), make_store, **parts())

    return play


def test_a_case_that_goes_as_it_says_passes(judged: Callable[..., CaseResult]) -> None:
    result = judged(WISH, YES, writes=(WRITE,))
    assert result.failures == (), result.transcript
    assert result.has_passed
    for line in (f"customer: {WISH.say}", f"  acts: {ACTS}", "bot: I'll cancel"):
        assert line in result.transcript


@pytest.mark.parametrize(
    ("turns", "writes", "part"),
    [
        ((WISH, YES), (), f"orders.{ORDER}:"),
        ((WISH,), (WRITE,), f"orders.{ORDER}:"),
        ((WISH, YES), ({**WRITE, "reason": "no longer needed"},), "no longer needed"),
        ((WISH, YES), ({**WRITE, "order": "#W4471333"},), "which the policy refuses"),
        ((WISH, YES), ({**WRITE, "order": "#W0"},), ""),
        ((WISH, YES), ({**WRITE, "tool": "cancel_everything"},), "cancel_everything"),
        ((WISH, YES), (WRITE, WRITE), "which the policy refuses"),
        ((CaseTurn(WISH.say, awaiting="identity"),), (), "turn 1: awaiting is confirmation, not identity"),
        ((CaseTurn(WISH.say, tools=("cancel_order",)),), (), "turn 1: tools [] ran"),
        ((CaseTurn(WISH.say, says=("Elephant",)),), (), "turn 1: the reply lacks 'Elephant'"),
        ((CaseTurn(WISH.say, never_says=("DESK lamp",)),), (), "turn 1: the reply has 'DESK lamp'"),
        ((CaseTurn(WISH.say, handoff=True),), (), "turn 1: not handed off"),
    ],
)
def test_what_goes_otherwise_fails(
    judged: Callable[..., CaseResult], turns: tuple[CaseTurn, ...], writes: tuple[Any, ...], part: str
) -> None:
    result = judged(*turns, writes=writes)
    assert not result.has_passed
    assert any(part in failure for failure in result.failures), result.failures


def test_a_customer_who_is_not_there_fails(judged: Callable[..., CaseResult]) -> None:
    assert any("no customer" in failure for failure in judged(WISH, customer="nobody@example.com").failures)


def test_a_write_that_says_not_whose_it_is_fails(judged: Callable[..., CaseResult]) -> None:
    write = {"tool": "change_default_address", "address": {}}
    assert any("does not say whose" in failure for failure in judged(WISH, customer=None, writes=(write,)).failures)


def test_a_run_counts_by_plugin() -> None:
    good, bad = Case("good", (WISH, YES), ADA, (WRITE,)), Case("bad", (WISH, YES), ADA)
    seen: list[str] = []
    report = run_cases(
        [("orders", good), ("orders", bad)], **parts(), progress=lambda result: seen.append(result.case.name)
    )
    assert seen == ["good", "bad"]
    assert (report.passed, report.rate, report.by_plugin()) == (1, 0.5, {"orders": (1, 2)})
    document = report.as_json()
    assert document["cases"] == 2 and document["passed"] == 1
    assert [entry["case"] for entry in document["failed"]] == ["bad"]
    assert document["failed"][0]["why"]


def test_no_cases_are_no_success() -> None:
    assert Report().rate == 0.0


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (1, 1, 0.2065, 1.0)],
)
def test_wilson_intervals(passed: int, total: int, low: float, high: float) -> None:
    assert wilson(passed, total) == pytest.approx((low, high), abs=5e-4)


@contextmanager
def _config_error(file: Path) -> Iterator[None]:
    with pytest.raises(ConfigError) as caught:
        yield
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[case]",
        "[[case]]\nname = 'x'",
        "[[case]]\nname = 'x'\n[[case.turn]]\nawaiting = 'none'",
        "[[case]]\nname = 'x'\n[[case.turn]]\nsay = 'hi'\nsaid = ['x']",
    ],
)
def test_malformed_cases_name_their_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cases.toml"
    file.write_text(text, encoding="utf-8")
    with _config_error(file):
        load_cases(file)


def test_cases_are_read_as_documented(tmp_path: Path) -> None:
    file = tmp_path / "cases.toml"
    file.write_text(
        '[[case]]\nname = "x"\ntags = ["multi-turn"]\ncustomer = "ada@example.com"\n'
        'writes = [{ tool = "cancel_order", order = "#W1" }]\n'
        '[[case.turn]]\nsay = "hi"\nawaiting = "none"\ntools = ["a"]\nsays = ["b"]\n'
        'never_says = ["c"]\nhandoff = false\n',
        encoding="utf-8",
    )
    turn = CaseTurn("hi", "none", ("a",), ("b",), ("c",), False)
    expected = Case("x", (turn,), ADA, ({"tool": "cancel_order", "order": "#W1"},), ("multi-turn",))
    assert load_cases(file) == [expected]
