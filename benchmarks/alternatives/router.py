"""A semantic router (PyPI ``semantic-router``): a message goes to the route whose example utterances are nearest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from semantic_router import IndexedRouter, Route
from semantic_router.encoders import DenseEncoder, TfidfEncoder

from benchmarks.alternatives.engines import BaseEmbeddings
from benchmarks.alternatives.judging import Case, Guess
from benchmarks.alternatives.shots import Embed, Shot

#: What a user would add where the router has no arguments; found on development rows. Act → slot → pattern.
_ORDER = re.compile(r"#?W\d{5,}|#?\d{5,}")
_AMOUNT = re.compile(r"(?<=\$)\d+(?:\.\d\d)?|\d+(?:\.\d\d)?(?= ?(?:\$|dollars|usd|euros?|pounds?))", re.IGNORECASE)
_NUMBERED: Mapping[str, re.Pattern[str]] = {"order": _ORDER}
_MONEY: Mapping[str, re.Pattern[str]] = {"amount": _AMOUNT, "order": _ORDER}
PATTERNS: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "cancel_order": _NUMBERED,
    "change_items": _NUMBERED,
    "order_status": _NUMBERED,
    "refund_status": _MONEY,
    "return_items": _MONEY,
    "invoice": {"number": _ORDER},
}
OUT_OF_SCOPE = "out_of_scope"


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """``alpha``: the weight of the embeddings beside TF-IDF; 1: embeddings alone. ``top_k``: the nearest utterances that
    vote, as ``aggregation`` says."""

    aggregation: Literal["mean", "max", "sum"]
    top_k: int
    alpha: float


class Encoder(DenseEncoder):
    """An embedding function in the form that the router takes; each text is embedded once, except one that comes alone."""

    name: str = "encoder"
    embed: Embed
    known: dict[str, list[float]] = Field(default_factory=dict)

    def __call__(self, docs: list[Any]) -> list[list[float]]:
        if len(docs) == 1:
            return [[float(value) for value in row] for row in self.embed(docs)]
        new = [doc for doc in dict.fromkeys(docs) if doc not in self.known]
        if new:
            self.known |= {doc: row.tolist() for doc, row in zip(new, self.embed(new), strict=True)}
        return [self.known[doc] for doc in docs]


def wordllama_embeddings() -> Embed:
    """The embeddings that come with PyPI's ``wordllama``: 256 numbers a text, 16 MB, no download."""
    import wordllama

    # Its search for the tokenizer looks beside the folder that the wheel has it in, but finds it as a cache.
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    return lambda texts: np.asarray(model.embed(list(texts)), dtype=np.float32)


ENCODERS: Mapping[str, Callable[[], Embed]] = {"wordllama": wordllama_embeddings, "base model": BaseEmbeddings}


class RouterArm:
    """A route for each function, with the messages of its shots; :meth:`fit` sets the threshold."""

    def __init__(self, shots: Sequence[Shot], encoder: Encoder, settings: RouterSettings) -> None:
        routes: dict[str, dict[str, None]] = {}
        for shot in shots:
            routes.setdefault(shot.name, {})[shot.message] = None
        self._router = IndexedRouter(
            encoder,
            [Route(name=route, utterances=list(texts)) for route, texts in routes.items()],
            sparse_encoder=TfidfEncoder() if settings.alpha < 1 else None,
            alpha=settings.alpha,
            top_k=settings.top_k,
            aggregation=settings.aggregation,
        )

    def fit(self, cases: Sequence[Case]) -> float:
        """Take the threshold below which nothing is meant so that most of these cases are right; their share then.

        The router's own ``fit`` only turns scores into probabilities and sets no threshold.
        """
        self._router.confidence_threshold = None
        choices = [self._router(case.text) for case in cases]
        shares = {}
        for threshold in sorted({0.0, *(round(choice.confidence, 2) for choice in choices)}):
            names = [choice.name if choice.confidence >= threshold else OUT_OF_SCOPE for choice in choices]
            shares[threshold] = sum(case.is_named(name) for case, name in zip(cases, names, strict=True)) / len(cases)
        best = max(shares, key=lambda threshold: shares[threshold])
        self._router.confidence_threshold = best
        return shares[best]

    def __call__(self, message: str) -> Guess:
        name = self._router(message).name or OUT_OF_SCOPE
        found = {slot: pattern.search(message) for slot, pattern in PATTERNS.get(name, {}).items()}
        return Guess(name, {slot: match[0] for slot, match in found.items() if match})
