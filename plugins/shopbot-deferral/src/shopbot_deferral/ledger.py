"""The ledger: one SQLite file with every call and what it cost, shared by all processes on this box.

Money is held in whole micro-units (millionths of the currency), so that sums are exact. A call counts at the most that
it can cost from before it is sent, and at what it cost once that is known. A call whose end is not known (the process
died, the connection was cut) keeps counting at the most: a cap that forgot it would be no cap. No word of a customer
stands here.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from shopbot import ShopbotError, home

#: Micro-units in one unit of the currency.
MICROS = 1_000_000
_VERSION = 1
_SCHEMA = """
CREATE TABLE calls(
    id INTEGER PRIMARY KEY, sent_at TEXT NOT NULL, model TEXT NOT NULL, micros INTEGER NOT NULL,
    tokens INTEGER NOT NULL, state TEXT NOT NULL CHECK(state IN ('sent', 'settled', 'failed')), note TEXT NOT NULL);
CREATE INDEX calls_by_time ON calls(sent_at, micros, tokens)
"""


class LedgerError(ShopbotError):
    """The ledger cannot be read or written; nothing is sent without it."""


def ledger_file() -> Path:
    """Where the ledger of this box is."""
    return home() / "deferral.db"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a month has come to. ``open_calls``, ``open_micros``: of calls whose end is not known (yet)."""

    calls: int = 0
    micros: int = 0
    tokens: int = 0
    open_calls: int = 0
    open_micros: int = 0


def read_spent() -> Spent:
    """What this month has come to on this box. Raises :class:`LedgerError`."""
    if not ledger_file().exists():
        return Spent()
    with closing(Ledger(ledger_file())) as ledger:
        return ledger.spent()


class Ledger:
    """The ledger of one file. Thread-safe. Everything raises :class:`LedgerError` where the file fails."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> None:
        self._path, self._now = path, now
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def reserve(self, model: str, micros: int, tokens: int, *, cap_micros: int, cap_tokens: int) -> int | None:
        """Write a call down before it is sent, at the most that it can use; None: the month's cap could be passed."""
        with self._transaction() as db:
            spent = self._sums(db)
            if spent.micros + micros > cap_micros or spent.tokens + tokens > cap_tokens:
                return None
            row = (self._now().isoformat(timespec="seconds"), model, micros, tokens)
            added = db.execute(
                "INSERT INTO calls(sent_at, model, micros, tokens, state, note) VALUES (?, ?, ?, ?, 'sent', '')", row
            )
            return added.lastrowid

    def settle(self, call: int, micros: int, tokens: int) -> None:
        """The call was answered, and took that."""
        with self._transaction() as db:
            db.execute(
                "UPDATE calls SET state = 'settled', micros = ?, tokens = ? WHERE id = ?", (micros, tokens, call)
            )

    def fail(self, call: int, note: str, *, is_paid_perhaps: bool) -> None:
        """The call was not answered. It goes on counting where it may have been paid for."""
        state, keeps = ("sent", 1) if is_paid_perhaps else ("failed", 0)
        with self._transaction() as db:
            db.execute(
                "UPDATE calls SET state = ?, note = ?, micros = micros * ?, tokens = tokens * ? WHERE id = ?",
                (state, note, keeps, keeps, call),
            )

    def spent(self) -> Spent:
        """What this month has come to."""
        with self._transaction() as db:
            return self._sums(db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _sums(self, db: sqlite3.Connection) -> Spent:
        # No upper bound: on a box whose clock was once ahead, what was spent then counts until that month has passed.
        month = self._now().replace(day=1, hour=0, minute=0, second=0).isoformat(timespec="seconds")
        query = (
            "SELECT COUNT(*), COALESCE(SUM(micros), 0), COALESCE(SUM(tokens), 0), COALESCE(SUM(state = 'sent'), 0),"
            " COALESCE(SUM(micros * (state = 'sent')), 0) FROM calls WHERE sent_at >= ?"
        )
        return Spent(*db.execute(query, (month,)).fetchone())

    def _prepare(self) -> None:
        with self._lock, self._explained():
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # what was set aside survives a power cut
        with self._transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
        if version not in (0, _VERSION):
            raise LedgerError(f"The ledger {self._path} has the version {version}.", remedy="Update shopbot-deferral.")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[Any]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"The ledger {self._path} cannot be used ({error}).",
            remedy="Check the disk and the file. Without it nothing is deferred.",
        )
