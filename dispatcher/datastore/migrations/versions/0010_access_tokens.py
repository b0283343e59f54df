"""Access tokens, by which clients of a dialect say who they are."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Digest, Key, Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEXED = ("expires_at", "login_id")


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    tables = sa.inspect(op.get_bind())
    if not tables.has_table("access_token"):
        op.create_table(
            "access_token",
            sa.Column("id", Key, nullable=False),
            sa.Column("dialect", sa.String(length=40), nullable=False),
            sa.Column("kind", sa.String(length=20), nullable=False),
            sa.Column("hash", Digest, nullable=False),
            sa.Column("login_id", Key, nullable=True),
            sa.Column("expires_at", Moment, nullable=False),
            sa.Column("chain", Key, nullable=False),
            sa.Column("used_at", Moment, nullable=True),
            sa.ForeignKeyConstraint(
                ["login_id"], ["login.id"], name=op.f("fk_access_token_login_id"), ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
            sa.UniqueConstraint("hash", name=op.f("uq_access_token_hash")),
        )
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("access_token")}
    with op.batch_alter_table("access_token", schema=None) as batch_op:
        for column in _INDEXED:
            if f"ix_access_token_{column}" not in present:
                batch_op.create_index(batch_op.f(f"ix_access_token_{column}"), [column], unique=False)
