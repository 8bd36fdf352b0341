"""The back office in SQL: notices for other programs, and what operators did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from shopbot.backoffice import Action, ActionOutcome, Notice, NoticeState
from shopbot.stores.database import Database, mended, now, plain, utc
from shopbot.stores.tables import actions, erasures, is_storable, notices


class SqlBackOffice(Database):
    """:class:`~shopbot.backoffice.BackOffice` on a database."""

    def queue_notice(self, notice_id: str, body: Mapping[str, Any], *, due_at: datetime) -> bool:
        values = {
            "id": notice_id,
            "body": plain(body),
            "state": "waiting",
            "attempts": 0,
            "created_at": now(),
            "next_at": due_at,
            "error": "",
        }
        with self._writing() as connection:
            return self._insert_new(connection, notices, values)

    def take_notice(self, *, now: datetime, lease_until: datetime) -> Notice | None:
        due = select(notices).where(notices.c.state == "waiting", notices.c.next_at <= now)
        with self._reading() as connection:  # mostly nothing is due: no lock for that
            if connection.execute(due.limit(1)).first() is None:
                return None
        with self._writing() as connection:
            # PostgreSQL: what another sender is taking is passed over
            oldest = due.order_by(notices.c.next_at, notices.c.id).limit(1).with_for_update(skip_locked=True)
            row = connection.execute(oldest).first()
            if row is None:
                return None
            taken = {"attempts": row.attempts + 1, "next_at": lease_until}
            connection.execute(update(notices).where(notices.c.id == row.id).values(taken))
        return _notice(row, attempts=row.attempts + 1, next_at=lease_until)

    def settle_notice(
        self, notice_id: str, state: NoticeState, *, next_at: datetime | None = None, error: str = ""
    ) -> None:
        values: dict[str, Any] = {"state": state, "error": mended(error)}
        if next_at is not None:
            values["next_at"] = next_at
        with self._writing() as connection:
            connection.execute(update(notices).where(notices.c.id == notice_id).values(values))

    def revive_notice(self, notice_id: str, *, due_at: datetime) -> bool:
        if not is_storable(notice_id):
            return False
        is_dead = (notices.c.id == notice_id) & (notices.c.state == "dead")
        values = {"state": "waiting", "attempts": 0, "next_at": due_at}
        with self._writing() as connection:
            return connection.execute(update(notices).where(is_dead).values(values)).rowcount == 1

    def notices(self, *, state: NoticeState | None = None, limit: int = 100) -> Sequence[Notice]:
        query = select(notices).order_by(notices.c.created_at.desc(), notices.c.id).limit(limit)
        with self._reading() as connection:
            found = connection.execute(query if state is None else query.where(notices.c.state == state)).all()
        return [_notice(row) for row in found]

    def count_notices(self) -> Mapping[NoticeState, int]:
        query = select(notices.c.state, func.count()).group_by(notices.c.state)
        with self._reading() as connection:
            found = {row[0]: row[1] for row in connection.execute(query)}
        return {
            "waiting": found.get("waiting", 0),
            "delivered": found.get("delivered", 0),
            "dead": found.get("dead", 0),
        }

    def begin_action(self, operator: str, name: str, subject: str) -> int:
        values = {
            "at": now(),
            "operator": mended(operator),
            "name": name,
            "subject": mended(subject),
            "outcome": "begun",
        }
        with self._writing() as connection:
            key = connection.execute(insert(actions).values(values)).inserted_primary_key
            assert key is not None
            return int(key[0])

    def end_action(self, action_id: int, outcome: ActionOutcome) -> None:
        with self._writing() as connection:
            connection.execute(update(actions).where(actions.c.id == action_id).values(outcome=outcome))

    def actions(self, *, before: int | None = None, limit: int = 100) -> Sequence[Action]:
        query = select(actions).order_by(actions.c.id.desc()).limit(limit)
        with self._reading() as connection:
            found = connection.execute(query if before is None else query.where(actions.c.id < before)).all()
        return [Action(row.id, utc(row.at), row.operator, row.name, row.subject, row.outcome) for row in found]

    def purge_backoffice(self, *, before: datetime) -> int:
        old_notices = (notices.c.created_at < before) & (notices.c.state != "waiting")
        with self._writing(is_durable=False) as connection:
            gone = connection.execute(delete(notices).where(old_notices)).rowcount
            gone += connection.execute(delete(erasures).where(erasures.c.at < before)).rowcount
            return gone + connection.execute(delete(actions).where(actions.c.at < before)).rowcount


def _notice(row: Any, **changed: Any) -> Notice:
    fields = {
        "id": row.id,
        "body": row.body,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": utc(row.created_at),
        "next_at": utc(row.next_at),
        "error": row.error,
    }
    return Notice(**{**fields, **changed})
