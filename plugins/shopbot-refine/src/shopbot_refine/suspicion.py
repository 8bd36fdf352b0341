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
_ALPHA, _EPOCHS, _MAX_FEATURES = 5e-5, 8, 60_000
#: A label of fewer rows than this, the seed set's included, is not judged.
_MIN_ROWS = 2 * FOLDS
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


def rank_suspects(turns: Sequence[LoggedTurn], seed: int) -> dict[str, float]:
    """Turn id → how likely its label is wrong, in [0, 1]; see :func:`judge_labels`."""
    return {name: found.wrong for name, found in judge_labels(turns, seed).items()}


def judge_labels(turns: Sequence[LoggedTurn], seed: int) -> dict[str, Suspicion]:
    """Turn id → how its label looks; ``seed`` draws the folds and orders the learning.

    Judged are the names of the acts, not their arguments. A turn of several different acts, or of an act with
    too few rows, comes out as :data:`SUSPECT` exactly.
    """
    if not turns:
        return {}
    examples = load_seed(rows_per_template=1)
    rows: list[LoggedTurn | Example] = [*turns, *examples]
    documents = [(row.state, row.text) for row in rows]
    labels = [label_of(row.acts) for row in rows]
    counts = Counter(labels)
    classes = sorted(label for label, count in counts.items() if label and count >= _MIN_ROWS)
    places = {label: place for place, label in enumerate(classes)}
    given = np.array([places.get(label, -1) for label in labels])
    probabilities = _predict(documents, given, len(classes), seed)
    weights = probabilities / _usual(probabilities[: len(turns)], given[: len(turns)])
    return {turn.id: _judge(weights[row], int(given[row]), classes) for row, turn in enumerate(turns)}


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


def _predict(documents: Sequence[tuple[str, str]], given: npt.NDArray[Any], classes: int, seed: int) -> _Matrix:
    """Out-of-fold probabilities, of shape [documents, classes]."""
    features = vectoriser().fit_transform(documents).tocsr()
    folds = np.array([_fold_of(text, seed) for _, text in documents])
    probabilities = np.zeros((len(documents), classes))
    for number in range(FOLDS):
        train, test = np.flatnonzero((folds != number) & (given >= 0)), np.flatnonzero(folds == number)
        if len(test):
            model = classifier(seed).fit(features[train], given[train])
            # one class against the rest each: a text that is like none of them gives nothing to any
            probabilities[np.ix_(test, model.classes_)] = model.predict_proba(features[test])
    return probabilities


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


def _plain(document: tuple[str, str]) -> str:
    """The text, folded, numbers and placeholders all alike: which order it is does not tell what is wanted."""
    return fold(_NUMBER.sub(" 00 ", document[1]))


def _words(document: tuple[str, str]) -> str:
    """The text behind its dialogue state as one word; nothing where nothing was open."""
    state = document[0]
    return _plain(document) if state == "-" else f"{re.sub(r'[^a-z0-9]', '_', state.casefold())} {_plain(document)}"
