"""Rights of roles on folders and objects, too."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Key

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: What a right that is on the whole node has in place of an id: such are all that there are before.
_NODE = UUID(int=0)
_KEY = "role_id, node, target"


def upgrade() -> None:
    """Apply; on MariaDB in one statement, because it commits each, and wants an index for the foreign key at any time."""
    dialect = op.get_bind().dialect.name
    if dialect in ("mysql", "mariadb"):
        op.execute(
            f"ALTER TABLE `grant` ADD COLUMN IF NOT EXISTS target BINARY(16) NOT NULL DEFAULT x'{_NODE.hex}',"
            f" DROP PRIMARY KEY, ADD PRIMARY KEY ({_KEY})"
        )
        return
    default = f"'{_NODE}'" if dialect == "postgresql" else f"x'{_NODE.hex}'"
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("target", Key, server_default=sa.text(default), nullable=False))
        batch_op.drop_constraint("pk_grant", type_="primary")
        batch_op.create_primary_key("pk_grant", _KEY.split(", "))
