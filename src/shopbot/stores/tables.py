"""The tables of the SQL store, and the two column types that guard them.

What a table looks like on disk is decided by the migrations; a test compares both.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

#: The schema that this code reads and writes: the newest migration.
SCHEMA_REVISION = "0004"
VERSION_TABLE = "shopbot_schema"
MAX_CENTS = 10**15
_CENT = Decimal("0.01")
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a database takes the text: no NUL, no unpaired surrogate."""
    return _NOT_STORABLE.search(text) is None


def to_cents(amount: Decimal | int) -> int:
    """Money as a whole number of cents, half a cent rounded up. :class:`ValueError` beyond what a shop can mean."""
    exact = Decimal(amount)
    if not exact.is_finite() or abs(exact) * 100 > MAX_CENTS:
        raise ValueError("an amount of money is out of range")
    return int(exact.quantize(_CENT, ROUND_HALF_UP).scaleb(2))


def email_key(email: str) -> str:
    """What two spellings of one e-mail address have in common."""
    return unicodedata.normalize("NFC", email).strip().casefold()


def postcode_key(postcode: str) -> str:
    """What two spellings of one postcode have in common: its letters and digits."""
    return "".join(char for char in postcode.casefold() if char.isalnum())


class Cents(TypeDecorator[Decimal]):
    """Money as integer cents; comes back as an exact Decimal with two places."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        if value is None:
            return None
        if not isinstance(value, (Decimal, int)):
            raise TypeError(f"money must be a Decimal, not {type(value).__name__}")
        return to_cents(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else Decimal(value).scaleb(-2)


class StoredText(TypeDecorator[str]):
    """Text of any length; refuses what a database cannot hold before the driver stumbles over it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        if value is not None and not is_storable(value):
            raise ValueError("a text holds NUL or half of a character")
        return None if value is None else str(value)


_Json = JSON(none_as_null=True)


def _address() -> list[Column[Any]]:
    names = ("line1", "line2", "city", "state", "postcode", "country")
    return [Column(name, StoredText, nullable=False) for name in (*names, "postcode_key")]


def _in_order() -> list[Column[Any]]:
    """Key of a row that belongs to an order: the order and the place in it."""
    return [
        Column("order_id", StoredText, ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
        Column("position", Integer, primary_key=True, autoincrement=False),
    ]


METADATA = MetaData()

products = Table(
    "products",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", StoredText, nullable=False),
)

variants = Table(
    "variants",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("product_id", StoredText, ForeignKey("products.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("options", _Json, nullable=False),
    Column("price", Cents, nullable=False),
    Column("available", Boolean, nullable=False),
    Index("variants_of_product", "product_id", "position"),
)

customers = Table(
    "customers",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("first_name", StoredText, nullable=False),
    Column("last_name", StoredText, nullable=False),
    Column("email", StoredText, nullable=False),
    Column("email_key", StoredText, nullable=False),
    *_address(),
    Index("customers_by_email", "email_key", unique=True),
    Index("customers_by_postcode", "postcode_key"),
)

payment_methods = Table(
    "payment_methods",
    METADATA,
    Column("customer_id", StoredText, ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True),
    Column("id", StoredText, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", StoredText, nullable=False),
    Column("brand", StoredText, nullable=False),
    Column("last_four", StoredText, nullable=False),
    Column("balance", Cents),
)

orders = Table(
    "orders",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("customer_id", StoredText, ForeignKey("customers.id", ondelete="CASCADE"), nullable=False),
    # the order's place among the customer's own, oldest first
    Column("customer_position", Integer, nullable=False),
    *_address(),
    Column("status", StoredText, nullable=False),
    Column("placed_on", Date),
    Column("cancel_reason", StoredText),
    Column("return_items", _Json),
    Column("return_method_id", StoredText),
    Column("return_state", StoredText),
    Column("return_requested_on", Date),
    Column("exchange_items", _Json),
    Column("exchange_new_items", _Json),
    Column("exchange_method_id", StoredText),
    Column("exchange_price_difference", Cents),
    Column("exchange_requested_on", Date),
    Index("orders_of_customer", "customer_id", "customer_position"),
    Index("orders_by_postcode", "postcode_key"),
)

order_items = Table(
    "order_items",
    METADATA,
    *_in_order(),
    Column("variant_id", StoredText, nullable=False),
    Column("product_id", StoredText, nullable=False),
    Column("name", StoredText, nullable=False),
    Column("options", _Json, nullable=False),
    Column("price", Cents, nullable=False),
)

fulfillments = Table(
    "fulfillments",
    METADATA,
    *_in_order(),
    Column("tracking_ids", _Json, nullable=False),
    Column("variant_ids", _Json, nullable=False),
    Column("carrier", StoredText, nullable=False),
    Column("expected_on", Date),
    Column("delivered_on", Date),
)

payments = Table(
    "payments",
    METADATA,
    *_in_order(),
    Column("kind", StoredText, nullable=False),
    Column("amount", Cents, nullable=False),
    Column("method_id", StoredText, nullable=False),
    Column("made_on", Date),
)

#: The ledger. ``result`` is empty only inside the transaction that is doing the write.
writes = Table(
    "writes",
    METADATA,
    Column("call_id", StoredText, primary_key=True),
    Column("session_id", StoredText, nullable=False),
    Column("customer_id", StoredText, nullable=False),
    Column("tool", StoredText, nullable=False),
    Column("arguments", _Json, nullable=False),
    Column("result", _Json),
    Column("written_at", DateTime(timezone=True), nullable=False),
)

tickets = Table(
    "tickets",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("session_id", StoredText, nullable=False),
    Column("customer_id", StoredText),
    Column("reason", StoredText, nullable=False),
    Column("summary", StoredText, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("is_open", Boolean, nullable=False),
    Index("tickets_by_age", "is_open", "created_at"),
    Index("tickets_of_session", "session_id"),
)

#: ``customer_id``, ``mode``, ``agent`` and ``turns`` stand in ``state`` too; here a list of sessions finds them.
#: ``last_seq`` is the number of the last message, ``active_at`` when it came (or the session began).
sessions = Table(
    "sessions",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", _Json, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False),
    Column("customer_id", StoredText),
    Column("mode", StoredText, nullable=False, server_default="bot"),
    Column("turns", Integer, nullable=False, server_default="0"),
    Column("last_seq", Integer, nullable=False, server_default="0"),
    # nullable, for SQLite adds no column that must have a time; the code always writes one
    Column("started_at", DateTime(timezone=True)),
    Column("active_at", DateTime(timezone=True)),
    Column("agent", StoredText),
    Index("sessions_by_activity", "mode", "active_at"),
)

messages = Table(
    "messages",
    METADATA,
    Column("session_id", StoredText, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("role", StoredText, nullable=False),
    Column("text", StoredText, nullable=False),
    Column("payload", _Json, nullable=False),
    Column("request_id", StoredText),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("feedback", _Json),
    # one request, one message of the customer's and one answer, whoever took the turn
    Index("messages_of_request", "session_id", "request_id", "role", unique=True),
)

#: What another program is to be told; ``next_at`` is also when a sender that died gives it back.
notices = Table(
    "notices",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("body", _Json, nullable=False),
    Column("state", StoredText, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("error", StoredText, nullable=False),
    Index("notices_due", "state", "next_at"),
)

#: What operators did.
actions = Table(
    "actions",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("operator", StoredText, nullable=False),
    Column("name", StoredText, nullable=False),
    Column("subject", StoredText, nullable=False),
    Column("outcome", StoredText, nullable=False),
)

#: Sessions and customers that were erased: each box erases their transcripts, which only it has.
erasures = Table(
    "erasures",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("session_id", StoredText),
    Column("customer_id", StoredText),
    Index("erasures_by_age", "at"),
)
