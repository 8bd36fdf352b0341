"""What a cloud model is asked about a message that the model on the box is not sure of, and what it may say.

It is told one redacted message and which acts there are: no name, no number, no earlier message. What it says is data
from outside (:mod:`shopbot.deferral` checks it), and it never writes a word that a customer reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shopbot.types import CloudFailure

if TYPE_CHECKING:
    from shopbot.tools import Tool


@dataclass(frozen=True, slots=True)
class Question:
    """Which acts does this message mean?

    ``message``: redacted, on one line; placeholders like ``<ORDER_1>`` stand for what was personal in it. ``state``:
    the dialogue state as :func:`shopbot.session.prompt_state` writes it. ``tools``: those that may be meant.
    """

    message: str
    state: str
    tools: Sequence[Tool]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a cloud model said: ``acts``, one a line, as in ``cancel_order(order="<ORDER_1>")``; or a ``failure``."""

    acts: str = ""
    failure: CloudFailure | None = None


class CloudModel(Protocol):
    """A large model elsewhere. Thread-safe."""

    def ask(self, question: Question) -> Opinion:
        """Its opinion, within the time that the operator allows; what goes wrong is a ``failure``, not an exception."""

    def close(self) -> None:
        """Wait for nothing; ask nothing more."""
