"""Why a call to the teacher failed, by what the client raised, and whether it may have been paid for."""

from __future__ import annotations

import email.utils
import json
import re
import time
from dataclasses import dataclass

from shopbot_refine.teachers import Failure

# What the HTTP library (httpx or its successor, by the client's version) calls a connection that never stood.
_NOT_CONNECTED = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
# A gateway that gave up waiting cannot say whether the model behind it has worked.
_PAID_PERHAPS = {408, 502, 504, 524}
_REMEDIES = {
    401: "Check the key in the variable that api_key_env names.",
    404: "Check base_url and model.",
}
_REFUSALS = {"content_filter", "content_policy_violation"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a call failed. ``status``: of the HTTP answer, 0 where there was none. ``retry_after_s``: what the endpoint
    asked for. ``remedy``: it is the configuration's fault, and no other request will fare better."""

    failure: Failure
    detail: str
    is_transient: bool = False
    is_paid_perhaps: bool = False
    retry_after_s: float | None = None
    remedy: str = ""
    status: int = 0


class ForeignAnswerError(Exception):
    """The endpoint answered 200 with something else than what the API says."""


def diagnose(error: Exception) -> Trouble:
    """What an error of the client means. Raises ``error`` itself where it is none of the client's."""
    import openai

    if isinstance(error, ForeignAnswerError | json.JSONDecodeError | openai.APIResponseValidationError):
        return Trouble("malformed", "not what the API answers", is_paid_perhaps=True)
    if isinstance(error, openai.APIConnectionError):
        is_sent = type(error.__cause__).__name__ not in _NOT_CONNECTED
        word = "timeout" if isinstance(error, openai.APITimeoutError) else "connection lost"
        return Trouble("offline", word if is_sent else "cannot connect", is_transient=True, is_paid_perhaps=is_sent)
    if not isinstance(error, openai.APIStatusError):
        raise error
    headers = error.response.headers
    pause_s = _read_retry_after(headers.get("retry-after-ms"), headers.get("retry-after"))
    return judge_status(error.status_code, str(error.code or ""), pause_s)


def judge_status(status: int, code: str = "", pause_s: float | None = None) -> Trouble:
    """What an HTTP status other than 200 means, with the ``code`` of the error in the body."""
    # Words of the endpoint may quote the key or the customer: only a code that looks like one is passed on.
    detail = f"HTTP {status}" + (f", {code}" if re.fullmatch(r"[a-z][a-z0-9_.]{0,59}", code) else "")
    if status in _REMEDIES or 300 <= status < 400:
        remedy = _REMEDIES.get(status, "The endpoint redirects; set base_url to where it is now.")
        return Trouble("rejected", detail, remedy=remedy, status=status)
    if status in (408, 409, 429) or status >= 500:
        failure: Failure = "over_budget" if code == "insufficient_quota" else "offline"
        is_transient = failure == "offline"
        return Trouble(failure, detail, is_transient, status in _PAID_PERHAPS, pause_s, status=status)
    return Trouble("refused" if code in _REFUSALS else "rejected", detail, status=status)


def _read_retry_after(milliseconds: str | None, value: str | None) -> float | None:
    """Seconds from the headers Retry-After-Ms and Retry-After (seconds, or an HTTP date); None: neither is readable."""
    try:
        if milliseconds:
            seconds = float(milliseconds) / 1000
        elif value and value.strip()[:1].isdigit():
            seconds = float(value)
        else:
            seconds = email.utils.parsedate_to_datetime(value or "").timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(seconds, 0.0) if seconds == seconds else None
