"""What alembic runs for every command: the migrations, on the connection and in the transaction it was given."""

from __future__ import annotations

from alembic import context

from shopbot.stores.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
