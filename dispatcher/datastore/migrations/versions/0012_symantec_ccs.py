"""Jobs of Symantec CCS."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Digest, Document, Key, Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    if sa.inspect(op.get_bind()).has_table("symantec_ccs_job"):
        return
    op.create_table(
        "symantec_ccs_job",
        sa.Column("job_id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("name_key", Digest, nullable=False),
        sa.Column("job_type", sa.String(length=40), nullable=False),
        sa.Column("details", Document, nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("modified_at", Moment, nullable=False),
        sa.Column("hidden_runs", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_symantec_ccs_job_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_symantec_ccs_job")),
        sa.UniqueConstraint("name_key", name=op.f("uq_symantec_ccs_job_name_key")),
    )
