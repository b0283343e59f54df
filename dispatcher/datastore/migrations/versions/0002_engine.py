"""Schedules with their ledger, holds, conditions, retries, outputs, resources, dispatchers and submit keys."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import (
    Digest,
    Document,
    Key,
    LongBinary,
    LongText,
    Moment,
)

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "content",
        sa.Column(
            "sha256",
            Digest,
            nullable=False,
        ),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_content")),
    )
    op.create_table(
        "dispatcher",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("heartbeat_at", Moment, nullable=False),
        sa.Column("is_draining", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatcher")),
    )
    op.create_table(
        "submit",
        sa.Column("login", sa.String(length=255), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column(
            "key",
            Digest,
            nullable=False,
        ),
        sa.Column(
            "body",
            Digest,
            nullable=False,
        ),
        sa.Column("job_id", Key, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("login", "operation", "key", name=op.f("pk_submit")),
    )
    with op.batch_alter_table("submit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_submit_created_at"), ["created_at"], unique=False)

    op.create_table(
        "content_chunk",
        sa.Column(
            "sha256",
            Digest,
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", LongBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["sha256"], ["content.sha256"], name=op.f("fk_content_chunk_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", "position", name=op.f("pk_content_chunk")),
    )
    op.create_table(
        "resource",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("folder_id", Key, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column(
            "sha256",
            Digest,
            nullable=False,
        ),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_resource_folder_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_resource")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_resource_folder_id_name")),
        sa.UniqueConstraint("id", name=op.f("uq_resource_id")),
    )
    with op.batch_alter_table("resource", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_resource_sha256"), ["sha256"], unique=False)

    op.create_table(
        "schedule",
        sa.Column("job_id", Key, nullable=False),
        sa.Column("rule", LongText, nullable=False),
        sa.Column("gap", sa.String(length=10), nullable=False),
        sa.Column("fold", sa.String(length=10), nullable=False),
        sa.Column("misfire", sa.String(length=10), nullable=False),
        sa.Column("misfire_window_s", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.String(length=10), nullable=False),
        sa.Column("paused_until", Moment, nullable=True),
        sa.Column("last_due_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_schedule_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_schedule")),
    )
    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.create_index(
            "ix_schedule_paused_until",
            ["paused_until"],
            unique=False,
            sqlite_where=sa.text("paused_until IS NOT NULL"),
            postgresql_where=sa.text("paused_until IS NOT NULL"),
        )

    op.create_table(
        "occurrence",
        sa.Column("schedule_id", Key, nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("reason", LongText, nullable=False),
        sa.Column("job_id", Key, nullable=True),
        sa.Column("noted_at", Moment, nullable=False),
        sa.Column("held_since", Moment, nullable=True),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedule.job_id"], name=op.f("fk_occurrence_schedule_id")),
        sa.PrimaryKeyConstraint("schedule_id", "due_at", name=op.f("pk_occurrence")),
    )
    with op.batch_alter_table("occurrence", schema=None) as batch_op:
        batch_op.create_index(
            "ix_occurrence_held_since",
            ["held_since"],
            unique=False,
            sqlite_where=sa.text("held_since IS NOT NULL"),
            postgresql_where=sa.text("held_since IS NOT NULL"),
        )

    with op.batch_alter_table("agent", schema=None) as batch_op:
        batch_op.add_column(sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("boot_id", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("launch_window", LongText, nullable=True))

    with op.batch_alter_table("job", schema=None) as batch_op:
        # A plain text as the default: for an expression the table would be made anew on SQLite, which runs refer to.
        batch_op.add_column(sa.Column("is_recurring", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("recurring_id", Key, nullable=True))
        batch_op.add_column(sa.Column("ends_by", Moment, nullable=True))
        batch_op.add_column(sa.Column("options", Document, nullable=True))
        batch_op.add_column(sa.Column("outputs", Document, nullable=True))
        batch_op.drop_index("ix_job_state_starts_at")
        batch_op.create_index(
            "ix_job_state_is_recurring_starts_at", ["state", "is_recurring", "starts_at"], unique=False
        )
        batch_op.create_index(
            "ix_job_ends_by",
            ["ends_by"],
            unique=False,
            sqlite_where=sa.text("ends_by IS NOT NULL"),
            postgresql_where=sa.text("ends_by IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_job_recurring_id",
            ["recurring_id", "number"],
            unique=False,
            sqlite_where=sa.text("recurring_id IS NOT NULL"),
            postgresql_where=sa.text("recurring_id IS NOT NULL"),
        )

    with op.batch_alter_table("project_module", schema=None) as batch_op:
        batch_op.add_column(sa.Column("get", Document, nullable=True))
        batch_op.add_column(sa.Column("condition", Document, nullable=True))

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("hold", sa.SmallInteger(), nullable=True))
        batch_op.add_column(sa.Column("due_at", Moment, nullable=True))
        batch_op.add_column(sa.Column("outputs", Document, nullable=True))
        batch_op.create_index(
            "ix_run_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_run_agent_id_leased_until",
            ["agent_id", "leased_until"],
            unique=False,
            sqlite_where=sa.text("leased_until IS NOT NULL"),
            postgresql_where=sa.text("leased_until IS NOT NULL"),
        )

    with op.batch_alter_table("runbook_step", schema=None) as batch_op:
        batch_op.add_column(sa.Column("get", Document, nullable=True))
        batch_op.add_column(sa.Column("condition", Document, nullable=True))
        batch_op.add_column(sa.Column("options", Document, nullable=True))

    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.add_column(sa.Column("condition", Document, nullable=True))
        batch_op.add_column(sa.Column("retry", Document, nullable=True))

    with op.batch_alter_table("task_result", schema=None) as batch_op:
        batch_op.add_column(sa.Column("attempts", sa.Integer(), server_default="1", nullable=False))

    with op.batch_alter_table("team", schema=None) as batch_op:
        batch_op.add_column(sa.Column("launch_window", LongText, nullable=True))

    marks = sa.table("revision", sa.column("name", sa.String), sa.column("value", sa.Integer))
    op.bulk_insert(marks, [{"name": "jobs", "value": 0}])
