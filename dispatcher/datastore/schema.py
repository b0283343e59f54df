"""The schema: made and upgraded by Alembic, from the first revision on.

Alembic is imported only where there is something to do: it takes 10 MiB, and a quarter of the time of every start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from dispatcher.core.errors import Conflict
from dispatcher.datastore.models import Base

if TYPE_CHECKING:
    from alembic.config import Config

#: What the files of the migrations are called after: ``0001_first_schema.py``.
_KNOWN = sorted(
    file.name.partition("_")[0] for file in (Path(__file__).parent / "migrations/versions").glob("[0-9]*.py")
)
#: How the one who changes the schema keeps others from it: the number is as good as any other. MariaDB's locks are
#: the whole server's, so the database is part of the name.
_LOCKS = {
    "postgresql": (
        # However long it takes: to get the lock, and then to change the schema by another connection.
        "SELECT set_config('lock_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),"
        " pg_advisory_lock(4923041180)",
        "SELECT pg_advisory_unlock(4923041180)",
    ),
    "mariadb": (
        "SELECT GET_LOCK(CONCAT('dispatcher.schema.', MD5(DATABASE())), 86400)",
        "SELECT RELEASE_LOCK(CONCAT('dispatcher.schema.', MD5(DATABASE())))",
    ),
}


class SchemaTooNew(Conflict):
    """The datastore was made by a newer Dispatcher; this one must not touch it."""

    code = "datastore.schema_too_new"

    def __init__(self, revision: str) -> None:
        super().__init__(f"the datastore has schema {revision}, which this version does not know", revision=revision)


def revisions(engine: Engine) -> tuple[str | None, str]:
    """Return the revision that the schema has (None without any schema), and the newest one.

    :raises SchemaTooNew: if the schema is one that this version does not know.
    """
    with engine.connect() as connection:
        return _revisions(connection)


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Create or upgrade the schema; return the revisions before and after. Repeating it changes nothing.

    Of several processes that begin this at the same time one does it, the others wait.

    :raises SchemaTooNew: if the schema is one that this version does not know.
    """
    before, head = revisions(engine)
    if before == head:
        return before, head
    with engine.connect() as connection, _alone(connection):
        before, head = _revisions(connection)
        if before != head:
            import alembic.command

            if before is None and connection.dialect.name in ("mysql", "mariadb"):
                # Its tables have the letters of every language, whatever the server was set up for.
                connection.execute(text("ALTER DATABASE CHARACTER SET utf8mb4"))
            alembic.command.upgrade(_config(connection), "head")
    return before, head


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep every other process from changing the schema meanwhile; commit at the end."""
    if connection.dialect.name == "sqlite":
        # The one writer that SQLite has. Whatever Alembic does is part of this transaction.
        connection.execution_options(sqlite_begin="IMMEDIATE")
        with connection.begin():
            yield
        return
    # Locks of the session, not of a transaction: MariaDB commits at every change of a table.
    take, give = _LOCKS["postgresql" if connection.dialect.name == "postgresql" else "mariadb"]
    with connection.engine.connect() as keeper:
        keeper.execute(text(take))
        try:
            yield
            connection.commit()
        finally:
            keeper.execute(text(give))


def differences(engine: Engine) -> list[object]:
    """Return what the models have that the migrated schema has not, and the other way round."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def _revisions(connection: Connection) -> tuple[str | None, str]:
    before: str | None = None
    if inspect(connection).has_table("alembic_version"):
        before = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if before is not None and before not in _KNOWN:
        raise SchemaTooNew(before)
    return before, _KNOWN[-1]


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "dispatcher.datastore:migrations")
    config.attributes["connection"] = connection
    return config
