"""Keeping the examination out of the lessons: which messages are those of a golden or eval set, or nearly so.

Two messages are near-duplicates when their folded texts are at least :data:`NEAR` similar (0–100, the normalised indel
similarity of RapidFuzz). Messages of fewer than :data:`MIN_WORDS` words are anybody's words ("yes please") and may be
in both.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from math import ceil, floor
from pathlib import Path

from rapidfuzz import fuzz, process

from shopbot import Case, fold, load_cases
from shopbot_refine.dataset import DatasetError
from shopbot_refine.records import read_rows

NEAR = 88.0
MIN_WORDS = 4
#: What the customer's words are called in a row of an eval set.
_TEXT_KEYS = ("text", "say", "message")


class Guarded:
    """The messages that must not be trained on, as an index.

    Blocking: an indel similarity of ``NEAR`` bounds how much two lengths may differ, so a query is compared only with
    texts of about its length; no near-duplicate is lost by that.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        folded = {text for text in map(fold, texts) if len(text.split()) >= MIN_WORDS}
        self._texts = sorted(folded, key=lambda text: (len(text), text))
        self._lengths = [len(text) for text in self._texts]
        self._exact = frozenset(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def find(self, text: str) -> str | None:
        """The guarded message (folded) that ``text`` is a near-duplicate of, or None."""
        query = fold(text)
        if query in self._exact:
            return query
        # similarity = 1 - distance / (sum of lengths), and the distance is at least the difference of the lengths
        low = bisect_left(self._lengths, floor(len(query) * NEAR / (200 - NEAR)))
        high = bisect_right(self._lengths, ceil(len(query) * (200 - NEAR) / NEAR))
        found = process.extractOne(query, self._texts[low:high], scorer=fuzz.ratio, score_cutoff=NEAR)
        return None if found is None else str(found[0])


def guarded_texts(cases: Iterable[Case], files: Iterable[Path] = ()) -> Iterator[str]:
    """The messages of the cases, and of eval sets in files: ``.toml`` holds cases, everything else is JSON Lines.

    Raises :class:`~shopbot_refine.dataset.DatasetError` or :class:`~shopbot.ConfigError` for a file that cannot be read
    or a row without a message: a set that is not understood is not guarded.
    """
    for path in files:
        if path.suffix == ".toml":
            yield from guarded_texts(load_cases(path))
            continue
        for number, row in enumerate(read_rows(path), 1):
            text = next((row[key] for key in _TEXT_KEYS if isinstance(row.get(key), str)), None)
            if text is None:
                raise DatasetError(
                    f"{path}, row {number} has no message.", remedy=f"Name it one of: {', '.join(_TEXT_KEYS)}."
                )
            yield text
    for case in cases:
        yield from (turn.say for turn in case.turns)
