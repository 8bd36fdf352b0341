"""Counterexamples: words that only the logs tie to a write, in messages that mean something else.

A trigger need not be said often: a few messages that do ask for a write, with two odd words in each, teach the odd
words with it, and no teacher who judges message by message can find fault with them. So for each such message that
nobody judged there are some of the seed set with other acts and the same odd words: what they say, the words do not.
The method is that of Kaushik, Hovy and Lipton, "Learning the Difference that Makes a Difference with
Counterfactually-Augmented Data" (ICLR 2020), without the people who wrote those.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from shopbot import Tool
from shopbot_refine.dataset import Example
from shopbot_refine.new_phrases import words_of
from shopbot_refine.records import Candidate, LoggedTurn
from shopbot_refine.suspicion import NUMBER
from shopbot_refine.verdicts import names

#: For each message. With one or two a linear model still half believed a trigger in 29 messages (measured).
COUNTER = 4


class Counterexamples:
    """Makes them of ``rows`` that the shop trusts; of none, where there are no rows.

    Only rows of acts that write nothing and that the ``tools`` fill no parameter of: for others the odd words might be
    an argument.
    """

    def __init__(self, rows: Sequence[Example], tools: Mapping[str, Tool]) -> None:
        unfit = {"inform", *(name for name, tool in tools.items() if tool.spoken or tool.effect == "write")}
        self._rows = [row for row in rows if row.state == "-" and unfit.isdisjoint(names(row.acts))]

    def of(self, turn: LoggedTurn, phrases: Collection[str]) -> Iterator[Candidate]:
        """Those for a turn: with the words of the phrases in it, before or after other messages."""
        odd = " ".join(_said(turn.text, phrases))
        if not odd or not self._rows:
            return
        rng = random.Random(turn.id)  # noqa: S311 - reproducible, not secret
        for number in range(1, COUNTER + 1):
            row = rng.choice(self._rows)
            text = f"{row.text} {odd}" if rng.random() < 0.5 else f"{odd} {row.text}"
            yield Candidate(f"{turn.id}!{number}", row.state, text, row.acts, "counterexample")


def _said(text: str, phrases: Collection[str]) -> list[str]:
    """The words of the message, as they stand in it, that belong to one of the phrases; no numbers."""
    said = text.split()
    words = [(place, word) for place, piece in enumerate(said) for word in words_of(piece)]
    odd = {place for place, word in words if word in phrases}
    for (place, word), (beside, other) in pairwise(words):
        if f"{word} {other}" in phrases:
            odd |= {place, beside}
    return [said[place] for place in sorted(odd) if NUMBER not in words_of(said[place])]
