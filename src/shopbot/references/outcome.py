"""What looking up the customer's words can come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Found:
    """Exactly this. For items and variants a tuple of records; several orders where the customer said "both"."""

    value: Any


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several: what is shown, and the words that pick it when looked up again."""

    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Choose:
    """Several fit. ``position`` tells which of several items or wishes is meant by the question."""

    question: str
    choices: tuple[Choice, ...]
    position: int = 0


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing fits; ``text`` tells the customer what was not found, without a question."""

    text: str


Outcome = Found | Choose | Unknown
