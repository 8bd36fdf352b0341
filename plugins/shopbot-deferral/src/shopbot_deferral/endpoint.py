"""One request to an OpenAI-compatible endpoint, and what is to be made of whatever comes back.

``httpx`` and not the ``openai`` client: it is here already, and this is one request without retries or streams; what
matters is how each way to fail is told apart, and whether it may have been paid for.
"""

from __future__ import annotations

import email.utils
import json
from dataclasses import dataclass
from time import monotonic, time
from typing import Any
from urllib.parse import urlsplit

import httpx

from shopbot import CloudFailure
from shopbot_deferral.settings import Settings

#: Longer answers are none.
_MAX_ANSWER_BYTES = 256 * 1024
_MAX_TOKENS = 10**9
# A gateway that gave up waiting cannot say whether the model behind it has worked.
_PAID_PERHAPS = {408, 502, 504, 524}
_REFUSALS = ("content_filter", "content_policy_violation")
#: The limit's name, new and old; some endpoints know the one, some the other.
_LIMITS = ("max_completion_tokens", "max_tokens")


class Trouble(Exception):  # noqa: N818 - a finding
    """No answer. ``note``: why, in words that hold nothing of a customer's or of the key. ``pause_s``: how long the
    endpoint asked to be left alone. ``usage``: what it took all the same, where it said so."""

    def __init__(
        self,
        failure: CloudFailure,
        note: str,
        *,
        is_paid_perhaps: bool = False,
        pause_s: float = 0.0,
        usage: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(note)
        self.failure, self.note, self.is_paid_perhaps = failure, note, is_paid_perhaps
        self.pause_s, self.usage = pause_s, usage


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said. ``usage``: tokens (in, out), None where the endpoint does not tell."""

    content: str
    usage: tuple[int, int] | None


class Endpoint:
    """Asks ``settings.model`` at ``settings.base_url``. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limit = _LIMITS[0]
        headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
        self._client = httpx.Client(
            # an answer that unpacks to more than it is could fill the memory
            headers={**headers, "User-Agent": "shopbot-deferral", "Accept-Encoding": "identity"},
            # a redirect could lead the key and the message to another host; no proxy stands before loopback
            follow_redirects=False,
            trust_env=not settings.is_here,
            # plain http, which is allowed on loopback alone, has no use for the certificates, which are slow to load
            verify=urlsplit(settings.base_url).scheme == "https",
        )

    def complete(self, messages: list[dict[str, str]], deadline: float) -> Answer:
        """The answer to a chat, until ``deadline`` (of :func:`time.monotonic`). Raises :class:`Trouble`."""
        limit = self._limit
        status, raw, headers = self._post(messages, limit, deadline)
        if status in (400, 422) and limit == _LIMITS[0] and limit.encode() in raw:
            self._limit = limit = _LIMITS[1]
            status, raw, headers = self._post(messages, limit, deadline)
        body = _parse(raw)
        if status != 200:
            raise _judge_status(status, body, headers)
        return _read(body)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _post(self, messages: list[dict[str, str]], limit: str, deadline: float) -> tuple[int, bytes, httpx.Headers]:
        left_s = deadline - monotonic()
        if left_s <= 0:
            raise Trouble("timed_out", "no time was left to ask")
        body = {"model": self._settings.model, "messages": messages, limit: self._settings.max_output_tokens}
        address = f"{self._settings.base_url.rstrip('/')}/chat/completions"
        raw = b""
        try:
            with self._client.stream("POST", address, json=body, timeout=left_s) as response:
                for piece in response.iter_raw():
                    raw += piece
                    if len(raw) > _MAX_ANSWER_BYTES:
                        raise Trouble("malformed", "the answer is too long", is_paid_perhaps=True)
                    if monotonic() > deadline:
                        raise Trouble("timed_out", "the answer came too slowly", is_paid_perhaps=True)
                return response.status_code, raw, response.headers
        except (httpx.ConnectTimeout, httpx.PoolTimeout):
            raise Trouble("timed_out", "cannot connect in time") from None
        except (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise Trouble("offline", "cannot connect") from None
        except httpx.TimeoutException:
            raise Trouble("timed_out", "no answer in time", is_paid_perhaps=True) from None
        except httpx.HTTPError as error:
            raise Trouble("offline", f"connection lost ({type(error).__name__})", is_paid_perhaps=True) from None


def _parse(raw: bytes) -> Any:
    """The body as JSON; None for anything else."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _judge_status(status: int, body: Any, headers: httpx.Headers) -> Trouble:
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    note = f"HTTP {status}"
    if code in _REFUSALS:
        return Trouble("refused", note)
    if status in (408, 409, 429) or status >= 500:
        pause_s = _retry_after_s(headers.get("retry-after", ""))
        return Trouble("unavailable", note, is_paid_perhaps=status in _PAID_PERHAPS, pause_s=pause_s)
    return Trouble("rejected", f"{note}: check base_url, model and the key")


def _read(body: Any) -> Answer:
    """What a chat completion says. Raises :class:`Trouble` where it is none, or the model would not say."""
    usage = _usage(body.get("usage")) if isinstance(body, dict) else None
    try:
        choice = body["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
    except (AttributeError, IndexError, KeyError, TypeError):
        raise Trouble("malformed", "no chat completion", is_paid_perhaps=True, usage=usage) from None
    if refusal or finish == "content_filter":
        raise Trouble("refused", "the model refused", is_paid_perhaps=True, usage=usage)
    if not isinstance(content, str) or not content.strip():
        raise Trouble("malformed", "no text", is_paid_perhaps=True, usage=usage)
    if finish == "length":
        raise Trouble("malformed", "cut at max_output_tokens", is_paid_perhaps=True, usage=usage)
    return Answer(content, usage)


def _usage(told: Any) -> tuple[int, int] | None:
    if not isinstance(told, dict):
        return None
    counts = told.get("prompt_tokens"), told.get("completion_tokens")
    if all(isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MAX_TOKENS for count in counts):
        return counts  # type: ignore[return-value]
    return None


def _retry_after_s(value: str) -> float:
    """Seconds from a Retry-After header (a number, or an HTTP date); 0: it says nothing that can be read."""
    try:
        seconds = float(value) if value[:1].isdigit() else email.utils.parsedate_to_datetime(value).timestamp() - time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max(seconds, 0.0) if seconds == seconds else 0.0
