"""Random keys that open something, of which only a hash is kept.

A key has 256 random bits, so a plain hash keeps it: there is nothing to guess and nothing to look up.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

_PREFIX = "sha256:"


def new_key() -> str:
    """A key of 43 letters, digits, ``-`` and ``_``."""
    return secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """What to keep of a key: ``sha256:`` and 64 hexadecimal digits."""
    return _PREFIX + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_key(key: str, kept: str) -> bool:
    """Whether ``kept`` is the hash of ``key``; takes the same time whatever they are. An empty hash has no key."""
    return hmac.compare_digest(hash_key(key).encode(), kept.encode("utf-8", "surrogatepass"))
