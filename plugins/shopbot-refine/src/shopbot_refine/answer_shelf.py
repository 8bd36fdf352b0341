"""The teacher's answers of one run of a stage, on disk: by question, more of them than fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from shopbot_refine.teachers import Answer, Failure, Request

_TABLE = "CREATE TABLE answers (key TEXT PRIMARY KEY, teacher TEXT, content TEXT, failure TEXT, detail TEXT)"


class AnswerShelf:
    """Answers by the key of their request. What is paid for is in the ledger; this file may be lost at any time."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "answers.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_TABLE)

    def __enter__(self) -> AnswerShelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def put(self, answers: Iterable[Answer]) -> None:
        """Keep answers; the last one to a question counts. Raises :class:`OSError` where the disk does not take it."""
        rows = ((one.request.key, one.teacher, one.content, one.failure, one.detail) for one in answers)
        try:
            self._database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.OperationalError as error:
            raise OSError(str(error)) from error

    def find(self, request: Request) -> Answer | None:
        """The answer to a question, if there is one."""
        asked = "SELECT teacher, content, failure, detail FROM answers WHERE key = ?"
        found: tuple[str, str, Failure, str] | None = self._database.execute(asked, (request.key,)).fetchone()
        return None if found is None else Answer(request, *found)
