"""Which logged labels are probably wrong: confident learning over a linear model of the messages.

Out-of-fold class probabilities come from logistic regression (by stochastic gradient descent) on TF-IDF of words and
character n-grams; the seed set's examples take part as further rows, so that acts which the logs never name (above all
``out_of_scope``) can be the likelier ones. A probability is compared with the mean that rows of that label reach, the
class threshold of Northcutt, Jiang and Chuang, "Confident Learning" (JAIR 70, 2021): labels are thus compared on one
scale, whatever their frequency. No text is ever judged by a model that saw it, nor a copy of it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_union

from shopbot import fold
from shopbot_refine.acts import parse_act
from shopbot_refine.dataset import Example
from shopbot_refine.records import LoggedTurn
from shopbot_refine.seed import load_seed

#: A turn above this is suspect: another label then stands further above what is usual for it than its own does.
SUSPECT = 0.5
FOLDS = 5
#: From so many turns the model learns at most, so that a log of any length can be judged.
SAMPLE = 50_000
_ALPHA, _EPOCHS, _MAX_FEATURES = 5e-5, 8, 60_000
#: A label of fewer rows than this, the seed set's included, is not judged.
_MIN_ROWS = 2 * FOLDS
#: What stands for any number or placeholder in a folded text.
NUMBER = "00"
_OUT_OF_SCOPE = "out_of_scope"
_NUMBER = re.compile(r"<[A-Z]{2,10}_\d{1,6}>|#?\w{0,20}\d\w{0,20}")
_Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How a turn's label looks.

    ``wrong`` and ``irrelevant`` are in [0, 1]: the weight of the likeliest other label, and of ``out_of_scope``,
    against the turn's own; above :data:`SUSPECT` the other one is likelier. ``likely`` is the name of the likeliest
    act.
    """

    wrong: float
    irrelevant: float
    likely: str


def judge_labels(turns: Sequence[LoggedTurn], seed: int) -> dict[str, Suspicion]:
    """Turn id → how its label looks, by a model that learns from these turns; see :class:`LabelModel`."""
    return LabelModel.learn(turns, seed).judge(turns)


class LabelModel:
    """Judges the labels of logged turns. Judged are the names of the acts, not their arguments. A turn of several
    different acts, or of an act with too few rows, comes out as :data:`SUSPECT` exactly.

    It can be pickled. Its size does not follow from that of the logs.
    """

    def __init__(self, classes: Sequence[str], features: Any, folds: Sequence[Any], usual: _Matrix, seed: int) -> None:
        self._classes, self._features, self._folds, self._usual, self._seed = classes, features, folds, usual, seed
        self._places = {label: place for place, label in enumerate(classes)}

    @classmethod
    def learn(cls, turns: Iterable[LoggedTurn], seed: int) -> LabelModel:
        """Learn from the turns, or from :data:`SAMPLE` of them; ``seed`` draws those and the folds and orders the
        learning."""
        sample = draw_sample(turns, seed)
        rows: list[LoggedTurn | Example] = [*sample, *load_seed(rows_per_template=1)]
        documents = [(row.state, row.text) for row in rows]
        labels = [label_of(row.acts) for row in rows]
        classes = sorted(label for label, count in Counter(labels).items() if label and count >= _MIN_ROWS)
        model = cls(classes, vectoriser(), [], np.empty(0), seed)
        given = np.array([model._places.get(label, -1) for label in labels])
        features = model._features.fit_transform(documents).tocsr()
        folds = np.array([_fold_of(text, seed) for _, text in documents])
        learnt = [np.flatnonzero((folds != number) & (given >= 0)) for number in range(FOLDS)]
        model._folds = [classifier(seed).fit(features[rows], given[rows]) for rows in learnt]
        model._usual = _usual(model._predict(features[: len(sample)], folds[: len(sample)]), given[: len(sample)])
        return model

    def judge(self, turns: Sequence[LoggedTurn]) -> dict[str, Suspicion]:
        """Turn id → how its label looks. No turn is judged by a model that saw its text."""
        if not turns:
            return {}
        features = self._features.transform([(turn.state, turn.text) for turn in turns]).tocsr()
        folds = np.array([_fold_of(turn.text, self._seed) for turn in turns])
        weights = self._predict(features, folds) / self._usual
        return {
            turn.id: _judge(weights[row], self._places.get(label_of(turn.acts), -1), self._classes)
            for row, turn in enumerate(turns)
        }

    def _predict(self, features: Any, folds: npt.NDArray[Any]) -> _Matrix:
        """Out-of-fold probabilities, of shape [rows, classes]."""
        probabilities = np.zeros((features.shape[0], len(self._classes)))
        for number, model in enumerate(self._folds):
            rows = np.flatnonzero(folds == number)
            if len(rows):
                # one class against the rest each: a text that is like none of them gives nothing to any
                probabilities[np.ix_(rows, model.classes_)] = model.predict_proba(features[rows])
        return probabilities


def draw_sample(turns: Iterable[LoggedTurn], seed: int) -> list[LoggedTurn]:
    """At most :data:`SAMPLE` of the turns, in their order; which ones follows from the seed and their ids."""

    def mark(turn: LoggedTurn) -> bytes:
        return hashlib.sha256(f"{seed}:{turn.id}".encode("utf-8", "replace")).digest()

    drawn = nsmallest(SAMPLE, ((mark(turn), place, turn) for place, turn in enumerate(turns)), key=itemgetter(0, 1))
    return [turn for _, _, turn in sorted(drawn, key=itemgetter(1))]


def label_of(acts: Iterable[str]) -> str:
    """The label of a turn: the name of its acts; empty where they have none, or several (several wishes in one message
    make too many labels of too few rows each)."""
    names = {parse_act(act).name for act in acts}
    return names.pop() if len(names) == 1 else ""


def _judge(weights: _Matrix, given: int, classes: Sequence[str]) -> Suspicion:
    if given < 0:
        return Suspicion(SUSPECT, SUSPECT, classes[int(weights.argmax())])
    others = weights.copy()
    others[given] = 0.0
    outside = others[classes.index(_OUT_OF_SCOPE)]
    return Suspicion(
        _share(others.max(), weights[given]), _share(outside, weights[given]), classes[int(weights.argmax())]
    )


def _usual(probabilities: _Matrix, given: npt.NDArray[Any]) -> _Matrix:
    """What rows of each label reach on average in the logs; a label that the logs hardly use must be as likely as not
    before it speaks against another."""
    usual = np.full(probabilities.shape[1], 0.5)
    for place in range(len(usual)):
        own = probabilities[given == place, place]
        if len(own) >= _MIN_ROWS:
            usual[place] = max(own.mean(), 1e-6)
    return usual


def _share(other: float, own: float) -> float:
    return round(float(other / (other + own)), 4) if other + own > 0 else SUSPECT


def vectoriser() -> Any:
    """(state, text) documents → TF-IDF of words and character n-grams."""
    words = TfidfVectorizer(
        preprocessor=_words, ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32, max_features=_MAX_FEATURES
    )
    letters = TfidfVectorizer(
        preprocessor=_plain,
        analyzer="char_wb",
        ngram_range=(3, 4),
        min_df=2,
        sublinear_tf=True,
        dtype=np.float32,
        max_features=_MAX_FEATURES,
    )
    return make_union(words, letters)


def classifier(seed: int) -> SGDClassifier:
    """Logistic regression, one class against the rest each, not fitted yet."""
    return SGDClassifier(loss="log_loss", alpha=_ALPHA, max_iter=_EPOCHS, tol=None, random_state=seed)


def _fold_of(text: str, seed: int) -> int:
    """The fold of a text; copies of it, in whatever case and punctuation, fall together."""
    return hashlib.sha256(f"{seed}:{fold(text)}".encode("utf-8", "replace")).digest()[0] % FOLDS


def plain(text: str) -> str:
    """The text, folded, numbers and placeholders all alike: which order it is does not tell what is wanted."""
    return fold(_NUMBER.sub(f" {NUMBER} ", text))


def _plain(document: tuple[str, str]) -> str:
    return plain(document[1])


def _words(document: tuple[str, str]) -> str:
    """The text behind its dialogue state as one word; nothing where nothing was open."""
    state = document[0]
    return _plain(document) if state == "-" else f"{re.sub(r'[^a-z0-9]', '_', state.casefold())} {_plain(document)}"
