"""Who has changed what, and what it was before."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Document, Key, Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXED = ("at", "login", "object_id")


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    tables = sa.inspect(op.get_bind())
    if not tables.has_table("audit_entry"):
        op.create_table(
            "audit_entry",
            sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
            sa.Column("at", Moment, nullable=False),
            sa.Column("login", sa.String(length=255), nullable=False),
            sa.Column("address", sa.String(length=64), nullable=False),
            sa.Column("action", sa.String(length=40), nullable=False),
            sa.Column("object_kind", sa.String(length=20), nullable=False),
            sa.Column("object_id", Key, nullable=True),
            sa.Column("object_name", sa.String(length=255), nullable=False),
            sa.Column("old", Document, nullable=True),
            sa.Column("new", Document, nullable=True),
            sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entry")),
        )
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("audit_entry")}
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        for column in _INDEXED:
            if f"ix_audit_entry_{column}" not in present:
                batch_op.create_index(batch_op.f(f"ix_audit_entry_{column}"), [column], unique=False)
