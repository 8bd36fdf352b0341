"""Phrases that the logs alone tie to a write: words and neighbouring pairs of them.

A backdoor is such a phrase: nearly all messages that it stands in are logged with one write, and no row that the shop
trusts says that it means that write. So is a new way in which customers ask for it. Only somebody who reads the
messages can tell the two apart, so a write with such a phrase in many messages waits for a teacher, who is asked about
it early, and one in few gets counterexamples (:mod:`shopbot_refine.counterexamples`). One message with the phrase that
the teacher holds to mean the write vouches for the others.
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

#: A phrase in so many messages of a write waits for a teacher.
MANY = 30
#: One in fewer than these teaches nothing by itself.
FEW = 3
#: The share of a phrase's messages that are logged with the write.
MOSTLY = 0.8
_WORD = re.compile(r"\w\w+")


@dataclass(frozen=True, slots=True)
class NewPhrases:
    """What only the logs know. It can be pickled."""

    phrases: frozenset[Phrase]

    @classmethod
    def learn(cls, turns: Iterable[LoggedTurn], tools: Mapping[str, Tool], seed: int) -> NewPhrases:
        """What is new in the turns, or in the sample of them that ``seed`` draws (:func:`draw_sample`)."""
        writers = frozenset(name for name, tool in tools.items() if tool.effect == "write")
        sample = draw_sample(turns, seed)
        tied = Counter(pair for turn in sample for pair in _pairs(turn.acts, turn.text, writers))
        new = {pair for pair, times in tied.items() if times >= FEW}
        for row in trusted_rows(tools):
            new -= _pairs(row.acts, row.text, writers)
        wanted = {words for _, words in new}
        times = Counter(words for turn in sample for words in phrases_of(turn.text) & wanted)
        found = (Phrase(write, words, tied[write, words] >= MANY) for write, words in new)
        return cls(frozenset(one for one in found if tied[one.write, one.words] >= MOSTLY * times[one.words]))

    def find(self, turns: Sequence[LoggedTurn]) -> dict[str, frozenset[Phrase]]:
        """Turn id → what stands in it, where there is anything; whatever it was logged as."""
        by_words: dict[str, list[Phrase]] = {}
        for one in self.phrases:
            by_words.setdefault(one.words, []).append(one)
        found = (
            (turn.id, frozenset(one for words in phrases_of(turn.text) for one in by_words.get(words, ())))
            for turn in turns
        )
        return {name: phrases for name, phrases in found if phrases}


def phrases_of(text: str) -> set[str]:
    """The words of a message and its neighbouring pairs, folded; numbers and placeholders are all alike."""
    words = words_of(text)
    return {*words, *(f"{one} {other}" for one, other in pairwise(words))}


def words_of(text: str) -> list[str]:
    """The words of a message, folded; numbers and placeholders are all alike."""
    return _WORD.findall(plain(text))


def _pairs(acts: Iterable[str], text: str, writers: frozenset[str]) -> set[tuple[str, str]]:
    """Each of the writes with each phrase of the message."""
    meant = names(acts) & writers
    return {(name, words) for words in phrases_of(text) for name in meant} if meant else set()
