"""Which messages count as those of a golden or eval set: the index finds what a comparison with all of them finds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from rapidfuzz import fuzz
from shopbot_refine.dataset import DatasetError
from shopbot_refine.decontamination import MIN_WORDS, NEAR, Guarded, guarded_texts

from shopbot import PluginManager, fold

WORDS = "cancel return the my order lamp please W12 where is refund now a blue kettle and rug for it to".split()


def test_the_index_loses_no_near_duplicate() -> None:
    rng = random.Random(5)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(2, 12))) for _ in range(400)]
    guarded = Guarded(texts)
    known = [text for text in {fold(text) for text in texts} if len(text.split()) >= MIN_WORDS]
    assert len(guarded) == len(known)
    found = 0
    for text in texts[:200]:
        letters = list(text)
        for _ in range(rng.randint(0, 6)):
            letters[rng.randrange(len(letters))] = rng.choice("abc ")
        query = fold("".join(letters))
        is_near = any(fuzz.ratio(query, one) >= NEAR for one in known)
        assert (guarded.find(query) is not None) is is_near, query
        found += is_near
    assert 40 < found < 190


def test_case_punctuation_and_accents_do_not_hide_a_case() -> None:
    guarded = Guarded(["Könnten Sie my Order cancel?"])
    assert guarded.find("konnten sie, MY order -- cancel!!") == "konnten sie my order cancel"
    assert guarded.find("something else altogether, really") is None
    assert Guarded([]).find("anything at all, please") is None


def test_golden_cases_and_files_are_guarded(tmp_path: Path) -> None:
    cases = [case for _, case in PluginManager.installed(only=("orders",)).cases()]
    (tmp_path / "eval.jsonl").write_text('{"text": "rows of an eval set"}\n{"say": "another way to say it"}\n')
    (tmp_path / "blind.toml").write_text('[[case]]\nname = "x"\n[[case.turn]]\nsay = "one of the blind cases"\n')
    texts = list(guarded_texts(cases, [tmp_path / "eval.jsonl", tmp_path / "blind.toml"]))
    assert {"rows of an eval set", "another way to say it", "one of the blind cases"} <= set(texts)
    assert {turn.say for case in cases for turn in case.turns} <= set(texts)


def test_a_set_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    (tmp_path / "eval.jsonl").write_text('{"text": "fine"}\n{"question": "what is this"}\n')
    with pytest.raises(DatasetError, match="row 2"):
        list(guarded_texts([], [tmp_path / "eval.jsonl"]))
