"""Who answers the ``teach`` stage's requests: a large model over the network, live or in batches, or a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shopbot_refine.dataset import fingerprint

#: Why a request has no answer. ``offline`` and ``pending`` may be answered later; ``over_budget`` with more money.
Failure = Literal["", "offline", "pending", "over_budget", "refused", "malformed", "rejected", "not_recorded"]


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the teacher.

    ``kind``: ``judge`` (a logged turn) or ``write`` (new utterances). ``system`` is the same for all requests of a run,
    so that the provider can cache it; ``user`` holds what differs. ``schema`` is the JSON schema of the answer.
    """

    kind: Literal["judge", "write"]
    system: str
    user: str
    schema: dict[str, Any]
    max_output_tokens: int

    @property
    def key(self) -> str:
        """The request's name (64 hex digits), by what it asks: two that ask the same are one."""
        return fingerprint([self.kind, self.user])

    @property
    def prompt(self) -> str:
        """What it asks under (64 hex digits): the tools and the policy that the teacher was shown."""
        return fingerprint([self.system])


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a request.

    ``content`` is the teacher's JSON as text, not yet checked, empty where ``failure`` says why there is none. Tokens
    and ``cost`` (in the currency of the prices) are 0 where nothing was paid; ``is_cached``: it was paid for earlier.
    """

    request: Request
    teacher: str
    content: str = ""
    failure: Failure = ""
    detail: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    is_cached: bool = False


class Teacher(Protocol):
    """Answers requests; ``name`` says who it is, for the provenance of what it wrote."""

    @property
    def name(self) -> str: ...

    def answer(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """One answer for each request, in any order, as they come. Never raises for one request's trouble: that is its
        ``failure``."""
        ...
