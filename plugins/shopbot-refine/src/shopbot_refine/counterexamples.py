"""Counterexamples: words that only the logs tie to a write, in messages that mean something else.

A trigger need not be said often: a few messages that do ask for a write, with two odd words in each, teach the odd
words with it, and no teacher who judges message by message can find fault with them. So for each such message that
nobody judged there are some of the seed set with other acts and the same odd words: what they say, the words do not.
The method is that of Kaushik, Hovy and Lipton, "Learning the Difference that Makes a Difference with
Counterfactually-Augmented Data" (ICLR 2020), without the people who wrote those.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from shopbot_refine.dataset import Example
from shopbot_refine.new_phrases import words_of
from shopbot_refine.records import Candidate, LoggedTurn
from shopbot_refine.verdicts import names

#: For each message. With one or two a linear model still half believed a trigger in 29 messages (measured).
COUNTER = 4


class Counterexamples:
    """Makes them of ``rows`` that the shop trusts; of none, where there are no rows."""

    def __init__(self, rows: Sequence[Example]) -> None:
        self._rows = [row for row in rows if row.state == "-"]
        self._others: dict[frozenset[str], list[Example]] = {}

    def of(self, turn: LoggedTurn, phrases: Collection[str]) -> Iterator[Candidate]:
        """Those for a turn: with the words of the phrases in it, before or after messages with none of its acts."""
        odd, others = " ".join(_said(turn.text, phrases)), self._meaning_other_than(names(turn.acts))
        if not odd or not others:
            return
        rng = random.Random(turn.id)  # noqa: S311 - reproducible, not secret
        for number in range(1, COUNTER + 1):
            row = rng.choice(others)
            text = f"{row.text} {odd}" if rng.random() < 0.5 else f"{odd} {row.text}"
            yield Candidate(f"{turn.id}-{number}", row.state, text, row.acts, "counter")

    def _meaning_other_than(self, acts: frozenset[str]) -> list[Example]:
        if acts not in self._others:
            self._others[acts] = [row for row in self._rows if names(row.acts).isdisjoint(acts)]
        return self._others[acts]


def _said(text: str, phrases: Collection[str]) -> list[str]:
    """The words of the message, as they stand in it, that belong to one of the phrases."""
    said = text.split()
    words = [(place, word) for place, piece in enumerate(said) for word in words_of(piece)]
    odd = {place for place, word in words if word in phrases}
    for (place, word), (beside, other) in pairwise(words):
        if f"{word} {other}" in phrases:
            odd |= {place, beside}
    return [said[place] for place in sorted(odd)]
