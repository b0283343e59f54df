"""What only OpsRamp knows of jobs, of folders of modules, of modules and of agents."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Document, Key

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDEXED = {"opsramp_job": "team_id", "opsramp_job_script": "script_id"}


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    tables = sa.inspect(op.get_bind())
    for name, make in _TABLES.items():
        if not tables.has_table(name):
            make()
    for name, column in _INDEXED.items():
        present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(name)}
        if f"ix_{name}_{column}" not in present:
            with op.batch_alter_table(name, schema=None) as batch_op:
                batch_op.create_index(batch_op.f(f"ix_{name}_{column}"), [column], unique=False)


def _jobs() -> None:
    op.create_table(
        "opsramp_job",
        sa.Column("job_id", Key, nullable=False),
        sa.Column("team_id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("job_type", sa.String(length=100), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_opsramp_job_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_opsramp_job")),
    )


def _job_scripts() -> None:
    op.create_table(
        "opsramp_job_script",
        sa.Column("job_id", Key, nullable=False),
        sa.Column("after", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("script_id", Key, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_opsramp_job_script_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "after", name=op.f("pk_opsramp_job_script")),
    )


def _categories() -> None:
    op.create_table(
        "opsramp_category",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("folder_id", Key, nullable=True),
        sa.Column("is_hidden", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_opsramp_category_folder_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_opsramp_category")),
        sa.UniqueConstraint("folder_id", name=op.f("uq_opsramp_category_folder_id")),
    )


def _scripts() -> None:
    op.create_table(
        "opsramp_script",
        sa.Column("module_id", Key, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.ForeignKeyConstraint(
            ["module_id"], ["module.id"], name=op.f("fk_opsramp_script_module_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("module_id", name=op.f("pk_opsramp_script")),
    )


def _resources() -> None:
    op.create_table(
        "opsramp_resource",
        sa.Column("agent_id", Key, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_opsramp_resource_agent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_opsramp_resource")),
    )


_TABLES = {
    "opsramp_job": _jobs,
    "opsramp_job_script": _job_scripts,
    "opsramp_category": _categories,
    "opsramp_script": _scripts,
    "opsramp_resource": _resources,
}
