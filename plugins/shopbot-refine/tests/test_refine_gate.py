"""The gate: what blocks, what passes, what is no ground for either; and what it writes into the manifest."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from shopbot_refine.config import RefineConfig
from shopbot_refine.gate import Verdict, decide, record
from shopbot_refine.scores import GOLDEN, ComparisonError, Score, pair_scores

from shopbot import CheckpointStore, GateError, Manifest, read_manifest, write_manifest

LOOSE = RefineConfig(gate_loss=0.05, gate_tool_loss=0.1)


def scores(*, golden: int = 20, rows: int = 40, safety: bool = True, tool_right: int = 10) -> list[Score]:
    """20 golden cases, two of them safety cases, 40 eval rows of one tool and 10 of another; so many right."""

    def one(name: str, case: str, is_right: bool, tool: str, tags: tuple[str, ...] = ()) -> Score:
        return Score(name, case, is_right, is_right, (tool,), tags=tags, said="hello")

    played = [one(GOLDEN, f"orders/{n}", n < golden, "cancel_order", ("policy",)) for n in range(18)]
    played += [one(GOLDEN, f"orders/attack-{n}", n == 0 or safety, "cancel_order", ("safety",)) for n in range(2)]
    read = [one("seed", f"{n}", n < rows, "find_orders") for n in range(40)]
    return [*played, *read, *[one("mine", f"m{n}", n < tool_right, "invoice") for n in range(10)]]


def test_equal_is_enough() -> None:
    verdict = decide(scores(), scores(), RefineConfig())
    assert verdict.passed
    assert verdict.reasons == ()
    assert "Safety: all 2 cases passed." in verdict.findings
    assert any(finding.startswith("Golden cases: 20 of 20 right, the parent 20 (+0.0") for finding in verdict.findings)


def test_a_better_candidate_passes_with_no_loss_allowed() -> None:
    assert decide(scores(rows=30), scores(rows=31), RefineConfig(gate_loss=0)).passed


def test_one_case_lost_overall_blocks_and_says_what_would_have_passed() -> None:
    verdict = decide(scores(), scores(rows=39), RefineConfig(gate_loss=0, gate_tool_loss=1))
    assert not verdict.passed
    [reason] = verdict.reasons
    assert reason.startswith("Eval rows: 49 of 50 right, the parent 50 (-2.0 points, 95 % interval ")
    assert reason.endswith("; at least 50 would have passed (gate_loss = 0 points).")


@pytest.mark.parametrize(("rows", "passes"), [(38, True), (37, False)])
def test_the_loss_that_is_allowed_is_allowed_to_the_last_case(rows: int, passes: bool) -> None:
    assert decide(scores(), scores(rows=rows), LOOSE).passed is passes


@pytest.mark.parametrize(("right", "passes"), [(9, True), (8, False)])
def test_no_tool_may_lose_more_than_its_floor(right: int, passes: bool) -> None:
    verdict = decide(scores(), scores(tool_right=right), LOOSE)
    assert verdict.passed is passes
    if not passes:
        assert [reason.partition(":")[0] for reason in verdict.reasons] == ["Eval set 'mine'", "'invoice' in eval rows"]


def test_a_tool_with_few_cases_has_no_floor_of_its_own() -> None:
    parent = [one for one in scores() if one.id != "m9"]
    candidate = [one for one in scores(tool_right=7) if one.id != "m9"]
    assert decide(parent, candidate, RefineConfig(gate_loss=0.05, gate_tool_loss=0)).passed


@pytest.mark.parametrize("parent_is_safe", [True, False])
def test_a_failed_safety_case_blocks_whatever_the_parent_did(parent_is_safe: bool) -> None:
    everything = RefineConfig(gate_loss=1, gate_tool_loss=1)
    verdict = decide(scores(safety=parent_is_safe), scores(safety=False), everything)
    [reason] = verdict.reasons
    assert "1 of 2 cases failed, all must pass: orders/attack-1" in reason
    assert ("passed with the parent" if parent_is_safe else "failed too with the parent") in reason


@pytest.mark.parametrize(
    ("kept", "part"),
    [
        (lambda one: one.set != GOLDEN, "no golden case"),
        (lambda one: one.set == GOLDEN, "no eval row"),
        (lambda one: "safety" not in one.tags, "tag 'safety'"),
        (lambda one: False, "no cases"),
    ],
)
def test_what_proves_nothing_is_an_error(kept: Any, part: str) -> None:
    some = [one for one in scores() if kept(one)]
    with pytest.raises(ComparisonError, match=part):
        decide(some, some, RefineConfig())


def test_other_cases_are_an_error() -> None:
    with pytest.raises(ComparisonError, match="other cases"):
        decide(scores(), scores()[1:], RefineConfig())


@pytest.mark.parametrize("passes", [True, False])
def test_the_verdict_decides_whether_the_checkpoint_can_be_promoted(tmp_path: Path, passes: bool) -> None:
    folder = tmp_path / "checkpoints" / "second"
    manifest = Manifest.model_validate(
        {
            "name": "second",
            "base": {"source": "tiny.gguf", "sha256": "0" * 64},
            "prompt_format": 1,
            "scores": {"eval_loss": 0.5},
            "created": datetime(2026, 6, 15, tzinfo=timezone.utc),
        }
    )
    write_manifest(folder, manifest)
    parent, candidate = scores(rows=38), scores(rows=39 if passes else 37)
    verdict = decide(parent, candidate, RefineConfig())
    record(folder, verdict, pair_scores(parent, candidate))
    written = read_manifest(folder)
    assert written.gate.passed is passes
    assert written.scores == {
        "eval_loss": 0.5,
        "golden": {"n": 20, "passed": 20, "parent_passed": 20},
        "eval": {
            "seed": {
                "n": 40,
                "passed": 39 if passes else 37,
                "parent_passed": 38,
                "named": 39 if passes else 37,
                "parent_named": 38,
            },
            "mine": {"n": 10, "passed": 10, "parent_passed": 10, "named": 10, "parent_named": 10},
        },
    }
    store = CheckpointStore(tmp_path, shipped=tmp_path / "none")
    if passes:
        assert store.promote("second").manifest.name == "second"
    else:
        with pytest.raises(GateError, match="at least 48 would have passed"):
            store.promote("second")


def test_a_long_verdict_fits_the_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "long"
    base = {"source": "x", "sha256": "0" * 64}
    created = datetime(2026, 6, 15, tzinfo=timezone.utc)
    write_manifest(folder, Manifest.model_validate({"name": "l", "base": base, "prompt_format": 1, "created": created}))
    record(folder, Verdict(False, ("x" * 20_000,), ()), pair_scores(scores(), scores()))
    assert len(read_manifest(folder).gate.report) == 10_000
