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
        self._columns: dict[int, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]] = {}
        self._idf = np.ones(_COLUMNS, dtype=np.float32)
        counts = [_grams(text) for text in texts]
        seen = np.zeros(_COLUMNS, dtype=np.int32)
        for count in counts:
            seen[list(count)] += 1
        self._idf = (np.log((1 + self._size) / (1 + seen)) + 1).astype(np.float32)
        postings: dict[int, list[tuple[int, float]]] = {}
        for row, count in enumerate(counts):
            for column, weight in self._weights(count).items():
                postings.setdefault(column, []).append((row, weight))
        for column, entries in postings.items():
            rows, weights = zip(*entries, strict=True)
            self._columns[column] = (np.array(rows, dtype=np.int32), np.array(weights, dtype=np.float32))

    def scores(self, query: str) -> npt.NDArray[np.float32]:
        """Cosine similarity in [0, 1] of the query with each text, shape (number of texts,)."""
        result = np.zeros(self._size, dtype=np.float32)
        for column, weight in self._weights(_grams(query)).items():
            if column in self._columns:
                rows, weights = self._columns[column]
                result[rows] += weight * weights
        return result

    def _weights(self, count: Counter[int]) -> dict[int, float]:
        raw = {column: (1 + np.log(n)) * float(self._idf[column]) for column, n in count.items()}
        norm = float(np.sqrt(sum(weight * weight for weight in raw.values()))) or 1.0
        return {column: weight / norm for column, weight in raw.items()}


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
