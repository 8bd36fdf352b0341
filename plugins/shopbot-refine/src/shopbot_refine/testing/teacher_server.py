"""An OpenAI-compatible HTTP server on loopback, over a function that answers. It keeps every byte that it receives.

::

    with TeacherServer(lambda messages, schema: '{"verdict": "keep"}') as server:
        config = RefineConfig(teacher="live", base_url=server.base_url)

The function may stand in front of a real model. What goes wrong is scripted, one :class:`Mishap` for one request.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Literal, cast

#: (messages, the schema of the answer or None) -> the content of the answer.
Reply = Callable[[list[dict[str, Any]], "dict[str, Any] | None"], str]


class RefusedError(Exception):
    """Raised by a reply function: the model refuses to answer."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong with one request.

    ``status``: an error answer with the headers and the error ``code`` given, ``param`` in its message. ``slow``: no
    answer until the client has gone or the server is closed. ``cut``: the connection is closed without an answer;
    ``cut_answer``: within it, after the request was served. ``garbage``: 200, and no JSON.
    """

    kind: Literal["status", "slow", "cut", "cut_answer", "garbage"]
    status: int = 500
    code: str = "server_error"
    param: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it came in, its header names in small letters, and the status it was answered with (0: cut)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int


class TeacherServer:
    """Serves ``POST /v1/chat/completions`` on a free port of 127.0.0.1 while its ``with`` block runs.

    ``mishaps``: for the requests in the order they come, None for one that goes well; after the last, all go well.
    ``check``: may refuse a request body with a Mishap. ``has_usage`` False: answers do not tell their tokens.
    """

    def __init__(
        self,
        reply: Reply,
        mishaps: Iterable[Mishap | None] = (),
        *,
        check: Callable[[dict[str, Any]], Mishap | None] = lambda body: None,
        has_usage: bool = True,
    ) -> None:
        self._reply, self._check, self._has_usage = reply, check, has_usage
        self._mishaps = deque(mishaps)
        self._closing = threading.Event()
        self.changed = threading.Condition()
        #: All that was received, in the order of arrival, and the same by request.
        self.received = bytearray()
        self.exchanges: list[Exchange] = []
        #: How often each user message was answered, and the tokens of all answers.
        self.answered: Counter[str] = Counter()
        self.input_tokens = 0
        self.output_tokens = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> TeacherServer:
        # The short poll is how soon shutdown() is noticed.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, is_true: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until something holds of what was received. Raises :class:`TimeoutError`."""
        with self.changed:
            if not self.changed.wait_for(is_true, timeout_s):
                raise TimeoutError("the server has not received it")

    def complete(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the body that answer a chat completion request."""
        refused = self._check(body)
        if refused is not None:
            return refused.status, _error(refused)
        form = body.get("response_format", {})
        schema = form.get("json_schema", {}).get("schema")
        limit = body.get("max_completion_tokens", body.get("max_tokens", 10**6))
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        finish = "stop"
        try:
            content = self._reply(body["messages"], schema)
        except RefusedError as error:
            message["refusal"] = content = str(error)
        else:
            # One token for four bytes, as an English text has them.
            if len(content.encode()) > 4 * limit:
                content, finish = content.encode()[: 4 * limit].decode("utf-8", "ignore"), "length"
            message["content"] = content
        used_in = -(-len(json.dumps([body["messages"], schema])) // 4)
        used_out = -(-len(content.encode()) // 4)
        with self.changed:
            self.answered[body["messages"][-1]["content"]] += 1
            self.input_tokens += used_in
            self.output_tokens += used_out
            number = self.answered.total()
            self.changed.notify_all()
        usage = {"prompt_tokens": used_in, "completion_tokens": used_out, "total_tokens": used_in + used_out}
        return 200, {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            **({"usage": usage} if self._has_usage else {}),
        }

    def serve(self, method: str, path: str, content_type: str, body: bytes) -> tuple[int, dict[str, Any] | bytes]:
        """The status and the body that answer a request: an object, or the bytes of a file."""
        del content_type  # a form's, where files are taken
        if (method, path.partition("?")[0]) == ("POST", "/v1/chat/completions"):
            return self.complete(json.loads(body))
        return 404, _error(Mishap("status", 404, "not_found"))

    def next_mishap(self) -> Mishap | None:
        """What is to go wrong with the request that has just come."""
        with self.changed:
            return self._mishaps.popleft() if self._mishaps else None

    def note(self, exchange: Exchange) -> None:
        """Keep a request that is about to be answered."""
        with self.changed:
            self.exchanges.append(exchange)
            self.changed.notify_all()

    def hold(self, connection: socket.socket) -> None:
        """Give no answer until the client has gone or the server is closed."""
        connection.settimeout(0.05)
        while not self._closing.is_set():
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


def _error(mishap: Mishap) -> dict[str, Any]:
    message = f"Unsupported parameter: {mishap.param}." if mishap.param else "It went wrong."
    return {"error": {"message": message, "type": "error", "param": mishap.param or None, "code": mishap.code}}


class _Server(ThreadingHTTPServer):
    owner: TeacherServer
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone in the middle is what the tests are about."""


class _Tee:
    """A stream that is kept as it is read."""

    def __init__(self, stream: BinaryIO, keep: Callable[[bytes], None]) -> None:
        self._stream, self._keep = stream, keep

    def read(self, size: int = -1) -> bytes:
        return self._kept(self._stream.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._kept(self._stream.readline(size))

    def close(self) -> None:
        self._stream.close()

    def _kept(self, content: bytes) -> bytes:
        self._keep(content)
        return content


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.rfile = cast(Any, _Tee(cast(BinaryIO, self.rfile), self.server.owner.received.extend))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing on stderr."""

    def do_POST(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        mishap = owner.next_mishap()
        status, content = 0, b""
        if mishap is None or mishap.kind == "cut_answer":
            status, answer = owner.serve(self.command, self.path, headers.get("content-type", ""), body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        elif mishap.kind == "status":
            status, content = mishap.status, json.dumps(_error(mishap)).encode()
        elif mishap.kind == "garbage":
            status, content = 200, b"<html>Welcome to the hotel"
        owner.note(Exchange(self.command, self.path, headers, body, status))
        if mishap is not None and mishap.kind == "slow":
            owner.hold(self.connection)
        if mishap is not None and mishap.kind in ("slow", "cut"):
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in (mishap.headers if mishap else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if mishap is not None and mishap.kind == "cut_answer":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            self.wfile.write(content)

    do_GET = do_DELETE = do_POST  # noqa: N815 - the base class names it so
