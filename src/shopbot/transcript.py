"""Transcripts: every turn, redacted before it is written, in an append-only SQLite file.

What stands in it cannot be turned back into a person: customers and sessions go by keyed hashes, placeholders by short
ones. Turns can be added and purged (retention, an erasure request), never changed: triggers see to it. A full disk or a
locked file never breaks a customer's turn; the turn is not recorded, and ``shopbot doctor`` says so.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from shopbot import transcript_file
from shopbot.errors import ShopbotError
from shopbot.redact import Redactor
from shopbot.types import Reply

if TYPE_CHECKING:
    from shopbot.session import SessionState
    from shopbot.store import Feedback, Store
    from shopbot.types import Act

_log = logging.getLogger(__name__)
_RETRY_AFTER_S = 10.0
_KNOWN_FOR_S = 60.0
_MAX_REDACTORS = 256
_OF_CUSTOMER = "session IN (SELECT session FROM turns WHERE customer = ?)"
#: After so long without a turn, a session's hashes are forgotten; the numbers stay taken.
_FORGET_AFTER = timedelta(days=2)


class Recorder:
    """Writes turns. Thread-safe; never raises once it is made.

    ``retention_days``: older turns are purged at the first turn and then daily.
    """

    def __init__(
        self,
        path: Path,
        *,
        retention_days: int = 90,
        now: Callable[[], datetime] = transcript_file.now,
    ) -> None:
        self.path = Path(path)
        self._retention = timedelta(days=retention_days)
        self._now = now
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._key = b""
        self._retained_on = ""
        self._retry_at = 0.0
        self._redactors: OrderedDict[str, tuple[Redactor, float]] = OrderedDict()
        self._is_closed = False

    def record(
        self,
        state: SessionState,
        message: str,
        reply: Reply,
        store: Store,
        *,
        checkpoint: str | None = None,
        read_in: str = "",
    ) -> None:
        """Append one turn, redacted; ``checkpoint``: the name of the one that understood it, ``read_in``: the dialogue
        state that it was read in (empty: it was answered unread).

        What goes wrong is logged without the turn's contents, and the turn goes on.
        """
        with self._lock:
            if self._is_closed or monotonic() < self._retry_at:
                return
            try:
                db = self._open()
                self._retain(db)
                self._append(db, state, message, reply, store, checkpoint, read_in)
            except Exception as error:  # the customer's answer comes before its record
                self._lose(error)
            else:
                with suppress(OSError):
                    _trouble_file(self.path).unlink(missing_ok=True)

    def record_feedback(self, state: SessionState, turn: int, feedback: Feedback, store: Store) -> None:
        """Append what the customer thought of a turn's reply, its text redacted; nothing for a turn that is not here
        but on another box. What goes wrong is logged."""
        with self._lock:
            if self._is_closed or monotonic() < self._retry_at:
                return
            try:
                db = self._open()
                session = transcript_file.pseudonym(self._key, state.id)
                with transcript_file.transaction(db):
                    redactor = self._redactor(db, session, state, Reply(""), store)
                    text = redactor.text(feedback.text)
                    row = (session, turn, transcript_file.stamp(self._now()), feedback.rating, text)
                    db.execute(_INSERT_FEEDBACK, (*row, session, turn))
            except Exception as error:
                self._lose(error)

    def forget(self, session_id: str) -> None:
        """Erase a session's turns. :class:`~shopbot.errors.ShopbotError` if that is not possible now."""
        self._erase("session = ?", session_id)

    def forget_customer(self, customer_id: str) -> None:
        """Erase every session of a customer. Raises as :meth:`forget`."""
        self._erase(_OF_CUSTOMER, customer_id)

    def _erase(self, where: str, named: str) -> None:
        """``where`` takes the pseudonym of what is ``named``."""
        with self._lock:
            try:
                db = self._open()
                self._redactors.clear()
                transcript_file.purge(db, where, transcript_file.pseudonym(self._key, named))
            except (sqlite3.Error, OSError) as error:
                self._drop()
                raise ShopbotError(
                    f"The transcript cannot be erased: {_plain(error)}.", remedy="Try again in a moment."
                ) from None

    def close(self) -> None:
        """Close the file. Turns that come later are not recorded."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = transcript_file.connect(self.path)
            self._key = transcript_file.read_key(self._db)
        return self._db

    def _drop(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _lose(self, error: Exception) -> None:
        """Say that turns are lost, in the log and beside the file, and try again in a while."""
        _log.warning("a turn was not recorded: %s", type(error).__name__)
        self._drop()
        self._retry_at = monotonic() + _RETRY_AFTER_S
        with suppress(OSError):
            trouble = {"at": self._now().isoformat(timespec="seconds"), "error": _plain(error)}
            _trouble_file(self.path).write_text(json.dumps(trouble), encoding="utf-8")

    def _retain(self, db: sqlite3.Connection) -> None:
        today = self._now().date().isoformat()
        if today != self._retained_on:
            transcript_file.purge(db, "at < ?", transcript_file.stamp(self._now() - self._retention))
            transcript_file.forget(db, self._now() - _FORGET_AFTER)
            self._retained_on = today

    def _append(
        self,
        db: sqlite3.Connection,
        state: SessionState,
        message: str,
        reply: Reply,
        store: Store,
        checkpoint: str | None,
        read_in: str,
    ) -> None:
        session = transcript_file.pseudonym(self._key, state.id)
        with transcript_file.transaction(db):
            redactor = self._redactor(db, session, state, reply, store)
            taken = set(redactor.numbers)
            expects_identity = state.customer_id is None and (bool(state.facts) or _asks_identity(reply))
            said, acts = _said(redactor, message, reply.acts, expects_identity=expects_identity)
            record = {
                "state": read_in,
                "message": said,
                "reply": redactor.text(reply.text),
                "acts": acts,
                "tool_calls": [
                    {
                        "tool": call.tool,
                        "arguments": redactor.value(dict(call.arguments)),
                        "effect": call.effect,
                        "call_id": call.call_id,
                        "result": redactor.value(dict(call.result)),
                        "error": redactor.value(call.error),
                    }
                    for call in reply.tool_calls
                ],
                "awaiting": redactor.value(reply.awaiting),
                "handoff": redactor.value(reply.handoff),
                "timings_ms": {stage: round(ms, 2) for stage, ms in reply.timings_ms.items()},
                "explain": reply.as_json()["explain"],
            }
            new = [
                (session, kind, number, digest)
                for (kind, digest), number in redactor.numbers.items()
                if (kind, digest) not in taken
            ]
            db.executemany("INSERT INTO placeholders (session, kind, number, digest) VALUES (?, ?, ?, ?)", new)
            db.execute(
                "INSERT INTO turns (session, turn, at, customer, checkpoint, allows_refine, outcome, record)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    session,
                    state.turns,
                    transcript_file.stamp(self._now()),
                    transcript_file.pseudonym(self._key, state.customer_id) if state.customer_id else None,
                    checkpoint,
                    state.allows_refine,
                    outcome(reply),
                    json.dumps(record, ensure_ascii=False),
                ),
            )

    def _redactor(
        self, db: sqlite3.Connection, session: str, state: SessionState, reply: Reply, store: Store
    ) -> Redactor:
        """The session's redactor, with the numbers that any process has given and what the store knows by now."""
        numbers: dict[tuple[str, bytes], int] = {}
        highest: dict[str, int] = {}
        rows = db.execute("SELECT kind, number, digest FROM placeholders WHERE session = ?", (session,))
        for kind, number, digest in rows:
            highest[kind] = max(number, highest.get(kind, 0))
            if digest is not None:
                numbers[kind, digest] = number
        redactor, known_until = self._redactors.pop(session, (Redactor(self._key), 0.0))
        redactor.renumber(numbers, highest)
        has_written = any(call.effect == "write" for call in reply.tool_calls)
        if state.customer_id and (has_written or monotonic() > known_until):
            redactor.know(store.customer(state.customer_id), store.orders(state.customer_id))
            known_until = monotonic() + _KNOWN_FOR_S
        for kind in ("email", "postcode"):
            redactor.know_value(kind.upper(), state.facts.get(kind, ""))
        for act in reply.acts:
            redactor.know_act(act.name, act.arguments)
        self._redactors[session] = redactor, known_until
        if len(self._redactors) > _MAX_REDACTORS:
            self._redactors.popitem(last=False)
        return redactor


class Transcripts:
    """Reads and purges transcripts. A file that is not there yet is one without turns.

    Raises :class:`~shopbot.errors.ShopbotError` with a remedy when the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def sessions(self, since: datetime | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The sessions with a turn since then, newest first."""
        rows = self._rows(
            "SELECT session, min(at), max(at), count(*), max(customer) IS NOT NULL, min(allows_refine) FROM turns"
            " GROUP BY session HAVING max(at) >= ? ORDER BY max(id) DESC LIMIT ?",
            transcript_file.stamp(since) if since else "",
            -1 if limit is None else limit,
        )
        names = ("session_id", "started_at", "last_at", "turns", "is_identified", "allows_refine")
        sessions = [dict(zip(names, row, strict=True)) for row in rows]
        for session in sessions:
            last = "SELECT outcome FROM turns WHERE session = ? ORDER BY id DESC LIMIT 1"
            session["outcome"] = next(self._rows(last, session["session_id"]))[0]
            session["is_identified"], session["allows_refine"] = (
                bool(session["is_identified"]),
                bool(session["allows_refine"]),
            )
        return sessions

    def turns(self, session_id: str) -> list[dict[str, Any]]:
        """The turns of one session, first to last; ``session_id`` as listed here, or as the bot gave it."""
        return [
            _turn(row) for row in self._rows(f"{_SELECT} WHERE session IN (?, ?) ORDER BY id", *self._both(session_id))
        ]

    def search(
        self, words: Sequence[str], *, outcome: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """The turns whose message or reply has every one of ``words``, the last first, as :meth:`export` gives them.

        ``outcome``: only those that came to that; ``before``: only those with a lower ``id``.
        """
        said = "lower(json_extract(record, '$.message') || ' ' || json_extract(record, '$.reply'))"
        clauses = ["(? IS NULL OR outcome = ?)", "(? IS NULL OR id < ?)"]
        clauses += [f"instr({said}, lower(?))"] * len(words)
        query = f"{_SELECT} WHERE {' AND '.join(clauses)} ORDER BY id DESC LIMIT ?"
        return [_turn(row) for row in self._rows(query, outcome, outcome, before, before, *words, limit)]

    def export(self, since: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Every turn since then, oldest first, one by one.

        Keys: ``id``, ``session_id``, ``turn``, ``at`` (UTC), ``checkpoint``, ``allows_refine``, ``outcome``,
        ``state`` (the dialogue state that the message was read in; empty: it was answered unread), ``message``,
        ``reply``, ``acts``, ``tool_calls``, ``awaiting``, ``handoff``, ``timings_ms``, ``explain``, in the shape of
        :meth:`shopbot.types.Reply.as_json`, and ``feedback`` (``id``, ``rating`` up or down, ``text``): the latest,
        None where none came. Ids grow, in turns and in feedback.
        """
        for row in self._rows(f"{_SELECT} WHERE at >= ? ORDER BY id", transcript_file.stamp(since) if since else ""):
            yield _turn(row)

    def purge(
        self, *, older_than_days: float | None = None, session: str | None = None, customer: str | None = None
    ) -> int:
        """Erase turns for good and return how many: the old ones, one session's, or every session of one customer.

        ``customer``: the customer's id in the store. Exactly one argument must be given.
        """
        if sum(choice is not None for choice in (older_than_days, session, customer)) != 1:
            raise ShopbotError("Purging needs exactly one of: older than, session, customer.")
        if not self.path.is_file():
            return 0
        with self._reading() as db:
            if older_than_days is not None:
                limit = transcript_file.now() - timedelta(days=older_than_days)
                return transcript_file.purge(db, "at < ?", transcript_file.stamp(limit))
            if session is not None:
                return transcript_file.purge(db, "session IN (?, ?)", *self._both(session))
            who = transcript_file.pseudonym(transcript_file.read_key(db), customer or "")
            return transcript_file.purge(db, _OF_CUSTOMER, who)

    def problem(self) -> str | None:
        """Why turns are not being recorded, or None; for ``shopbot doctor``."""
        with suppress(OSError, ValueError):
            trouble = json.loads(_trouble_file(self.path).read_text(encoding="utf-8"))
            return f"Since {trouble['at']} turns are not recorded in {self.path}: {trouble['error']}."
        if not self.path.exists():
            return None
        try:
            with self._reading() as db, transcript_file.transaction(db):
                return None
        except ShopbotError as error:
            return str(error)

    def _both(self, session_id: str) -> tuple[str, str]:
        if not self.path.is_file():
            return session_id, session_id
        with self._reading() as db:
            return session_id, transcript_file.pseudonym(transcript_file.read_key(db), session_id)

    def _rows(self, query: str, *arguments: Any) -> Iterator[tuple[Any, ...]]:
        if self.path.is_file():
            with self._reading() as db:
                yield from db.execute(query, arguments)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(transcript_file.connect(self.path)) as db:
                yield db
        except (sqlite3.Error, OSError) as error:
            remedy = "Check the disk and the file's permissions, or move the file away to start a new one."
            raise ShopbotError(
                f"The transcripts in {self.path} cannot be used: {_plain(error)}.", remedy=remedy
            ) from None


def outcome(reply: Reply) -> str:
    """What a turn came to, in one word."""
    if reply.handoff is not None:
        return "handed_off"
    if any(call.error for call in reply.tool_calls):
        return "failed"
    if any(call.effect == "write" for call in reply.tool_calls):
        return "wrote"
    if reply.awaiting is not None:
        return "asked"
    return "answered" if reply.tool_calls else "said"


def _said(
    redactor: Redactor, message: str, acts: Sequence[Act], *, expects_identity: bool
) -> tuple[str, list[dict[str, Any]]]:
    """The message redacted, and the acts with arguments that are copies of it still."""
    values = [value for act in acts for value in act.arguments.values()]
    said, copies = redactor.text_and_copies(message, values, expects_identity=expects_identity)
    copied = iter(copies)
    return said, [
        {
            "name": act.name,
            "arguments": {slot: next(copied) for slot in act.arguments},
            "confidence": round(act.confidence, 4),
        }
        for act in acts
    ]


def _asks_identity(reply: Reply) -> bool:
    return reply.awaiting is not None and reply.awaiting.kind == "identity"


_INSERT_FEEDBACK = (
    "INSERT INTO feedback (session, turn, at, rating, text) SELECT ?, ?, ?, ?, ?"
    " WHERE EXISTS (SELECT 1 FROM turns WHERE session = ? AND turn = ?)"
)
_FEEDBACK = (
    "SELECT json_object('id', id, 'rating', rating, 'text', text) FROM feedback"
    " WHERE feedback.session = turns.session AND feedback.turn = turns.turn ORDER BY id DESC LIMIT 1"
)
_SELECT = f"SELECT id, session, turn, at, checkpoint, allows_refine, outcome, record, ({_FEEDBACK}) FROM turns"  # noqa: S608


def _turn(row: tuple[Any, ...]) -> dict[str, Any]:
    number, session, turn, at, checkpoint, allows_refine, result, record, feedback = row
    head = {"id": number, "session_id": session, "turn": turn, "at": at, "checkpoint": checkpoint}
    told = {"allows_refine": bool(allows_refine), "outcome": result, **json.loads(record)}
    return {**head, **told, "feedback": json.loads(feedback) if feedback else None}


def _trouble_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.trouble")


def _plain(error: BaseException) -> str:
    """The error in words that hold nothing of a turn: SQLite's and the system's own messages."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
