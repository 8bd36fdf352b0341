"""Finding the passage that answers a question, or none.

Each passage is compared with the question by words (stems, concepts, misspellings put right) and by character n-grams
(:class:`shopbot.TextIndex`), in meaning also clause by clause, because a long message as a whole is like no passage. A
conditional logit with a "none of them" alternative weighs these: its chances rank the passages and say whether there is
an answer at all. The weights were fitted on the development part of ``benchmarks/faq/questions.tsv``
(``python benchmarks/faq/run.py --fit``).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from shopbot import TextIndex
from shopbot_faq.markdown import Passage
from shopbot_faq.words import Term, english_words, fold, is_common, known_words, stem, terms

Array = npt.NDArray[np.float32]
FEATURES = ("covered", "title", "ngram", "ngram_whole", "meaning")
NONE_FEATURES = ("bias", "unknown", "length")
#: From ``run.py --fit``; one weight per name above.
WEIGHTS = (5.58, 2.3, 2.5, 10.73, 3.81)
NONE_WEIGHTS = (8.07, 1.07, -0.71)
#: An answer is given from this chance on that some passage answers the question; measured, see README.md.
THRESHOLD = 0.64
#: From this share of the threshold on a passage comes close: it may be quoted, as what may be meant; measured too.
CLOSE_SHARE = 0.35
_CONCEPT_MATCH = 0.8
_COMMON_WEIGHT = 0.35
_MAX_QUERY_WORDS = 80
_MAX_QUERY_CHARS = 2_000
_MAX_CLAUSES = 8
#: A word that begins with another letter must be at least this like.
_FIRST_LETTER_OFF = 0.79
_CLAUSE_END = re.compile(
    r"[.,;:!?\n()]+|\b(?:and|but|so|because|since|then|or|though|if|when|as|that|which|where|how|what|who|can|could|do|does"
    r"|is|are|will|would)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage and the chance in [0, 1] that it answers the question; ``is_nearest``: no text is nearer in wording."""

    passage: Passage
    score: float
    is_nearest: bool = False


class PassageIndex:
    """An immutable index; safe to use from several threads."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        faces = [(row, face) for row, passage in enumerate(self.passages) for face in _faces(passage)]
        self._face_rows = np.array([row for row, _ in faces], dtype=np.int32)
        whole = [terms(_whole(passage), limit=2_000) for passage in self.passages]
        self._idf = _inverse_frequencies(whole)
        self._rare = math.log(1 + len(self.passages))
        self._spellings = sorted(known_words() | {term.word for row in whole for term in row if " " not in term.word})
        self._is_spelling = english_words().union(self._spellings)
        self._known_stems = frozenset(map(stem, self._is_spelling))
        self._in_passage = _Postings(whole)
        self._in_title = _Postings([terms(_titles(passage)) for passage in self.passages])
        self._ngrams = TextIndex([face for _, face in faces])
        self._whole_ngrams = TextIndex([_whole(passage) for passage in self.passages])
        self._meanings = TextIndex([_meaning(terms(face)) for _, face in faces])

    def idf(self, concept: str) -> float:
        return self._idf.get(concept, self._rare)

    def weight(self, term: Term) -> float:
        """What a word of a question counts: rare in the pages much, everyday words little."""
        return self.idf(term.concept) * (_COMMON_WEIGHT if is_common(term) else 1.0)

    def search(self, question: str, limit: int = 3, topic: str | None = None) -> list[Hit]:
        """The best passages, best first. ``topic`` restricts them to files with that ``topic:`` in the front matter."""
        if not self.passages:
            return []
        features, none = self.features(question)
        utility = (features * np.array(WEIGHTS, dtype=np.float32)).sum(axis=1)
        if topic is not None:
            outside = np.array([passage.topic != topic for passage in self.passages])
            utility[outside] = -np.inf
        floor = float(none @ np.array(NONE_WEIGHTS, dtype=np.float32))
        top = max(float(utility.max()), floor)
        weight = np.exp(utility - top)
        order = np.argsort(-utility, kind="stable")[:limit]
        total = float(weight.sum()) + math.exp(floor - top)
        wording = np.where(np.isfinite(utility), features[:, FEATURES.index("ngram_whole")], 0)
        is_nearest = (wording == wording.max()) & (wording > 0)
        return [
            Hit(self.passages[row], float(weight[row]) / total, bool(is_nearest[row]))
            for row in order
            if np.isfinite(utility[row])
        ]

    def features(self, question: str) -> tuple[Array, Array]:
        """(passages × :data:`FEATURES`, :data:`NONE_FEATURES`) of a question; public for the benchmark."""
        known: dict[str, str] = {}
        clauses = [self.corrected(clause, known) for clause in _CLAUSE_END.split(question[:_MAX_QUERY_CHARS])]
        question = self.corrected(question[:_MAX_QUERY_CHARS], known)
        asked = self._asked(question)
        weights = [self.weight(term) for term in asked]
        mass = sum(weights) or 1.0
        covered, title = (np.zeros(len(self.passages), dtype=np.float32) for _ in range(2))
        unknown = 0.0
        for term, weight in zip(asked, weights, strict=True):
            if not self._in_passage.has(term):
                unknown += weight
            self._in_passage.add(covered, term, weight)
            self._in_title.add(title, term, weight)
        columns = [
            covered / mass,
            title / mass,
            self._best(self._ngrams.scores(question)),
            self._whole_ngrams.scores(question),
            self._meaning(asked, clauses),
        ]
        none = np.array([1.0, unknown / mass, math.log1p(len(asked))], dtype=np.float32)
        return np.stack(columns, axis=1), none

    def _asked(self, question: str) -> list[Term]:
        """The telling words of a question, each once; numbers and kinds only if the pages have them."""
        found = {term.concept: term for term in terms(question, limit=_MAX_QUERY_WORDS)}
        return [
            term for term in found.values() if not (term.is_kind or term.word.isdigit()) or self._in_passage.has(term)
        ]

    def _meaning(self, asked: Sequence[Term], clauses: Sequence[str]) -> Array:
        """How near the whole question, or one clause of it, comes to a face of a passage in meaning."""
        meanings = {_meaning(asked), *(_meaning(self._asked(clause)) for clause in clauses)}
        longest = sorted(filter(None, meanings), key=lambda text: (-len(text), text))[: 1 + _MAX_CLAUSES]
        scores = [self._best(self._meanings.scores(meaning)) for meaning in longest]
        return np.max(scores, axis=0) if scores else np.zeros(len(self.passages), dtype=np.float32)

    def corrected(self, text: str, known: dict[str, str] | None = None) -> str:
        """The words of ``text``, spelt right; ``known`` keeps what was found out."""
        known = {} if known is None else known
        words = fold(text)[:_MAX_QUERY_WORDS]
        for word in words:
            if word not in known:
                known[word] = self._spelling(word)
        return " ".join(known[word] for word in words)

    def _spelling(self, word: str) -> str:
        """The known word that ``word`` most likely is; the word itself if it is known, short, or like none."""
        if len(word) < 4 or not word.isalpha() or word in self._is_spelling or stem(word) in self._known_stems:
            return word
        cutoff = 0.74 if len(word) == 4 or len(word) > 7 else 0.79
        near = process.extract(word, self._spellings, scorer=OSA.normalized_similarity, score_cutoff=cutoff, limit=5)
        likely = [
            found for found, score, _ in near if found[0] == word[0] or (len(word) > 5 and score >= _FIRST_LETTER_OFF)
        ]
        return max(likely, key=lambda found: _likeness(word, found), default=word)

    def _best(self, by_face: Array) -> Array:
        """The largest value of a passage's faces, shape (passages,)."""
        best = np.zeros(len(self.passages), dtype=np.float32)
        np.maximum.at(best, self._face_rows, by_face)
        return best


def _likeness(word: str, found: str) -> tuple[float, bool]:
    """How likely ``word`` is a misspelling of ``found``; letters that changed places are likelier than others."""
    return OSA.normalized_similarity(word, found), sorted(word) == sorted(found)


class _Postings:
    """Stem → rows and concept → rows, ascending; a stem's rows are among its concept's."""

    def __init__(self, rows: Sequence[Sequence[Term]]) -> None:
        self._stems = _rows_of([{term.stem for term in row} for row in rows])
        self._concepts = _rows_of([{term.concept for term in row} for row in rows])

    def has(self, term: Term) -> bool:
        return term.concept in self._concepts

    def add(self, target: Array, term: Term, weight: float) -> None:
        """Add ``weight`` to the rows that have the term's stem, a part of it to those that only have its concept."""
        if term.concept in self._concepts:
            target[self._concepts[term.concept]] += _CONCEPT_MATCH * weight
        if term.stem in self._stems:
            target[self._stems[term.stem]] += (1 - _CONCEPT_MATCH) * weight


def _rows_of(keys: Sequence[set[str]]) -> dict[str, npt.NDArray[np.int32]]:
    rows: dict[str, list[int]] = {}
    for number, row in enumerate(keys):
        for key in row:
            rows.setdefault(key, []).append(number)
    return {key: np.array(numbers, dtype=np.int32) for key, numbers in rows.items()}


def _faces(passage: Passage) -> list[str]:
    """What a question may look like: the titles, and each of the owner's questions."""
    return [_titles(passage), passage.title, *passage.questions]


def _titles(passage: Passage) -> str:
    return " ".join((*passage.trail, passage.title))


def _whole(passage: Passage) -> str:
    return " . ".join((_titles(passage), *passage.questions, passage.text))


def _meaning(found: Sequence[Term]) -> str:
    return " ".join(term.concept for term in found)


def _inverse_frequencies(rows: Sequence[Sequence[Term]]) -> dict[str, float]:
    seen = Counter(concept for row in rows for concept in {term.concept for term in row})
    return {concept: math.log(1 + len(rows) / (1 + count)) for concept, count in seen.items()}
