"""Bringing a database to the schema this code knows, with alembic, from inside the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from shopbot.errors import StoreError
from shopbot.stores.tables import SCHEMA_REVISION, VERSION_TABLE

_FOLDER = Path(__file__).parent
#: Two processes that open one new database at once: the second waits for the first.
_POSTGRESQL_LOCK = 7_261_320_115


def prepare(readers: Engine, writers: Engine, *, create: bool) -> None:
    """Check whose database this is and bring it to the newest schema.

    ``create``: an empty database may become a store. :class:`~shopbot.errors.StoreError` for somebody else's tables,
    a newer schema, and nothing at all without ``create``.
    """
    with readers.connect() as connection:
        revision = revision_of(connection)
        if revision == SCHEMA_REVISION:
            return
        if revision is None:
            _check_is_empty(connection, create=create)
    with writers.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})
        upgrade(connection)


def revision_of(connection: Connection) -> str | None:
    """The schema's revision, or None where there is no store. :class:`~shopbot.errors.StoreError` if it is torn."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608 - constant
    if len(found) != 1:
        raise StoreError("The store's schema version is damaged.", remedy="Restore a backup.")
    return str(found[0])


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to ``revision`` inside the connection's open transaction."""
    from alembic import command  # imported here: a store that is up to date does not need it, and it is slow
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    current = revision_of(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            f"The store has schema {current[:40]!a}, which this version of shopbot does not know.",
            remedy="It was written by a newer version: update shopbot, or name another store.",
        )
    command.upgrade(config, revision)


def _check_is_empty(connection: Connection, *, create: bool) -> None:
    if inspect(connection).get_table_names():
        raise StoreError(
            "The database holds tables that are not a shopbot store's.",
            remedy="Name another file, or an empty database, in store.url.",
        )
    if not create:
        raise StoreError("The database holds no store.", remedy="Create one with 'shopbot store init'.")
