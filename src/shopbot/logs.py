"""Logging that an operator can read and that names no customer.

One line a record on stderr, for people or as JSON; where a request is being served, with its id. An exception is given
by its type and the place it was raised at, never by its message: the messages of database drivers quote the values of a
statement, and those are customers' names and addresses. ``--verbose`` shows everything.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
#: The id of the request that is being served here.
request_id: ContextVar[str] = ContextVar("shopbot_request_id", default="")
#: What a record may bring beside its message (``extra=``).
_FIELDS = ("plugin", "method", "route", "status", "ms")
_QUIET = ("httpx", "httpcore", "urllib3", "filelock", "alembic", "uvicorn")


class LineFormatter(logging.Formatter):
    """``2026-11-24T09:30:00 WARNING shopbot.bot: the backend failed (BackendError at gguf.py:71)``."""

    def __init__(self, *, is_verbose: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._is_verbose = is_verbose

    def format(self, record: logging.LogRecord) -> str:
        asked = f" [{request_id.get()}]" if request_id.get() else ""
        if self._is_verbose or not record.exc_info:
            return f"{super().format(record)}{asked}"
        bare = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None, "stack_info": None})
        return f"{super().format(bare)} ({_where(record.exc_info)}){asked}"


class JsonFormatter(logging.Formatter):
    """``{"time": "…Z", "level": "INFO", "logger": "shopbot.access", "message": "…", "request_id": "…", …}``."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        entry = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            entry["request_id"] = request_id.get()
        entry |= {name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            entry["error"] = _where(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:  # Python 3.10 has no such generic class
    _StreamHandler = logging.StreamHandler


class _Stderr(_StreamHandler):
    """Writes to whatever ``sys.stderr`` is when the record comes."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _value: TextIO) -> None:  # logging.StreamHandler assigns it
        raise AttributeError("the stream is always sys.stderr")


def configure(*, is_verbose: bool = False, is_server: bool = False, as_json: bool = False) -> None:
    """Send the log to stderr: warnings; from INFO on for a server; everything, with tracebacks, if verbose.

    ``as_json``: one object a line, for programs, without tracebacks.
    """
    handler = _Stderr()
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter(is_verbose=is_verbose))
    root = logging.getLogger("shopbot")
    for old in [handler for handler in root.handlers if isinstance(handler, _Stderr)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.propagate = False
    root.setLevel(logging.DEBUG if is_verbose else logging.INFO if is_server else logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.INFO if is_verbose else logging.WARNING)


def _where(exc_info: ExcInfo) -> str:
    kind, _, trace = exc_info
    frames = traceback.extract_tb(trace) if trace else []
    place = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{kind.__name__ if kind else 'no exception'}{place}"
