"""Computers without an agent, which another agent works for: credentials, configurations, alerts, queues."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Digest, Key, LongBinary, LongText, Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FOR_ANOTHER = sa.text("device > 0")


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    tables = sa.inspect(op.get_bind())
    _agents(tables)
    _runs(tables)
    for name, make in _TABLES.items():
        if not tables.has_table(name):
            make()
    for table, indexes in _INDEXES.items():
        present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
        for name, columns in indexes.items():
            if name not in present:
                op.create_index(name, table, columns)


def _agents(tables: sa.Inspector) -> None:
    if "gateway_id" not in {column["name"] for column in tables.get_columns("agent")}:
        with op.batch_alter_table("agent", schema=None) as batch_op:
            batch_op.add_column(sa.Column("gateway_id", Key, nullable=True))


def _runs(tables: sa.Inspector) -> None:
    if "device" not in {column["name"] for column in tables.get_columns("run")}:
        with op.batch_alter_table("run", schema=None) as batch_op:
            batch_op.add_column(sa.Column("device", sa.BigInteger(), server_default="0", nullable=False))
    present = {index["name"] for index in tables.get_indexes("run")}
    # The new one first: MariaDB's foreign key of jobs wants one that begins with them.
    if "ix_run_job_id_agent_id_device" not in present:
        op.create_index("ix_run_job_id_agent_id_device", "run", ["job_id", "agent_id", "device"], unique=True)
    if "ix_run_job_id_agent_id" in present:
        op.drop_index("ix_run_job_id_agent_id", "run")
    if "ix_run_device" not in present:
        op.create_index("ix_run_device", "run", ["device"], sqlite_where=_FOR_ANOTHER, postgresql_where=_FOR_ANOTHER)


def _credential_set() -> None:
    op.create_table(
        "credential_set",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("user_name", sa.String(length=255), nullable=False),
        sa.Column("password", LongText, nullable=False),
        sa.Column("private_key", LongText, nullable=False),
        sa.Column("passphrase", LongText, nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("timeout_ms", sa.Integer(), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_set")),
        sa.UniqueConstraint("name", name=op.f("uq_credential_set_name")),
    )


def _credential_use() -> None:
    op.create_table(
        "credential_use",
        sa.Column("set_id", Key, nullable=False),
        sa.Column("object_id", Key, nullable=False),
        sa.ForeignKeyConstraint(
            ["set_id"], ["credential_set.id"], name=op.f("fk_credential_use_set_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("set_id", "object_id", name=op.f("pk_credential_use")),
    )


def _queued_run() -> None:
    op.create_table(
        "queued_run",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("resource", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_queued_run_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_queued_run")),
    )


def _configuration() -> None:
    op.create_table(
        "configuration",
        sa.Column("id", Key, nullable=False),
        sa.Column("agent_id", Key, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("sha256", Digest, nullable=False),
        sa.Column("compared", Digest, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", Moment, nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("job_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_configuration")),
    )


def _configuration_part() -> None:
    op.create_table(
        "configuration_part",
        sa.Column("configuration_id", Key, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", LongBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["configuration_id"],
            ["configuration.id"],
            name=op.f("fk_configuration_part_configuration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("configuration_id", "offset", name=op.f("pk_configuration_part")),
    )


def _fetched_part() -> None:
    op.create_table(
        "fetched_part",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("fence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", LongBinary, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_fetched_part_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "fence", "position", "offset", name=op.f("pk_fetched_part")),
    )


def _alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", Key, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("message", LongText, nullable=False),
        sa.Column("agent_id", Key, nullable=True),
        sa.Column("job_id", Key, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )


_TABLES = {
    "credential_set": _credential_set,
    "credential_use": _credential_use,
    "queued_run": _queued_run,
    "configuration": _configuration,
    "configuration_part": _configuration_part,
    "fetched_part": _fetched_part,
    "alert": _alert,
}
_INDEXES = {
    "credential_use": {"ix_credential_use_object_id": ["object_id"]},
    "queued_run": {"ix_queued_run_resource": ["resource"]},
    "configuration": {"ix_configuration_agent_id_name_id": ["agent_id", "name", "id"]},
    "alert": {"ix_alert_at": ["at"], "ix_alert_agent_id": ["agent_id"]},
}
