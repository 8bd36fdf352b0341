"""The file transcripts stand in: SQLite, append-only by triggers, with a schema version and migrations."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_MIGRATIONS = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session TEXT NOT NULL,
        turn INTEGER NOT NULL,
        at TEXT NOT NULL,
        customer TEXT,
        checkpoint TEXT,
        allows_refine INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        record TEXT NOT NULL
    );
    CREATE INDEX turns_session ON turns (session, id);
    CREATE INDEX turns_at ON turns (at);
    CREATE INDEX turns_customer ON turns (customer);
    CREATE TABLE placeholders (
        session TEXT NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL, digest BLOB,
        PRIMARY KEY (session, kind, number)
    ) WITHOUT ROWID;
    CREATE TRIGGER turns_no_update BEFORE UPDATE ON turns
        BEGIN SELECT RAISE(ABORT, 'transcripts are append-only'); END;
    CREATE TRIGGER turns_no_delete BEFORE DELETE ON turns
        WHEN NOT EXISTS (SELECT 1 FROM meta WHERE name = 'purging')
        BEGIN SELECT RAISE(ABORT, 'transcripts are append-only; use shopbot transcripts purge'); END;
    """,
    """
    CREATE TABLE feedback (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session TEXT NOT NULL,
        turn INTEGER NOT NULL,
        at TEXT NOT NULL,
        rating TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX feedback_turn ON feedback (session, turn, id);
    CREATE TRIGGER feedback_no_update BEFORE UPDATE ON feedback
        BEGIN SELECT RAISE(ABORT, 'transcripts are append-only'); END;
    CREATE TRIGGER feedback_no_delete BEFORE DELETE ON feedback
        WHEN NOT EXISTS (SELECT 1 FROM meta WHERE name = 'purging')
        BEGIN SELECT RAISE(ABORT, 'transcripts are append-only; use shopbot transcripts purge'); END;
    """,
)
SCHEMA_VERSION = len(_MIGRATIONS)
_BUSY_S = 0.25


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


def pseudonym(key: bytes, value: str) -> str:
    """A name for ``value`` that only the holder of ``key`` can link to it."""
    return hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:20]


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made with the newest schema where it is missing, migrated where it is old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON")
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection) -> None:
    if _version(db) == SCHEMA_VERSION:
        return
    with transaction(db):
        version = _version(db)
        if version == 0 and db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError("this is somebody else's database")
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError("a newer shopbot wrote this file; update shopbot")
        for script in _MIGRATIONS[version:]:
            for statement in _statements(script):
                db.execute(statement)
        if version == 0:
            db.execute("INSERT INTO meta (name, value) VALUES ('key', ?)", (secrets.token_bytes(32),))
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one, so that they run inside one transaction."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if statement.strip() != ";" and sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def read_key(db: sqlite3.Connection) -> bytes:
    """The file's own secret for keyed hashes."""
    return bytes(db.execute("SELECT value FROM meta WHERE name = 'key'").fetchone()[0])


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One write transaction; everything in it happens, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def purge(db: sqlite3.Connection, where: str, *arguments: Any) -> int:
    """Delete turns with their feedback, and the hashes of sessions that have none left; overwrite what they held, also
    in the journal."""
    with transaction(db):
        db.execute("INSERT INTO meta (name, value) VALUES ('purging', x'')")
        gone = db.execute(f"DELETE FROM turns WHERE {where}", arguments).rowcount  # noqa: S608 (our own clauses)
        if gone:
            db.execute(
                "DELETE FROM feedback WHERE NOT EXISTS (SELECT 1 FROM turns"
                " WHERE turns.session = feedback.session AND turns.turn = feedback.turn)"
            )
        db.execute("DELETE FROM meta WHERE name = 'purging'")
        if gone:
            db.execute("DELETE FROM placeholders WHERE session NOT IN (SELECT session FROM turns)")
    if gone:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return int(gone)


def forget(db: sqlite3.Connection, before: datetime) -> None:
    """Forget the hashes behind the placeholders of sessions that were quiet since then; the numbers stay taken."""
    with transaction(db):
        db.execute(
            "UPDATE placeholders SET digest = NULL WHERE digest IS NOT NULL AND session IN"
            " (SELECT session FROM turns GROUP BY session HAVING max(at) < ?)",
            (stamp(before),),
        )


def stamp(moment: datetime) -> str:
    """A time as it is stored: UTC, to the millisecond, sortable as text."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
