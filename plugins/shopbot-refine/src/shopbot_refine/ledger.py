"""The ledger: one SQLite file with every call to a paid teacher, what it cost, and the answers that were paid for.

Money is held in whole micro-units (millionths of the currency), so that sums are exact. A call counts at its
reservation from before it is sent; when its answer is stored, in the same transaction, it counts at what it cost. A
call whose end is not known (the process died, the connection was cut) may have been paid for and keeps counting at its
reservation, also when the question is asked and answered again: a cap that forgot it would be no cap.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from shopbot import ShopbotError
from shopbot_refine.ledger_rows import Call, Cap, OpenBatch, StoredAnswer, Totals, Want
from shopbot_refine.teachers import Request

_VERSION = 1
_SCHEMA = """
CREATE TABLE calls(
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, key TEXT NOT NULL, prompt TEXT NOT NULL, kind TEXT NOT NULL,
    model TEXT NOT NULL, batch TEXT NOT NULL, state TEXT NOT NULL CHECK(state IN ('sent', 'answered', 'failed')),
    reserved_micros INTEGER NOT NULL, micros INTEGER NOT NULL, tokens INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, sent_at TEXT NOT NULL, done_at TEXT NOT NULL, error TEXT NOT NULL);
CREATE INDEX calls_of_run ON calls(run, micros, tokens);
CREATE INDEX calls_of_batch ON calls(batch, state);
CREATE TABLE answers(
    key TEXT NOT NULL, prompt TEXT NOT NULL, model TEXT NOT NULL, content TEXT NOT NULL, failure TEXT NOT NULL,
    detail TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, micros INTEGER NOT NULL,
    PRIMARY KEY(key, prompt, model));
CREATE TABLE batches(
    name TEXT PRIMARY KEY, model TEXT NOT NULL, id TEXT NOT NULL, is_open INTEGER NOT NULL, planned_at REAL NOT NULL);
"""


class LedgerError(ShopbotError):
    """The ledger cannot be read or written; nothing is sent without it."""


class Ledger:
    """The ledger of one file. Thread-safe. Everything raises :class:`LedgerError` where the file fails."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Answers quote customers, if redacted: for the operator's eyes only, from the first byte on.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._lock, self._explained():
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # an answer that was paid for survives a power cut
        with self._transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
        if version not in (0, _VERSION):
            raise LedgerError(f"The ledger {self._path} has the version {version}.", remedy="Update shopbot-refine.")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def find_answer(self, request: Request, model: str) -> StoredAnswer | None:
        """The stored answer, good or not; None: this was never answered."""
        columns = ", ".join(field.name for field in fields(StoredAnswer))
        query = f"SELECT {columns} FROM answers WHERE key = ? AND prompt = ? AND model = ?"  # noqa: S608
        found = self._read(query, (request.key, request.prompt, model))
        return StoredAnswer(*found[0]) if found else None

    def reserve(self, wants: Sequence[Want], model: str, cap: Cap, *, batch: str = "") -> list[int | None]:
        """Write down calls before they are sent. In their order: the call's id, or None where it could pass the cap."""
        ids: list[int | None] = []
        with self._transaction() as db:
            query = "SELECT COALESCE(SUM(micros), 0), COALESCE(SUM(tokens), 0) FROM calls WHERE run = ?"
            micros, tokens = db.execute(query, (cap.run,)).fetchone()
            for want in wants:
                if micros + want.micros > cap.micros or tokens + want.tokens > cap.tokens:
                    ids.append(None)
                    continue
                micros, tokens, asked = micros + want.micros, tokens + want.tokens, want.request
                names = (cap.run, asked.key, asked.prompt, asked.kind, model, batch)
                row = (*names, want.micros, want.micros, want.tokens, _now())
                ids.append(
                    db.execute(
                        "INSERT INTO calls(run, key, prompt, kind, model, batch, state, reserved_micros, micros,"
                        " tokens, sent_at, input_tokens, output_tokens, done_at, error)"
                        " VALUES (?, ?, ?, ?, ?, ?, 'sent', ?, ?, ?, ?, 0, 0, '', '')",
                        row,
                    ).lastrowid
                )
            if batch and any(ids):
                planned_at = datetime.now(timezone.utc).timestamp()
                db.execute("INSERT INTO batches VALUES (?, ?, '', 1, ?)", (batch, model, planned_at))
        return ids

    def settle(self, answers: Mapping[int, StoredAnswer]) -> None:
        """Store answers, by call, and what they cost: all or none. A call that is not ``sent`` stays as it is."""
        with self._transaction() as db:
            for call, one in answers.items():
                usage = (one.micros, one.input_tokens + one.output_tokens, one.input_tokens, one.output_tokens)
                changed = db.execute(
                    "UPDATE calls SET state = 'answered', micros = ?, tokens = ?, input_tokens = ?, output_tokens = ?,"
                    " done_at = ?, error = ? WHERE id = ? AND state = 'sent'",
                    (*usage, _now(), one.failure, call),
                ).rowcount
                if changed:
                    db.execute(
                        "INSERT OR IGNORE INTO answers"
                        " SELECT key, prompt, model, ?, ?, ?, ?, ?, ? FROM calls WHERE id = ?",
                        (*astuple(one), call),
                    )

    def fail(self, failures: Mapping[int, tuple[str, bool]]) -> None:
        """Write down that calls have no answer: by call, (error, whether it may have been paid for). The others count
        at nothing from now on."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE calls SET state = 'failed', done_at = ?, error = ?, micros = micros * ?, tokens = tokens * ?"
                " WHERE id = ? AND state = 'sent'",
                [(_now(), error, is_paid, is_paid, call) for call, (error, is_paid) in failures.items()],
            )

    def open_batches(self, model: str) -> list[OpenBatch]:
        """The batches whose answers were not all fetched, the oldest first."""
        query = "SELECT name, id, planned_at FROM batches WHERE is_open AND model = ? ORDER BY planned_at, name"
        return [OpenBatch(*row) for row in self._read(query, (model,))]

    def name_batch(self, name: str, batch_id: str) -> None:
        """Store the id that the provider gave a batch."""
        with self._transaction() as db:
            db.execute("UPDATE batches SET id = ? WHERE name = ?", (batch_id, name))

    def close_batch(self, name: str) -> None:
        """No more answers are to be fetched from this batch."""
        with self._transaction() as db:
            db.execute("UPDATE batches SET is_open = 0 WHERE name = ?", (name,))

    def open_calls(self, batch: str) -> list[Call]:
        """The calls of a batch that are neither answered nor failed."""
        return self._calls("WHERE batch = ? AND state = 'sent'", (batch,))

    def rows(self, run: str | None = None) -> list[Call]:
        """All calls, or those of one run, in the order they were written down."""
        return self._calls("", ()) if run is None else self._calls("WHERE run = ?", (run,))

    def totals(self, run: str | None = None) -> Totals:
        """The sums over all calls, or over those of one run."""
        where, values = ("", ()) if run is None else ("WHERE run = ?", (run,))
        states = ", ".join(f"COALESCE(SUM(state = '{state}'), 0)" for state in ("answered", "sent", "failed"))
        sums = (
            "COALESCE(SUM(micros * (state = 'answered')), 0), COALESCE(SUM(micros * (state <> 'answered')), 0),"
            " COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0)"
        )
        return Totals(*self._read(f"SELECT {states}, {sums} FROM calls {where}", values)[0])  # noqa: S608

    def _calls(self, where: str, values: tuple[str, ...]) -> list[Call]:
        columns = ", ".join(field.name for field in fields(Call))
        return [Call(*row) for row in self._read(f"SELECT {columns} FROM calls {where} ORDER BY id", values)]  # noqa: S608

    def _read(self, query: str, values: tuple[str, ...]) -> list[Any]:
        with self._lock, self._explained():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"The ledger {self._path} cannot be used ({error}).",
            remedy="Check the disk and the file; moved away, it is started anew, and what was paid is paid again.",
        )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
