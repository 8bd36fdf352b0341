"""What customers and the shop said to each other: sessions, their messages, and tickets for human agents."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, func, insert, select, update

from shopbot.errors import ConflictError, NotFoundError
from shopbot.store import Erasure, Feedback, Message, MessageRole, SessionEntry, SessionMode, Ticket
from shopbot.stores.database import Database, mended, now, plain, utc
from shopbot.stores.tables import erasures, is_storable, messages, notices, sessions, tickets

_ENTRY = (
    sessions.c.id,
    sessions.c.customer_id,
    sessions.c.mode,
    sessions.c.turns,
    sessions.c.last_seq,
    sessions.c.started_at,
    sessions.c.active_at,
    sessions.c.agent,
)
_MAX_UNANNOUNCED = 100


class Conversations(Database):
    """The conversational half of :class:`~shopbot.store.Store`."""

    def load_session(self, session_id: str) -> tuple[Mapping[str, Any], int] | None:
        if not is_storable(session_id):
            return None
        with self._reading() as connection:
            query = select(sessions.c.state, sessions.c.version).where(sessions.c.id == session_id)
            row = connection.execute(query).first()
        return None if row is None else (row.state, row.version)

    def save_session(
        self,
        session_id: str,
        state: Mapping[str, Any],
        *,
        version: int,
        messages: Sequence[Message] = (),
        closed_ticket: str | None = None,
    ) -> int:
        moment = now()
        values: dict[str, Any] = {
            "state": plain(state),
            "version": version + 1,
            "saved_at": moment,
            "customer_id": state.get("customer_id"),
            "mode": state.get("mode", "bot"),
            "agent": state.get("agent") or None,
            "turns": state.get("turns", 0),
        }
        if version == 0:
            values |= {"id": session_id, "last_seq": len(messages), "started_at": moment, "active_at": moment}
        elif messages:
            values |= _grown(len(messages), moment)
        # a conversation may lose its last turn in a power cut; a durable write that follows takes this one along
        with self._writing(is_durable=False) as connection:
            if version == 0:
                is_saved = self._insert_new(connection, sessions, values)
            else:
                is_mine = (sessions.c.id == session_id) & (sessions.c.version == version)
                is_saved = connection.execute(update(sessions).where(is_mine).values(values)).rowcount == 1
            if not is_saved:
                raise ConflictError("The conversation went on elsewhere.", remedy="Load it and try again.")
            if messages:
                _insert(connection, session_id, messages, moment)
            if closed_ticket is not None:
                connection.execute(update(tickets).where(tickets.c.id == closed_ticket).values(is_open=False))
        return version + 1

    def append_message(self, session_id: str, message: Message, *, agent: str | None = None) -> int:
        moment = now()
        grow = update(sessions).where(sessions.c.id == session_id).values(_grown(1, moment))
        if agent is not None:
            grow = grow.where(sessions.c.agent == agent)
        with self._writing() as connection:
            if connection.execute(grow).rowcount != 1:
                raise NotFoundError("There is no such session.", remedy="Start a new one.")
            return _insert(connection, session_id, [message], moment)

    def messages(self, session_id: str, *, after: int = 0, request_id: str | None = None) -> Sequence[Message]:
        if not is_storable(session_id):
            return []
        query = select(messages).where(messages.c.session_id == session_id, messages.c.seq > after)
        if request_id is not None:
            query = query.where(messages.c.request_id == request_id)
        with self._reading() as connection:
            return [_message(row) for row in connection.execute(query.order_by(messages.c.seq))]

    def give_feedback(self, session_id: str, seq: int, feedback: Feedback) -> None:
        its = (messages.c.session_id == session_id) & (messages.c.seq == seq) & (messages.c.role != "customer")
        values = {"rating": feedback.rating, "text": mended(feedback.text)}
        with self._writing() as connection:
            if connection.execute(update(messages).where(its).values(feedback=values)).rowcount != 1:
                raise NotFoundError("There is no such answer in this session.")

    def session_entry(self, session_id: str) -> SessionEntry | None:
        if not is_storable(session_id):
            return None
        with self._reading() as connection:
            row = connection.execute(select(*_ENTRY).where(sessions.c.id == session_id)).first()
        return None if row is None else _entry(row)

    def session_entries(
        self, *, mode: SessionMode | None = None, before: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[SessionEntry]:
        query = select(*_ENTRY).order_by(sessions.c.active_at.desc(), sessions.c.id).limit(limit)
        if mode is not None:
            query = query.where(sessions.c.mode == mode)
        if before is not None:
            moment, session_id = before
            is_as_old = (sessions.c.active_at == moment) & (sessions.c.id > session_id)
            query = query.where((sessions.c.active_at < moment) | is_as_old)
        with self._reading() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def count_sessions(self) -> Mapping[SessionMode, int]:
        query = select(sessions.c.mode, func.count()).group_by(sessions.c.mode)
        with self._reading() as connection:
            found = {row[0]: row[1] for row in connection.execute(query)}
        return {"bot": 0, "waiting": 0, "human": 0, **found}

    def forget_session(self, session_id: str) -> bool:
        if not is_storable(session_id):
            return False
        with self._writing() as connection:
            connection.execute(insert(erasures).values(at=now(), session_id=session_id))
            return connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount == 1

    def forget_customer(self, customer_id: str) -> int:
        if not is_storable(customer_id):
            return 0
        with self._writing() as connection:
            connection.execute(insert(erasures).values(at=now(), customer_id=customer_id))
            return connection.execute(delete(sessions).where(sessions.c.customer_id == customer_id)).rowcount

    def erasures(self, *, since: datetime) -> Sequence[Erasure]:
        query = select(erasures.c.session_id, erasures.c.customer_id).where(erasures.c.at >= since)
        with self._reading() as connection:
            return [Erasure(*row) for row in connection.execute(query.order_by(erasures.c.id))]

    def purge_sessions(self, *, idle_since: datetime, mode: SessionMode) -> int:
        idle = (sessions.c.mode == mode) & (sessions.c.active_at < idle_since)
        with self._writing(is_durable=False) as connection:
            return connection.execute(delete(sessions).where(idle)).rowcount

    def open_ticket(self, *, session_id: str, customer_id: str | None, reason: str, summary: str) -> Ticket:
        """What a database cannot hold in ``reason`` and ``summary`` is replaced: no hand-off fails on an odd letter."""
        ticket = Ticket(
            f"T{secrets.token_hex(6).upper()}", session_id, customer_id, mended(reason), mended(summary), now()
        )
        values = {name: getattr(ticket, name) for name in Ticket.__dataclass_fields__}
        with self._writing() as connection:
            connection.execute(insert(tickets).values(values))
        return ticket

    def tickets(self, *, open_only: bool = True, sessions: Collection[str] | None = None) -> Sequence[Ticket]:
        query = select(tickets)
        if open_only:
            query = query.where(tickets.c.is_open)
        if sessions is not None:
            query = query.where(tickets.c.session_id.in_(sessions))
        return self._tickets(query)

    def unannounced_tickets(self, *, since: datetime) -> Sequence[Ticket]:
        is_announced = exists().where(notices.c.id == tickets.c.id)
        query = select(tickets).where(tickets.c.is_open, tickets.c.created_at >= since, ~is_announced)
        return self._tickets(query.limit(_MAX_UNANNOUNCED))

    def _tickets(self, query: Select[Any]) -> list[Ticket]:
        with self._reading() as connection:
            found = connection.execute(query.order_by(tickets.c.created_at, tickets.c.id)).all()
        return [
            Ticket(row.id, row.session_id, row.customer_id, row.reason, row.summary, utc(row.created_at), row.is_open)
            for row in found
        ]


def _grown(count: int, moment: datetime) -> dict[str, Any]:
    """What a session's row becomes with so many messages more. It is the lock under which they get their numbers."""
    return {"last_seq": sessions.c.last_seq + count, "active_at": moment}


def _insert(connection: Connection, session_id: str, new: Sequence[Message], moment: datetime) -> int:
    """Insert the messages that the session's row counts already. The last one's number."""
    last = int(connection.execute(select(sessions.c.last_seq).where(sessions.c.id == session_id)).scalar_one())
    rows = [
        {
            "session_id": session_id,
            "seq": seq,
            "role": message.role,
            "text": mended(message.text),
            "payload": plain(message.payload),
            "request_id": message.request_id,
            "at": moment,
        }
        for seq, message in enumerate(new, last - len(new) + 1)
    ]
    connection.execute(insert(messages), rows)
    return last


def _message(row: Any) -> Message:
    role: MessageRole = row.role
    feedback = Feedback(**row.feedback) if row.feedback else None
    return Message(role, row.text, row.payload, row.request_id, row.seq, utc(row.at), feedback)


def _entry(row: Any) -> SessionEntry:
    return SessionEntry(
        row.id, row.customer_id, row.mode, row.turns, row.last_seq, utc(row.started_at), utc(row.active_at), row.agent
    )
