"""No golden or blind case's message, nor its near-duplicate, is in the seed set that the shipped checkpoint is trained
on."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopbot.plugins import PluginManager

BLIND = Path(__file__).parents[1] / "benchmarks" / "blind" / "cases.toml"


@pytest.mark.slow
def test_no_case_is_in_the_seed_set() -> None:
    seed = pytest.importorskip("shopbot_refine.seed")
    decontamination = pytest.importorskip("shopbot_refine.decontamination")
    golden = [case for _, case in PluginManager.installed(only=("faq", "orders", "returns")).cases()]
    guarded = decontamination.Guarded(decontamination.guarded_texts(golden, [BLIND]))
    assert len(guarded) > 150
    near = []
    for example in seed.load_seed(rows_per_template=1):
        match = guarded.find(example.text)
        if match is not None:
            near.append(f"{example.text!r} is near {match!r}")
    assert not near, "\n".join(near)
