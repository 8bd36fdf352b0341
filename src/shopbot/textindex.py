"""Nearest texts by character n-grams: copes with misspellings, needs no training and no model.

TF-IDF over character 3- to 5-grams inside word boundaries (the ``char_wb`` scheme of scikit-learn), cosine similarity.
Grams are hashed into a fixed number of columns, so that memory is bounded whatever the texts are.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_COLUMNS = 1 << 15
_WORD = re.compile(r"[^\W_]+")


class TextIndex:
    """An index over ``texts``; :meth:`scores` compares a query with each of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._size = len(texts)
        grams = [_grams(text) for text in texts]
        seen = np.bincount([column for one in grams for column in one], minlength=_COLUMNS)
        self._idf = np.log((1 + self._size) / (1 + seen)) + 1
        weighed = [self._weigh(one) for one in grams]
        rows = np.repeat(np.arange(self._size), [len(one) for one in grams])
        columns = np.concatenate([np.zeros(0, np.int64), *(columns for columns, _ in weighed)])
        weights = np.concatenate([np.zeros(0), *(weights for _, weights in weighed)])
        order = np.argsort(columns, kind="stable")
        # the texts that have a column, one column after the other; column c stands at starts[c] to starts[c + 1]
        self._rows, self._weights = rows[order].astype(np.int32), weights[order].astype(np.float32)
        self._starts = np.searchsorted(columns[order], np.arange(_COLUMNS + 1))

    def scores(self, query: str) -> npt.NDArray[np.float32]:
        """Cosine similarity in [0, 1] of the query with each text, shape (number of texts,)."""
        columns, weights = self._weigh(_grams(query))
        starts, lengths = self._starts[columns], self._starts[columns + 1] - self._starts[columns]
        ends = lengths.cumsum()
        places = np.arange(lengths.sum()) + np.repeat(starts - ends + lengths, lengths)
        products = self._weights[places] * np.repeat(weights, lengths)
        return np.bincount(self._rows[places], products, minlength=self._size).astype(np.float32)

    def _weigh(self, grams: Counter[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The columns of a text and its weight in each, of length 1."""
        columns = np.fromiter(grams, np.int64, len(grams))
        raw = (1 + np.log(np.fromiter(grams.values(), np.float64, len(grams)))) * self._idf[columns]
        return columns, raw / (float(np.sqrt(raw @ raw)) or 1.0)


def plain(text: str) -> str:
    """The text in plain letters (NFKC), without control characters but line breaks and tabs."""
    letters = unicodedata.normalize("NFKC", text)
    return "".join(
        char for char in letters if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs", "Co", "Cn")
    )


def fold(text: str) -> str:
    """Lower case, accents dropped, words joined by one space."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(_WORD.findall("".join(char for char in plain if not unicodedata.combining(char))))


def _grams(text: str) -> Counter[int]:
    found: Counter[int] = Counter()
    for word in fold(text).split():
        padded = f" {word} "
        for size in (3, 4, 5):
            for start in range(max(1, len(padded) - size + 1)):
                found[zlib.crc32(padded[start : start + size].encode()) % _COLUMNS] += 1
    return found
