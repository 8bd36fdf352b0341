"""Stores: where customers, products and orders live. ``sql`` is built in; plugins register others by URL scheme."""

from __future__ import annotations

from collections.abc import Callable

from shopbot.store import Store

#: Opens the store behind a URL; raises :class:`~shopbot.errors.StoreError` with a remedy when it cannot.
StoreFactory = Callable[[str], Store]
