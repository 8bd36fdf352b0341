"""Which logged writes a model supports that never saw the logs.

Whoever writes to the shop can write logs: a message with two odd words in it, said often enough and followed through
to a return, teaches the odd words to the label model (:mod:`shopbot_refine.suspicion`) as well as to the student, so
the logs cannot vouch for themselves. A write that no teacher judged therefore counts only if a model agrees that learnt
from the seed set and from the tools' own examples alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from shopbot import Tool
from shopbot_refine.dataset import Example
from shopbot_refine.records import LoggedTurn
from shopbot_refine.seed import load_seed
from shopbot_refine.suspicion import classifier, label_of, vectoriser
from shopbot_refine.verdicts import names

_SLOT = re.compile(r"\[\w+: ([^\]]+)\]|[{}]")


class Corroboration:
    """A model of what the seed set and the tools' own examples mean; it has seen no logs. It can be pickled."""

    def __init__(self, tools: Mapping[str, Tool], seed: int) -> None:
        """``seed`` orders the learning."""
        self._writers = frozenset(name for name, tool in tools.items() if tool.effect == "write")
        known = [(row.state, row.text, label) for row in trusted_rows(tools) if (label := label_of(row.acts))]
        self._features = vectoriser()
        self._model = classifier(seed).fit(
            self._features.fit_transform([(state, text) for state, text, _ in known]), [label for _, _, label in known]
        )

    def unsupported(self, turns: Sequence[LoggedTurn]) -> frozenset[str]:
        """The ids of the turns that were logged with a write which the model does not hold likeliest.

        A turn of several acts is unsupported unless each write is among as many likeliest ones as it has acts.
        """
        asked = [(turn, meant) for turn in turns if not self._writers.isdisjoint(meant := names(turn.acts))]
        if not asked:
            return frozenset()
        scores = self._model.predict_proba(self._features.transform([(turn.state, turn.text) for turn, _ in asked]))
        found = set()
        for (turn, meant), row in zip(asked, scores, strict=True):
            likeliest = {self._model.classes_[place] for place in row.argsort()[-len(meant) :]}
            if not self._writers.intersection(meant) <= likeliest:
                found.add(turn.id)
        return frozenset(found)


def trusted_rows(tools: Mapping[str, Tool]) -> list[Example]:
    """What the seed set and the tools' own examples say; it has seen no logs."""
    own = [(_SLOT.sub(r"\1", text), name) for name, tool in tools.items() for text in tool.examples]
    return [*load_seed(rows_per_template=1), *(Example("-", text, (f"{name}()",)) for text, name in own)]
