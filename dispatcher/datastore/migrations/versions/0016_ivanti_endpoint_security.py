"""Ivanti Endpoint Security: jobs, agent policies, and the computers that discoveries have found."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Digest, Document, Key, LongText, Moment

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_INDEXES = (
    ("found_computer", "address"),
    ("found_computer", "mac"),
    ("found_computer", "agent_id"),
    ("found_computer", "gone_agent_id"),
    ("ies_agent_policy", "team_id"),
)


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    present = set(sa.inspect(op.get_bind()).get_table_names())
    for name, make in _TABLES.items():
        if name not in present:
            make()
    for table, *columns in _INDEXES:
        name = f"ix_{table}_{'_'.join(columns)}"
        if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
            op.create_index(op.f(name), table, columns, unique=False)


def _found_computers() -> None:
    op.create_table(
        "found_computer",
        sa.Column("id", Key, nullable=False),
        sa.Column("identity", Digest, nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("dns_name", sa.String(length=255), nullable=False),
        sa.Column("netbios_name", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=32), nullable=False),
        sa.Column("os", sa.String(length=32), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("ports", Document, nullable=False),
        sa.Column("ways", Document, nullable=False),
        sa.Column("first_found_at", Moment, nullable=False),
        sa.Column("found_at", Moment, nullable=False),
        sa.Column("job_id", Key, nullable=True),
        sa.Column("agent_id", Key, nullable=True),
        sa.Column("gone_agent_id", Key, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_found_computer")),
        sa.UniqueConstraint("identity", name=op.f("uq_found_computer_identity")),
    )


def _jobs() -> None:
    op.create_table(
        "ies_job",
        sa.Column("job_id", Key, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("starts_at", Moment, nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.Column("secrets", LongText, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_ies_job_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_ies_job")),
        sa.UniqueConstraint("number", name=op.f("uq_ies_job_number")),
    )


def _agent_policies() -> None:
    op.create_table(
        "ies_agent_policy",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("team_id", Key, nullable=True),
        sa.Column("document", Document, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["team_id"], ["team.id"], name=op.f("fk_ies_agent_policy_team_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ies_agent_policy")),
        sa.UniqueConstraint("name", name=op.f("uq_ies_agent_policy_name")),
    )


_TABLES = {"found_computer": _found_computers, "ies_job": _jobs, "ies_agent_policy": _agent_policies}
