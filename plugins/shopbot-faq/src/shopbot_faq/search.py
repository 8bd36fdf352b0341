"""Finding the passage that answers a question, or none.

Each passage is compared with the question by words (stems, concepts, typos forgiven), by BM25 and by character n-grams
(:class:`shopbot.TextIndex`). A conditional logit with a "none of them" alternative weighs these: its chances rank the
passages and say whether there is an answer at all. The weights were fitted on the development part of
``benchmarks/faq/questions.tsv`` (``python benchmarks/faq/run.py --fit``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from shopbot_faq.markdown import Passage
from shopbot_faq.words import Term, common_stems, terms
from shopbot.textindex import TextIndex

Array = npt.NDArray[np.float32]
FEATURES = ("covered", "face", "face_covered", "ngram", "bm25", "title")
NONE_FEATURES = ("bias", "unknown", "brevity")
#: From ``run.py --fit``; one weight per name above.
WEIGHTS = (3.0, 4.0, 3.0, 4.0, 2.0, 1.0)
NONE_WEIGHTS = (5.0, 2.0, 0.0)
#: An answer is given from this chance on that some passage answers the question; measured, see README.md.
THRESHOLD = 0.5
_CONCEPT_MATCH = 0.8
_COMMON_WEIGHT = 0.35
_TYPO_SIMILARITY = 0.74
_MAX_QUERY_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage and the chance in [0, 1] that it, or one close to it, answers the question."""

    passage: Passage
    score: float


class PassageIndex:
    """An immutable index; safe to use from several threads."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        faces = [(row, face) for row, passage in enumerate(self.passages) for face in _faces(passage)]
        self._face_rows = np.array([row for row, _ in faces], dtype=np.int32)
        whole = [terms(_whole(passage), limit=2_000) for passage in self.passages]
        self._idf = _inverse_frequencies(whole)
        self._rare = math.log(1 + len(self.passages))
        self._words = sorted({term.word for row in whole for term in row if " " not in term.word})
        self._term_of = {term.word: term for row in whole for term in row}
        self._in_passage = _Postings(whole, _presence)
        self._bm25 = _Postings(whole, _saturation(whole))
        face_terms = [terms(face) for _, face in faces]
        self._in_face = _Postings(face_terms, _presence)
        self._face_norms = np.array(
            [math.sqrt(sum(self.idf(key) ** 2 for key in {term.concept for term in row})) or 1 for row in face_terms],
            dtype=np.float32,
        )
        self._in_title = _Postings([terms(_titles(passage)) for passage in self.passages], _presence)
        self._ngrams = TextIndex([face for _, face in faces])

    def idf(self, concept: str) -> float:
        return self._idf.get(concept, self._rare)

    def weight(self, term: Term) -> float:
        """What a word of a question counts: rare in the pages much, everyday words little."""
        return self.idf(term.concept) * (_COMMON_WEIGHT if term.stem in common_stems() else 1.0)

    def search(self, question: str, limit: int = 3, topic: str | None = None) -> list[Hit]:
        """The best passages, best first. ``topic`` restricts them to files with that ``topic:`` in the front matter."""
        if not self.passages:
            return []
        features, none = self.features(question)
        utility = features @ np.array(WEIGHTS, dtype=np.float32)
        if topic is not None:
            outside = np.array([passage.topic != topic for passage in self.passages])
            utility[outside] = -np.inf
        floor = float(none @ np.array(NONE_WEIGHTS, dtype=np.float32))
        top = max(float(utility.max()), floor)
        weight = np.exp(utility - top)
        order = np.argsort(-utility, kind="stable")[:limit]
        total = float(weight.sum()) + math.exp(floor - top)
        return [Hit(self.passages[row], float(weight[row]) / total) for row in order if np.isfinite(utility[row])]

    def features(self, question: str) -> tuple[Array, Array]:
        """(passages × :data:`FEATURES`, :data:`NONE_FEATURES`) of a question; public for the benchmark."""
        question = question[:_MAX_QUERY_CHARS]
        asked = {term.concept: term for term in terms(question)}
        matched = [self._forgive(term) for term in asked.values()]
        idf = np.array([self.weight(term) for term in asked.values()], dtype=np.float32)
        mass = float(idf.sum()) or 1.0
        norm = math.sqrt(float((idf**2).sum())) or 1.0
        size, face_size = len(self.passages), len(self._face_rows)
        covered, bm25, title = (np.zeros(size, dtype=np.float32) for _ in range(3))
        dot, face_covered = (np.zeros(face_size, dtype=np.float32) for _ in range(2))
        unknown = 0.0
        for weight, (term, similarity) in zip(idf, matched, strict=True):
            if term is None:
                unknown += float(weight)
                continue
            weight = float(weight) * similarity
            self._in_passage.add(covered, term, weight)
            self._bm25.add(bm25, term, weight)
            self._in_title.add(title, term, weight)
            self._in_face.add(face_covered, term, weight)
            self._in_face.add(dot, term, weight * self.idf(term.concept))
        face = dot / (norm * self._face_norms)
        columns = [covered / mass, self._best(face), self._best(face_covered / mass), self._best(self._ngrams.scores(question))]
        columns += [bm25 / mass, title / mass]
        none = np.array([1.0, unknown / mass, 1 / (1 + len(asked))], dtype=np.float32)
        return np.stack(columns, axis=1), none

    def _forgive(self, term: Term) -> tuple[Term | None, float]:
        """The index's own spelling of a term and how similar it is; (None, 0) for a word the pages do not know."""
        if self._in_passage.has(term):
            return term, 1.0
        if len(term.word) < 4 or " " in term.word or not term.word.isalpha():
            return None, 0.0
        near = process.extractOne(
            term.word, self._known, scorer=OSA.normalized_similarity, score_cutoff=_TYPO_SIMILARITY
        )
        if near is None:
            return None, 0.0
        return self._term_of[near[0]], float(near[1]) ** 2

    def _best(self, by_face: Array) -> Array:
        """The largest value of a passage's faces, shape (passages,)."""
        best = np.zeros(len(self.passages), dtype=np.float32)
        np.maximum.at(best, self._face_rows, by_face)
        return best


class _Postings:
    """Stem → (rows, values) and concept → (rows, values), rows ascending; a stem's rows are among its concept's."""

    def __init__(self, rows: Sequence[Sequence[Term]], value: Callable[[int, int], float]) -> None:
        self._stems = _columns([Counter(term.stem for term in row) for row in rows], value)
        self._concepts = _columns([Counter(term.concept for term in row) for row in rows], value)

    def has(self, term: Term) -> bool:
        return term.concept in self._concepts

    def add(self, target: Array, term: Term, weight: float) -> None:
        """Add ``weight`` × value to the rows that have the term: all of it for the stem, a part for the same concept."""
        if term.concept not in self._concepts:
            return
        rows, values = self._concepts[term.concept]
        values = _CONCEPT_MATCH * values
        if term.stem in self._stems:
            stem_rows, stem_values = self._stems[term.stem]
            places = np.searchsorted(rows, stem_rows)
            values[places] = np.maximum(values[places], stem_values)
        target[rows] += weight * values


def _columns(
    counts: Sequence[Counter[str]], value: Callable[[int, int], float]
) -> dict[str, tuple[npt.NDArray[np.int32], Array]]:
    entries: dict[str, list[tuple[int, float]]] = {}
    for row, counter in enumerate(counts):
        for key, count in counter.items():
            entries.setdefault(key, []).append((row, value(row, count)))
    return {
        key: (np.array([row for row, _ in pairs], dtype=np.int32), np.array([v for _, v in pairs], dtype=np.float32))
        for key, pairs in entries.items()
    }


def _faces(passage: Passage) -> list[str]:
    """What a question may look like: the titles, and each of the owner's questions."""
    return [_titles(passage), passage.title, *passage.questions]


def _titles(passage: Passage) -> str:
    return " ".join((*passage.trail, passage.title))


def _whole(passage: Passage) -> str:
    return " . ".join((_titles(passage), *passage.questions, passage.text))


def _inverse_frequencies(rows: Sequence[Sequence[Term]]) -> dict[str, float]:
    seen = Counter(concept for row in rows for concept in {term.concept for term in row})
    return {concept: math.log(1 + len(rows) / (1 + count)) for concept, count in seen.items()}


def _presence(_row: int, _count: int) -> float:
    return 1.0


def _saturation(rows: Sequence[Sequence[Term]]) -> Callable[[int, int], float]:
    """BM25's factor for a word's count in a text of that length (k1 = 1.2, b = 0.75), without the inverse frequency."""
    lengths = [len(row) for row in rows]
    mean = (sum(lengths) / len(lengths) if lengths else 1) or 1

    def value(row: int, count: int) -> float:
        return count * 2.2 / (count + 1.2 * (0.25 + 0.75 * lengths[row] / mean)) / 2.2

    return value
