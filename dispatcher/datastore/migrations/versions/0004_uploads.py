"""Who has brought a content, and how a resource was meant to be used where it comes from."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("content", schema=None) as batch_op:
        batch_op.add_column(sa.Column("created_by", sa.String(length=255), server_default="system", nullable=False))

    with op.batch_alter_table("resource", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parse_variables", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("skip_environment_variables", sa.Boolean(), server_default="0", nullable=False))
