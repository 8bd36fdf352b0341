"""Download one address into one file, going on where a broken connection stopped."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from shopbot.errors import ModelError, ModelNotFoundError
from shopbot.files import write_atomic

ATTEMPTS = 5
_WAIT_S = 0.5
_MAX_WAIT_S = 30.0
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class _BrokenError(Exception):
    """The connection ended early or the server is busy; worth another try after ``wait_s`` seconds."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(slots=True)
class _Transfer:
    """A download under way. ``validator`` is the server's mark of this version of the file (ETag or date)."""

    address: str
    part: Path
    progress: Callable[[int, int | None], None]
    shown: str

    @property
    def mark(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    def offset(self) -> tuple[int, str]:
        """How much is there and the validator it belongs to; nothing counts without one."""
        with contextlib.suppress(OSError, ValueError, AttributeError, UnicodeDecodeError):
            validator = json.loads(self.mark.read_text(encoding="utf-8")).get("validator")
            if isinstance(validator, str) and validator and validator.isprintable():
                return self.part.stat().st_size, validator
        return 0, ""


def download(address: str, part: Path, progress: Callable[[int, int | None], None], *, shown: str) -> None:
    """Fetch ``address`` into ``part``. Attempts count from the last one that brought something.

    Raises :class:`ModelNotFoundError` (the server does not have it), :class:`ModelError` (anything else) or
    :class:`OSError` (the disk). What came so far stays in ``part`` for the next call.
    """
    transfer = _Transfer(address, part, progress, shown)
    failures, had = 0, transfer.offset()[0]
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers={"Accept-Encoding": "identity"}) as client:
        while True:
            try:
                _attempt(client, transfer)
            except (_BrokenError, httpx.TransportError) as error:
                have = transfer.offset()[0]
                failures = 1 if have > had else failures + 1
                had = have
                if failures >= ATTEMPTS:
                    raise ModelError(f"{shown} breaks off: {error}.", remedy="Try again: what came is kept.") from error
                _pause(error, failures)
            except httpx.HTTPError as error:
                raise ModelError(f"{shown} cannot be fetched: {error}.", remedy="Check the address.") from error
            else:
                transfer.mark.unlink(missing_ok=True)
                return


def _pause(error: Exception, failures: int) -> None:
    """Wait as long as the server asks, or longer from failure to failure; not at all after the first break."""
    wait_s = error.wait_s if isinstance(error, _BrokenError) else 0.0
    time.sleep(min(_MAX_WAIT_S, max(wait_s, _WAIT_S * (2 ** (failures - 1) - 1))))


def _attempt(client: httpx.Client, transfer: _Transfer) -> None:
    offset, validator = transfer.offset()
    headers = {"Range": f"bytes={offset}-", "If-Range": validator} if offset else {}
    with client.stream("GET", transfer.address, headers=headers) as response:
        _check_status(response, transfer)
        is_rest = response.status_code == 206
        total = _total(response, offset)
        if is_rest and total is None:
            transfer.mark.unlink(missing_ok=True)
            raise _BrokenError("the server sent another part than the one asked for")
        if not is_rest:
            offset = 0
            transfer.mark.unlink(missing_ok=True)
        with transfer.part.open("ab" if is_rest else "wb") as file:
            if not is_rest and (validator := _validator(response)):
                write_atomic(transfer.mark, json.dumps({"validator": validator}).encode())
            for chunk in response.iter_raw():
                file.write(chunk)
                offset += len(chunk)
                transfer.progress(offset, total)
        if total is not None and offset != total:
            if offset > total:
                transfer.mark.unlink(missing_ok=True)
            raise _BrokenError(f"{offset} of {total} bytes came")


def _check_status(response: httpx.Response, transfer: _Transfer) -> None:
    status = response.status_code
    if response.url.scheme != "https" and transfer.address.startswith("https://"):
        raise ModelError(f"{transfer.shown} leads away from https.", remedy="Give another address.")
    if status in (200, 206):
        return
    if status == 416:  # what is there is longer than the file: begin anew
        transfer.mark.unlink(missing_ok=True)
        raise _BrokenError("the server has less than what is here")
    if status in _RETRIED:
        raise _BrokenError(f"the server answers {status}", _retry_after(response))
    if status in (404, 410):
        raise ModelNotFoundError(f"{transfer.shown} does not exist.", remedy="Check the address.")
    raise ModelError(f"{transfer.shown}: the server answers {status}.", remedy="Check the address and your access.")


def _total(response: httpx.Response, offset: int) -> int | None:
    """The whole file's size in bytes; None where the server does not say, or says something else than was asked."""
    if response.status_code == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != offset:
            return None
        return int(match[2]) + 1 if match[3] == "*" else int(match[3])
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None


def _validator(response: httpx.Response) -> str:
    """The ETag, unless it is weak, which allows no ranges; else the date."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


def _retry_after(response: httpx.Response) -> float:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdigit() else 0.0
