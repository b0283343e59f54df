"""Jobs in the order of lists, with what lists leave out."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BEFORE, _NOW = "ix_job_sorted_at_id", "ix_job_sorted_at_id_parent_id_recurring_id"


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("job")}
    if _NOW not in present:
        op.create_index(_NOW, "job", ["sorted_at", "id", "parent_id", "recurring_id"], postgresql_include=["number"])
    if _BEFORE in present:
        op.drop_index(_BEFORE, "job")
