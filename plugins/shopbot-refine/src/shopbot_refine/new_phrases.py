"""Phrases that the logs alone tie to a write: words and neighbouring pairs of them.

A backdoor is such a phrase: it stands in many messages, nearly all of them are logged with one write, and no row that
the shop trusts says that it means that write. So is a new way in which customers ask for it. Only somebody who reads
the messages can tell the two apart, so a write with such a phrase waits for a teacher, who is asked about it early. One
message with the phrase that the teacher holds to mean the write vouches for the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shopbot import Tool
from shopbot_refine.corroboration import trusted_rows
from shopbot_refine.records import LoggedTurn
from shopbot_refine.suspicion import draw_sample, plain
from shopbot_refine.verdicts import Phrase, names

#: A phrase in fewer messages of a write is left to the model that never saw the logs: most of what it is in, it stops.
MANY = 30
#: The share of a phrase's messages that are logged with the write.
MOSTLY = 0.8
_WORD = re.compile(r"\w\w+")


@dataclass(frozen=True, slots=True)
class NewPhrases:
    """(write, phrase) pairs that only the logs know. It can be pickled."""

    pairs: frozenset[Phrase]

    @classmethod
    def learn(cls, turns: Iterable[LoggedTurn], tools: Mapping[str, Tool], seed: int) -> NewPhrases:
        """What is new in the turns, or in the sample of them that ``seed`` draws (:func:`draw_sample`)."""
        writers = frozenset(name for name, tool in tools.items() if tool.effect == "write")
        sample = draw_sample(turns, seed)
        tied = Counter(pair for turn in sample for pair in _pairs(turn.acts, turn.text, writers))
        often = {pair for pair, times in tied.items() if times >= MANY}
        for row in trusted_rows(tools):
            often -= _pairs(row.acts, row.text, writers)
        wanted = {phrase for _, phrase in often}
        times = Counter(phrase for turn in sample for phrase in phrases_of(turn.text) & wanted)
        return cls(frozenset(pair for pair in often if tied[pair] >= MOSTLY * times[pair[1]]))

    def find(self, turns: Sequence[LoggedTurn]) -> dict[str, frozenset[Phrase]]:
        """Turn id → the pairs whose phrase stands in it, where there are any; whatever it was logged as."""
        writers = frozenset(name for name, _ in self.pairs)
        every = [f"{name}()" for name in writers]
        return {turn.id: found for turn in turns if (found := self.pairs & _pairs(every, turn.text, writers))}


def phrases_of(text: str) -> set[str]:
    """The words of a message and its neighbouring pairs, folded; numbers and placeholders are all alike."""
    words = _WORD.findall(plain(text))
    return {*words, *(f"{one} {other}" for one, other in pairwise(words))}


def _pairs(acts: Iterable[str], text: str, writers: frozenset[str]) -> set[Phrase]:
    """Each of the writes with each phrase of the message."""
    meant = names(acts) & writers
    return {(name, phrase) for phrase in phrases_of(text) for name in meant} if meant else set()
