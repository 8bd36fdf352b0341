"""Messages of a session, and what a list of sessions shows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in (
        sa.Column("customer_id", sa.Text()),
        sa.Column("mode", sa.Text(), nullable=False, server_default="bot"),
        sa.Column("turns", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("last_seq", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("active_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("sessions", column)
    op.execute("UPDATE sessions SET started_at = saved_at, active_at = saved_at")
    op.create_index("sessions_by_activity", "sessions", ["mode", "active_at"])
    op.create_table(
        "messages",
        sa.Column("session_id", sa.Text(), sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("feedback", sa.JSON()),
    )
    op.create_index("messages_of_request", "messages", ["session_id", "request_id", "role"], unique=True)
