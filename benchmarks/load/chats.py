"""What takes turns in the load benchmark: a chat with the service, and the same load on bare llama.cpp.

Both use the standard library's client, for what measures runs on the measured machine: it costs a fraction of a
millisecond a turn.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.setup import bare_request

_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Taken:
    """One turn: milliseconds to its first event and to its end, the tokens written, and what went wrong."""

    first_ms: float
    total_ms: float
    written: int = 0
    error: str = ""


class Connection:
    """One connection; not for two threads at once."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_TIMEOUT_S)

    def post(self, path: str, body: object, **headers: str) -> http.client.HTTPResponse:
        """The answer, its body unread."""
        told = {"Content-Type": "application/json", **headers}
        self._connection.request("POST", path, json.dumps(body).encode(), told)
        return self._connection.getresponse()

    def close(self) -> None:
        self._connection.close()


class Chat(Connection):
    """A customer's chat with the service."""

    def start(self) -> dict[str, str]:
        """A new session, over a connection of its own."""
        self.close()
        session: dict[str, str] = json.load(self.post("/v1/sessions", {}))
        return session

    def say(self, session: Mapping[str, str], message: str) -> Taken:
        """Say it and read the events to their end."""
        headers = {"Authorization": f"Bearer {session['session_token']}", "Accept": "text/event-stream"}
        began, first_ms, name, reply = time.perf_counter(), 0.0, b"", b"{}"
        try:
            answer = self.post(f"/v1/sessions/{session['session_id']}/messages", {"text": message}, **headers)
            if answer.status != 200:
                answer.read()
                return Taken(0.0, 0.0, error=str(answer.status))
            for line in answer:
                field, _, value = line.rstrip().partition(b": ")
                if field == b"event":
                    name, first_ms = value, first_ms or _ms_since(began)
                elif field == b"data" and name == b"reply":
                    reply = value
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Taken(0.0, 0.0, error=type(error).__name__)
        total_ms = _ms_since(began)
        if name != b"reply":
            return Taken(first_ms, total_ms, error=f"ended in {name.decode()}")
        return Taken(first_ms, total_ms, json.loads(reply)["tokens"]["written"])


class BareCall(Connection):
    """The same over llama.cpp's own HTTP server: a stream of as many tokens as the service's model wrote."""

    def take(self, prompt: str, tokens: int) -> Taken:
        """Complete ``prompt``; the first event is the first token."""
        began, first_ms = time.perf_counter(), 0.0
        answer = self.post("/completion", {**bare_request(prompt, tokens), "stream": True})
        if answer.status != 200:
            raise SystemExit(f"llama.cpp's server answered {answer.status}: {answer.read()[:200]!r}")
        for line in answer:
            if line.startswith(b"data"):
                first_ms = first_ms or _ms_since(began)
        total_ms = _ms_since(began)
        self.close()  # the server does so after a stream, whatever its headers say
        return Taken(first_ms, total_ms, tokens)


def _ms_since(began: float) -> float:
    return 1e3 * (time.perf_counter() - began)
