"""Agents that have been removed, whose history is kept; and jobs by when they ended."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_REMOVED = sa.text("removed_at IS NOT NULL")
_STOPPED = sa.text("stopped_at IS NOT NULL")


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    tables = sa.inspect(op.get_bind())
    with op.batch_alter_table("agent", schema=None) as batch_op:
        present = {column["name"] for column in tables.get_columns("agent")}
        for name in ("removed_at", "history_removed_at"):
            if name not in present:
                batch_op.add_column(sa.Column(name, Moment, nullable=True))
        if "ix_agent_removed_at" not in {index["name"] for index in tables.get_indexes("agent")}:
            batch_op.create_index(
                "ix_agent_removed_at", ["removed_at"], sqlite_where=_REMOVED, postgresql_where=_REMOVED
            )
    if "ix_job_stopped_at_sorted_at" not in {index["name"] for index in tables.get_indexes("job")}:
        with op.batch_alter_table("job", schema=None) as batch_op:
            batch_op.create_index(
                "ix_job_stopped_at_sorted_at",
                ["stopped_at", "sorted_at"],
                sqlite_where=_STOPPED,
                postgresql_where=_STOPPED,
            )
