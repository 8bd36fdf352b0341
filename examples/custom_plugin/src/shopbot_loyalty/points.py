"""Points: earned by what was delivered, spent by redemptions that the shop's ledger confirms.

Our file and the shop's store are two databases, and the power may fail between them. So a row here is only an intent:
it counts once the store's ledger holds the same call id, which is written in the store's own transaction. A crash
before that leaves a row that never counts; doing the same call again adds no second row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shopbot import Context, Customer, Store
from shopbot_loyalty.settings import Settings

_SCHEMA = """
CREATE TABLE IF NOT EXISTS redemptions (
    call_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL,
    points INTEGER NOT NULL CHECK (points > 0)
)
"""


def balance(ctx: Context) -> int:
    """The customer's points: those earned less those redeemed. Never below zero."""
    earned = _earned(ctx.store, ctx.me)
    with _open(Settings.of(ctx.config).path) as db:
        rows = db.execute("SELECT call_id, points FROM redemptions WHERE customer_id = ?", (ctx.me.id,)).fetchall()
    spent: int = sum(points for call_id, points in rows if ctx.store.written(call_id) is not None)
    return max(0, earned - spent)


def redeem(ctx: Context, points: int) -> None:
    """Note that this call redeems ``points``; once per call, however often it is done."""
    with _open(Settings.of(ctx.config).path) as db:
        db.execute("INSERT OR IGNORE INTO redemptions VALUES (?, ?, ?)", (ctx.call_id, ctx.me.id, points))


def _earned(store: Store, customer: Customer) -> int:
    delivered = [order for order in store.orders(customer.id) if order.delivered_on is not None]
    kept = [order for order in delivered if order.returned is None]
    return int(sum(order.total for order in kept))


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(_SCHEMA)
        yield db
