"""The first schema. Frozen: what changes later is a migration of its own; there is no way back but a backup."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_catalogue()
    _create_customers()
    _create_orders()
    _create_conversations()


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable, primary_key=primary_key)


def _reference(name: str, target: str, *, primary_key: bool = False) -> sa.Column[Any]:
    key = sa.ForeignKey(target, ondelete="CASCADE")
    return sa.Column(name, sa.Text(), key, nullable=False, primary_key=primary_key)


def _address() -> list[sa.Column[Any]]:
    return [_text(name) for name in ("line1", "line2", "city", "state", "postcode", "country", "postcode_key")]


def _in_order() -> list[sa.Column[Any]]:
    position = sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False)
    return [_reference("order_id", "orders.id", primary_key=True), position]


def _create_catalogue() -> None:
    op.create_table(
        "products",
        _text("id", primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        _text("name"),
    )
    op.create_table(
        "variants",
        _text("id", primary_key=True),
        _reference("product_id", "products.id"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
    )
    op.create_index("variants_of_product", "variants", ["product_id", "position"])


def _create_customers() -> None:
    op.create_table(
        "customers",
        _text("id", primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        _text("first_name"),
        _text("last_name"),
        _text("email"),
        _text("email_key"),
        *_address(),
    )
    op.create_index("customers_by_email", "customers", ["email_key"], unique=True)
    op.create_index("customers_by_postcode", "customers", ["postcode_key"])
    op.create_table(
        "payment_methods",
        _reference("customer_id", "customers.id", primary_key=True),
        _text("id", primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        _text("kind"),
        _text("brand"),
        _text("last_four"),
        sa.Column("balance", sa.BigInteger()),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        _text("id", primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        _reference("customer_id", "customers.id"),
        sa.Column("customer_position", sa.Integer(), nullable=False),
        *_address(),
        _text("status"),
        sa.Column("placed_on", sa.Date()),
        _text("cancel_reason", nullable=True),
        sa.Column("return_items", sa.JSON()),
        _text("return_method_id", nullable=True),
        _text("return_state", nullable=True),
        sa.Column("return_requested_on", sa.Date()),
        sa.Column("exchange_items", sa.JSON()),
        sa.Column("exchange_new_items", sa.JSON()),
        _text("exchange_method_id", nullable=True),
        sa.Column("exchange_price_difference", sa.BigInteger()),
        sa.Column("exchange_requested_on", sa.Date()),
    )
    op.create_index("orders_of_customer", "orders", ["customer_id", "customer_position"])
    op.create_index("orders_by_postcode", "orders", ["postcode_key"])
    op.create_table(
        "order_items",
        *_in_order(),
        _text("variant_id"),
        _text("product_id"),
        _text("name"),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "fulfillments",
        *_in_order(),
        sa.Column("tracking_ids", sa.JSON(), nullable=False),
        sa.Column("variant_ids", sa.JSON(), nullable=False),
        _text("carrier"),
        sa.Column("expected_on", sa.Date()),
        sa.Column("delivered_on", sa.Date()),
    )
    op.create_table(
        "payments",
        *_in_order(),
        _text("kind"),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        _text("method_id"),
        sa.Column("made_on", sa.Date()),
    )


def _create_conversations() -> None:
    op.create_table(
        "writes",
        _text("call_id", primary_key=True),
        _text("session_id"),
        _text("customer_id"),
        _text("tool"),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON()),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "tickets",
        _text("id", primary_key=True),
        _text("session_id"),
        _text("customer_id", nullable=True),
        _text("reason"),
        _text("summary"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "sessions",
        _text("id", primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
    )
