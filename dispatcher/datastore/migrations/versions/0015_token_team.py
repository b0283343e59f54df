"""The team that a token for enrolment is of."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Key

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    if "team_id" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("token")}:
        with op.batch_alter_table("token", schema=None) as batch_op:
            batch_op.add_column(sa.Column("team_id", Key, nullable=True))
