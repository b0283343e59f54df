"""Who is at the console of an agent's computer, or was the last there."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    table = sa.inspect(op.get_bind())
    there = {column["name"] for column in table.get_columns("agent")}
    columns = (
        sa.Column("console_user", sa.String(length=255), server_default="", nullable=False),
        sa.Column("last_console_user", sa.String(length=255), server_default="", nullable=False),
        sa.Column("console_user_at", Moment, nullable=True),
        sa.Column("console_key", sa.String(length=255), server_default="", nullable=False),
    )
    with op.batch_alter_table("agent", schema=None) as batch_op:
        for column in columns:
            if column.name not in there:
                batch_op.add_column(column)
        if "ix_agent_console_key" not in {index["name"] for index in table.get_indexes("agent")}:
            batch_op.create_index(batch_op.f("ix_agent_console_key"), ["console_key"], unique=False)
