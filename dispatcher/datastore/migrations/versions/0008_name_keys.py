"""Agents and teams are found by their names whatever the case of letters."""

import unicodedata
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    inspector = sa.inspect(op.get_bind())
    for name in ("agent", "team"):
        column = sa.Column("name_key", sa.String(length=255), server_default="", nullable=False)
        if column.name not in {one["name"] for one in inspector.get_columns(name)}:
            op.add_column(name, column)
        _fill(sa.table(name, sa.column("number"), sa.column("name"), sa.column("name_key")))
        index = f"ix_{name}_name_key"
        if index not in {one["name"] for one in inspector.get_indexes(name)}:
            op.create_index(index, name, ["name_key"])


def name_key(name: str) -> str:
    """Return what ``core.spelling`` made of *name* at this revision: a migration does the same for ever."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def _fill(table: Any) -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.select(table.c.number, table.c.name)).all()
    if rows:
        change = sa.update(table).where(table.c.number == sa.bindparam("key")).values(name_key=sa.bindparam("value"))
        connection.execute(change, [{"key": number, "value": name_key(name)[:255]} for number, name in rows])
