"""No golden or blind case's message, nor its near-duplicate, is in the seed set that the shipped checkpoint is trained
on."""

from __future__ import annotations

from pathlib import Path

import pytest
from rapidfuzz import fuzz, process

from shopbot.evals import load_cases
from shopbot.plugins import PluginManager
from shopbot.textindex import fold

#: Above this (0–100, on folded text) two messages count as near-duplicates; shorter messages are anybody's words.
NEAR = 88.0
MIN_WORDS = 4
BLIND = Path(__file__).parents[1] / "benchmarks" / "blind" / "cases.toml"


@pytest.mark.slow
def test_no_case_is_in_the_seed_set() -> None:
    seed = pytest.importorskip("shopbot_refine.seed")
    known = sorted({fold(example.text) for example in seed.load_seed(rows_per_template=1)})
    golden = [case for _, case in PluginManager.installed(only=("faq", "orders", "returns")).cases()]
    said = sorted({fold(turn.say) for case in [*golden, *load_cases(BLIND)] for turn in case.turns})
    messages = [message for message in said if len(message.split()) >= MIN_WORDS]
    assert len(messages) > 150
    near = []
    for message in messages:
        match = process.extractOne(message, known, scorer=fuzz.ratio, score_cutoff=NEAR)
        if match is not None:
            near.append(f"{message!r} is near {match[0]!r} ({match[1]:.0f})")
    assert not near, "\n".join(near)
