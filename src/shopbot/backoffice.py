"""What hand-off and operators leave in the store: notices that another program is to get, and who did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

#: Where a notice stands: it waits to be sent (again); it was taken; it was given up.
NoticeState = Literal["waiting", "delivered", "dead"]
#: How an operator's action ended; one that stays ``begun`` was cut short, by a power cut for instance.
ActionOutcome = Literal["begun", "done", "refused"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that another program is to be told, at least once. ``id`` tells the receiver what it has had already.

    ``attempts`` counts how often it was sent; ``next_at``: when it is sent next; ``error``: why it failed last.
    """

    id: str
    body: Mapping[str, Any]
    state: NoticeState
    attempts: int
    created_at: datetime
    next_at: datetime
    error: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that an operator did: ``name`` to ``subject``, the id of a session or the name of a checkpoint."""

    id: int
    at: datetime
    operator: str
    name: str
    subject: str
    outcome: ActionOutcome


class BackOffice(Protocol):
    """The part of :class:`~shopbot.store.Store` behind the counter. What it keeps survives a crash."""

    def queue_notice(self, notice_id: str, body: Mapping[str, Any], *, due_at: datetime) -> bool:
        """Keep it, to be sent from then on; False if there is one of that id already."""

    def take_notice(self, *, now: datetime, lease_until: datetime) -> Notice | None:
        """The notice that is due longest, with this attempt counted. Nobody else gets it before ``lease_until``, and
        then only if it was not settled meanwhile."""

    def settle_notice(
        self, notice_id: str, state: NoticeState, *, next_at: datetime | None = None, error: str = ""
    ) -> None:
        """Say how an attempt ended; ``next_at``: when the next one is due."""

    def revive_notice(self, notice_id: str, *, due_at: datetime) -> bool:
        """Have a dead notice sent again, with all its attempts; False if it is not there or not dead."""

    def notices(self, *, state: NoticeState | None = None, limit: int = 100) -> Sequence[Notice]:
        """The notices, the newest first."""

    def count_notices(self) -> Mapping[NoticeState, int]:
        """How many there are in each state."""

    def begin_action(self, operator: str, name: str, subject: str) -> int:
        """Keep, before it is done, that an operator does something; the id to :meth:`end_action` it with."""

    def end_action(self, action_id: int, outcome: ActionOutcome) -> None:
        """Keep how it ended."""

    def actions(self, *, before: int | None = None, limit: int = 100) -> Sequence[Action]:
        """What operators did, the last first; ``before``: only those with a lower id."""

    def purge_backoffice(self, *, before: datetime) -> int:
        """Erase what is older, except notices that wait still; how many."""
