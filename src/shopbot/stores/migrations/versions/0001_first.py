"""The first schema: customers, orders, products, the ledger of writes, sessions, tickets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("email", sa.String(320), nullable=False, unique=True),
        sa.Column("postcode", sa.String(20), nullable=False, index=True),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("customer_id", sa.String(120), nullable=False, index=True),
        sa.Column("customer_position", sa.Integer, nullable=False),
        sa.Column("postcode", sa.String(20), nullable=False, index=True),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "writes",
        sa.Column("call_id", sa.String(120), primary_key=True),
        sa.Column("session_id", sa.String(120), nullable=False, index=True),
        sa.Column("customer_id", sa.String(120), nullable=False, index=True),
        sa.Column("tool", sa.String(120), nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    op.create_table(
        "tickets",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("session_id", sa.String(120), nullable=False),
        sa.Column("customer_id", sa.String(120)),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
    )
    op.create_index("tickets_open", "tickets", ["is_open", "created_at"])


def downgrade() -> None:
    for table in ("tickets", "sessions", "writes", "products", "orders", "customers"):
        op.drop_table(table)
