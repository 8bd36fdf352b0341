"""The n-gram index: nearest texts despite misspellings, whatever the texts and the query are."""

from __future__ import annotations

import math

import pytest

from shopbot.textindex import TextIndex

TEXTS = ["where is my order", "send it back", "cancel my order", ""]


def test_a_text_is_most_like_itself_and_like_nothing_foreign() -> None:
    index = TextIndex(TEXTS)
    for place, text in enumerate(TEXTS[:3]):
        scores = index.scores(text)
        assert scores.shape == (len(TEXTS),)
        assert scores.argmax() == place
        assert scores[place] == pytest.approx(1.0)
    assert not index.scores("ÿżß").any()


def test_a_misspelling_finds_its_text() -> None:
    scores = TextIndex(TEXTS).scores("wher is my ordr")
    assert scores.argmax() == 0
    assert scores[0] > 0.5


def test_similarity_is_the_cosine_with_rare_grams_counting_more() -> None:
    # both words have as many grams; those of "ab" are in both texts, those of "cd" in one
    scores = TextIndex(["ab", "ab cd"]).scores("ab")
    both, one = math.log(3 / 3) + 1, math.log(3 / 2) + 1
    assert scores[0] == pytest.approx(1.0)
    assert scores[1] == pytest.approx(both / math.hypot(both, one))


@pytest.mark.parametrize("texts", [[], [""], ["", "?!"]])
def test_nothing_to_compare_with_is_nothing_alike(texts: list[str]) -> None:
    assert TextIndex(texts).scores("order").tolist() == [0.0] * len(texts)
    assert TextIndex(["order"]).scores("").tolist() == [0.0]
