"""Messages with the calls that are right for them: what the arms have instead of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.alternatives.offers import Offer
from benchmarks.shared_data import examples
from shopbot import grammar
from shopbot.understand import demonstration

#: Texts → one row of numbers a text.
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Shot:
    """A message and its call."""

    message: str
    name: str
    arguments: dict[str, str] = field(default_factory=dict)


def declared(offered: Iterable[Offer]) -> list[Shot]:
    """The examples that the tools declare, with the arguments that are marked in them."""
    return [_shot(*demonstration(offer.name, example)) for offer in offered for example in offer.examples]


def with_training_rows(offered: Iterable[Offer]) -> list[Shot]:
    """Those, and the third-party rows of the training part; shopbot's adapter was trained on rows of that part, too."""
    return declared(offered) + [_shot(row["text"], row["acts"][0]) for row in examples("train")]


def _shot(message: str, act: str) -> Shot:
    call = grammar.parse(act)[0]
    return Shot(message, call.name, dict(call.arguments))


class Nearest:
    """The ``count`` shots whose messages are nearest to a message by the cosine of their embeddings, the nearest last."""

    def __init__(self, shots: Sequence[Shot], embed: Embed, count: int) -> None:
        self._shots, self._embed, self._count = shots, embed, count
        self._rows = _unit(embed([shot.message for shot in shots]))

    def __call__(self, message: str) -> list[Shot]:
        similarity = self._rows @ _unit(self._embed([message]))[0]
        return [self._shots[row] for row in similarity.argsort()[-self._count :]]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
