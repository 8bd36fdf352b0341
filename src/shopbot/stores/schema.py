"""Bringing a database to the newest schema, or saying why it cannot be used."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from shopbot.errors import StoreError
from shopbot.stores.tables import metadata

_VERSION_TABLE = "alembic_version"


def migrate(connection: sa.Connection) -> None:
    """Upgrade to the newest schema inside the connection's transaction.

    :class:`StoreError` if the database is of a newer shopbot, or is not shopbot's at all.
    """
    config = _config(connection)
    script = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection).get_current_revision()
    if found == script.get_current_head():
        return
    if found is None:
        strangers = set(sa.inspect(connection).get_table_names()) & set(metadata.tables)
        if strangers:
            raise StoreError(
                f"The database has tables of somebody else: {', '.join(sorted(strangers))}.",
                remedy="Give shopbot a database of its own (store.url).",
            )
    else:
        try:
            script.get_revision(found)
        except CommandError:
            raise StoreError(
                f"The database has the schema '{found}', which this shopbot does not know.",
                remedy="Update shopbot, or give it another database (store.url).",
            ) from None
    command.upgrade(config, "head")


def revision(connection: sa.Connection) -> str | None:
    """The schema's revision in the database, or None."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    return config
