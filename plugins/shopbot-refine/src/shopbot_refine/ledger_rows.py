"""What stands in the ledger, and what it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shopbot_refine.teachers import Failure, Request

#: Micro-units in one unit of the currency.
MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as it stands in the ledger.

    ``micros`` and ``tokens`` are what it counts at now: its reservation while ``sent``, its cost once ``answered``; a
    ``failed`` call counts at nothing, or at its reservation where it may have been paid for. ``batch``: the name of the
    batch it went out in, or "". Times are ISO 8601 in UTC.
    """

    id: int
    run: str
    key: str
    prompt: str
    kind: str
    model: str
    batch: str
    state: Literal["sent", "answered", "failed"]
    reserved_micros: int
    micros: int
    tokens: int
    input_tokens: int
    output_tokens: int
    sent_at: str
    done_at: str
    error: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over calls. ``spent_micros``: for answers. ``held_micros``: calls not answered yet, or never, that may have
    been paid for. Tokens are those of the answered calls."""

    answered: int
    sent: int
    failed: int
    spent_micros: int
    held_micros: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Want:
    """A call to be made, with the most that it can use."""

    request: Request
    tokens: int
    micros: int


@dataclass(frozen=True, slots=True)
class Cap:
    """What one run may use, in micro-units and tokens."""

    run: str
    micros: int
    tokens: int


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer that was paid for, good or not (``failure``), and what it took."""

    content: str
    failure: Failure
    detail: str
    input_tokens: int
    output_tokens: int
    micros: int


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose answers were not all fetched. ``id`` is the provider's; "": not known to be submitted.
    ``planned_at`` in seconds since the epoch."""

    name: str
    id: str
    planned_at: float
