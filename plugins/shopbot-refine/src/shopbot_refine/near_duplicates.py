"""Near-duplicates among logged turns: the same words to a slip of the finger or a word of courtesy.

Candidates come from MinHash signatures of character n-grams (``datasketch``, locality-sensitive hashing); each is then
compared word by word. Two texts of the same acts in the same state are near-duplicates if their words, without those
of courtesy, stand in the same order and each is equal to its partner, or a slip away from it where one of the two is
rare in the logs. A negation, a number, a placeholder or a word of content more or less makes two texts different.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from datasketch import MinHash, MinHashLSH
from rapidfuzz.distance import OSA

from shopbot import fold
from shopbot_refine.records import LoggedTurn

_GRAM, _MAX_CANDIDATES = 4, 100
#: Two texts whose n-grams are 0.54 alike meet in a band with a chance of 1 - 1/e, at 0.7 with 96 %.
_BANDS, _ROWS = 12, 4
#: A word that stands in more texts than this is a word, not a slip.
_RARE = 2
_MIN_SLIP = 5
_COURTESY = frozenset("a an the please pls plz hi hello hey thanks thank thx kindly just so well ok okay".split())


class NearDuplicates:
    """The turns kept so far. The order in which they come decides which of two is kept.

    ``texts``: all that will be asked about, so that it is known which words the logs use.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._index: dict[tuple[str, tuple[str, ...]], MinHashLSH] = {}
        self._rows: list[tuple[str, tuple[str, ...]]] = []
        self._counts = Counter(word for text in texts for word in set(fold(text).split()))
        self._empty = MinHash(num_perm=_BANDS * _ROWS, seed=1)

    def find_or_add(self, turn: LoggedTurn) -> str | None:
        """The id of a kept turn that ``turn`` nearly equals; None: there is none, and ``turn`` is now kept."""
        words = tuple(word for word in fold(turn.text).split() if word not in _COURTESY)
        signature = self._empty.copy()
        text = f" {' '.join(words)} "
        signature.update_batch({text[at : at + _GRAM].encode() for at in range(max(1, len(text) - _GRAM + 1))})
        key = turn.state, turn.acts
        if key not in self._index:
            self._index[key] = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
        index = self._index[key]
        for place in sorted(index.query(signature))[:_MAX_CANDIDATES]:
            name, kept = self._rows[int(place)]
            if self._are_alike(words, kept):
                return name
        index.insert(len(self._rows), signature)
        self._rows.append((turn.id, words))
        return None

    def _are_alike(self, words: tuple[str, ...], kept: tuple[str, ...]) -> bool:
        return len(words) == len(kept) and all(map(self._is_slip, words, kept))

    def _is_slip(self, word: str, other: str) -> bool:
        if word == other:
            return True
        if min(len(word), len(other)) < _MIN_SLIP or not (word.isalpha() and other.isalpha()):
            return False
        is_rare = min(self._counts[word], self._counts[other]) <= _RARE
        return is_rare and OSA.distance(word, other, score_cutoff=1) <= 1
