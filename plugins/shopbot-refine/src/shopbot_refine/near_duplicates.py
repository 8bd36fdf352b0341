"""Near-duplicates among logged turns: the same words to a slip of the finger or a word of courtesy.

Two texts of the same acts in the same state are near-duplicates if their words, without those of courtesy, stand in the
same order and each is equal to its partner, or a slip away from it where one of the two is rare in the logs. A
negation, a number, a placeholder or a word of content more or less makes two texts different.

Near-duplicates have the same :func:`near_key`, so turns are compared within one key; there, candidates come from
MinHash signatures of character n-grams (``datasketch``, locality-sensitive hashing), and each is compared word by word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import ClassVar

from datasketch import MinHash, MinHashLSH
from rapidfuzz.distance import OSA

from shopbot import fold
from shopbot_refine.dataset import fingerprint
from shopbot_refine.engines import Columns, Row
from shopbot_refine.engines.sorting import in_order
from shopbot_refine.records import LoggedTurn

_GRAM, _MAX_CANDIDATES = 4, 100
#: Two texts whose n-grams are 0.54 alike meet in a band with a chance of 1 - 1/e, at 0.7 with 96 %.
_BANDS, _ROWS = 12, 4
#: A word that stands in more texts than this is a word, not a slip.
_RARE = 2
_MIN_SLIP = 5
#: So many turns of one key are kept to compare with; only a log of nonsense has more.
_MAX_KEPT = 10_000
#: Texts whose words are counted in memory at once.
_COUNTED = 20_000
_COURTESY = frozenset("a an the please pls plz hi hello hey thanks thank thx kindly just so well ok okay".split())


def near_words(text: str) -> list[str]:
    """The folded words of a message without those of courtesy."""
    return [word for word in fold(text).split() if word not in _COURTESY]


def near_key(turn: LoggedTurn, words: Iterable[str]) -> str:
    """What a turn of these words has in common with each of its near-duplicates (64 hex digits): state, acts, and the
    words in their places, where any that may be a slip of another counts as any such."""
    plain = ("*" if _may_slip(word) else word for word in words)
    return fingerprint([turn.state, *turn.acts, "", *plain])


def common_words(texts: Iterable[str], folder: Path) -> frozenset[str]:
    """The words of ``texts`` (of :func:`near_words`, a blank between them) that are no slips because too many of the
    texts have them. ``folder``: for what does not fit into memory."""

    def counts() -> Iterator[Row]:
        left = iter(texts)
        while some := list(islice(left, _COUNTED)):
            counted = Counter(word for text in some for word in set(text.split()) if _may_slip(word))
            yield from ({"word": word, "texts": number} for word, number in counted.items())

    by_word = groupby(in_order(counts(), lambda row: [row["word"]], folder), key=itemgetter("word"))
    return frozenset(word for word, rows in by_word if sum(row["texts"] for row in rows) > _RARE)


@dataclass(frozen=True, slots=True)
class FindNear:
    """Of turns with one :func:`near_key`, those that nearly equal an earlier one that is kept. ``common``: see
    :func:`common_words`."""

    common: frozenset[str]
    reads: ClassVar[Columns] = {"id": str, "words": str}
    gives: ClassVar[Columns] = {"reason": str, "detail": str}

    def __call__(self, rows: Iterator[Row]) -> Iterator[Row]:
        first = list(islice(rows, 2))
        if len(first) < 2:
            return
        index, kept = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS)), list[tuple[str, list[str]]]()
        empty = MinHash(num_perm=_BANDS * _ROWS, seed=1)
        for row in chain(first, rows):
            words = row["words"].split()
            signature = empty.copy()
            signature.update_batch(_grams(row["words"]))
            near = (kept[place] for place in sorted(index.query(signature))[:_MAX_CANDIDATES])
            found = next((name for name, others in near if self._are_alike(words, others)), None)
            if found is not None:
                yield {"place": row["place"], "reason": "near_duplicate", "detail": f"of {found}"}
            elif len(kept) < _MAX_KEPT:
                index.insert(len(kept), signature)
                kept.append((row["id"], words))

    def _are_alike(self, words: Sequence[str], kept: Sequence[str]) -> bool:
        return len(words) == len(kept) and all(map(self._is_slip, words, kept))

    def _is_slip(self, word: str, other: str) -> bool:
        if word == other:
            return True
        if not (_may_slip(word) and _may_slip(other)) or (word in self.common and other in self.common):
            return False
        return OSA.distance(word, other, score_cutoff=1) <= 1


def _may_slip(word: str) -> bool:
    return len(word) >= _MIN_SLIP and word.isalpha()


def _grams(words: str) -> set[bytes]:
    text = f" {words} "
    return {text[at : at + _GRAM].encode() for at in range(max(1, len(text) - _GRAM + 1))}
