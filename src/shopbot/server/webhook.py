"""Webhooks: telling another program of an event, signed as Standard Webhooks (standardwebhooks.com) has it.

The signature covers the event's id, the time and the body. A receiver that checks it, and that the time is now, takes
nothing forged or replayed; one that remembers ids does nothing twice. docs/operators.md has such a receiver.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

import shopbot
from shopbot.config import HandoffSection
from shopbot.server.guard import is_loopback

TIMEOUT_S = 10.0
_PREFIX = "whsec_"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Attempt:
    """How sending went. ``error`` is empty where the receiver took it; ``retry_after_s``: when it wants to be asked
    again, if it said so."""

    error: str = ""
    retry_after_s: float | None = None


def new_secret() -> str:
    """A secret that both sides know: ``whsec_`` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """The signature of an event; ``timestamp`` in seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = b"%s.%d.%s" % (event_id.encode(), timestamp, body)
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


async def send(settings: HandoffSection, event_id: str, body: Mapping[str, Any], *, timestamp: int) -> Attempt:
    """Send an event to the configured address, once. Nothing is followed anywhere else; raises nothing."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"shopbot/{shopbot.__version__}",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(settings.webhook_secret.get_secret_value(), event_id, timestamp, content),
    }
    try:
        # a proxy of the environment's cannot reach this machine's own addresses
        uses_proxy = not is_loopback(urlsplit(settings.webhook_url).hostname or "")
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=uses_proxy) as client:
            return await asyncio.wait_for(_post(client, settings.webhook_url, content, headers), TIMEOUT_S)
    except (asyncio.TimeoutError, httpx.TimeoutException):
        return Attempt(f"no answer within {TIMEOUT_S:.0f} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return Attempt(f"no connection ({type(error).__name__})")


async def _post(client: httpx.AsyncClient, url: str, content: bytes, headers: Mapping[str, str]) -> Attempt:
    async with client.stream("POST", url, content=content, headers=headers) as answer:  # its body is not read
        if answer.is_success:
            return Attempt()
        wait = answer.headers.get("retry-after", "")
        return Attempt(f"HTTP {answer.status_code}", float(wait) if wait.isascii() and wait.isdigit() else None)
