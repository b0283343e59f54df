"""The first schema, with the built-in roles and the revision counters."""

from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from dispatcher.core.permissions import BUILT_IN_ROLES, Node
from dispatcher.datastore.base import (
    Digest,
    Document,
    Key,
    LongBinary,
    LongText,
    Moment,
)
from dispatcher.datastore.revisions import NAMES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "alias",
        sa.Column("dialect", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("object_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("dialect", "kind", "external_id", name=op.f("pk_alias")),
    )
    with op.batch_alter_table("alias", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alias_object_id"), ["object_id"], unique=False)

    op.create_table(
        "definition",
        sa.Column("id", Key, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("object_id", Key, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definition")),
        sa.UniqueConstraint("kind", "object_id", "version", name=op.f("uq_definition_kind_object_id_version")),
    )
    op.create_table(
        "folder",
        sa.Column("id", Key, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("path", sa.String(length=700), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folder")),
        sa.UniqueConstraint("kind", "path", name=op.f("uq_folder_kind_path")),
    )
    op.create_table(
        "job",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("parent_id", Key, nullable=True),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("description", LongText, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("reason", LongText, nullable=False),
        sa.Column("is_runbook", sa.Boolean(), nullable=False),
        sa.Column("what", Document, nullable=False),
        sa.Column("who", Document, nullable=False),
        sa.Column("parameters", Document, nullable=False),
        sa.Column("invoker", sa.SmallInteger(), nullable=False),
        sa.Column("invoker_info", sa.String(length=255), nullable=False),
        sa.Column("immediate", sa.Boolean(), nullable=False),
        sa.Column("starts_at", Moment, nullable=False),
        sa.Column("is_local_time", sa.Boolean(), nullable=False),
        sa.Column("use_wake_on_lan", sa.Boolean(), nullable=False),
        sa.Column("in_parallel", sa.Boolean(), nullable=False),
        sa.Column("outside_launch_window", sa.String(length=100), nullable=True),
        sa.Column("tags", LongText, nullable=True),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("started_at", Moment, nullable=True),
        sa.Column("stopped_at", Moment, nullable=True),
        sa.Column("sorted_at", Moment, nullable=False),
        sa.Column("open_runs", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["job.id"], name=op.f("fk_job_parent_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_job")),
        sa.UniqueConstraint("id", name=op.f("uq_job_id")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "ix_job_parent_id_step",
            ["parent_id", "step"],
            unique=False,
            sqlite_where=sa.text("parent_id IS NOT NULL"),
            postgresql_where=sa.text("parent_id IS NOT NULL"),
        )
        batch_op.create_index("ix_job_sorted_at_id", ["sorted_at", "id"], unique=False)
        batch_op.create_index("ix_job_state_starts_at", ["state", "starts_at"], unique=False)

    op.create_table(
        "login",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("name_key", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("password_hash", LongText, nullable=True),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("first_login_pending", sa.Boolean(), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
        sa.UniqueConstraint("name_key", name=op.f("uq_login_name_key")),
    )
    op.create_table(
        "parameter",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("owner_kind", sa.SmallInteger(), nullable=False),
        sa.Column("owner_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("value1", LongText, nullable=False),
        sa.Column("value2", LongText, nullable=False),
        sa.Column("value3", LongText, nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("hint", LongText, nullable=False),
        sa.Column("is_input", sa.Boolean(), nullable=False),
        sa.Column("is_output", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_parameter")),
        sa.UniqueConstraint("id", name=op.f("uq_parameter_id")),
        sa.UniqueConstraint(
            "owner_kind", "owner_id", "position", name=op.f("uq_parameter_owner_kind_owner_id_position")
        ),
    )
    op.create_table(
        "revision",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_revision")),
    )
    op.create_table(
        "role",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
        sa.UniqueConstraint("name", name=op.f("uq_role_name")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("dispatcher", sa.String(length=255), nullable=False),
        sa.Column("value", LongText, nullable=False),
        sa.PrimaryKeyConstraint("name", "dispatcher", name=op.f("pk_setting")),
    )
    op.create_table(
        "token",
        sa.Column("id", Key, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "hash",
            sa.LargeBinary(length=32)
            .with_variant(sa.BINARY(length=32), "mariadb")
            .with_variant(sa.BINARY(length=32), "mysql"),
            nullable=False,
        ),
        sa.Column("once", sa.Boolean(), nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("used_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_table(
        "grant",
        sa.Column("role_id", Key, nullable=False),
        sa.Column("node", sa.String(length=60), nullable=False),
        sa.Column("right", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_grant_role_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("role_id", "node", name=op.f("pk_grant")),
    )
    op.create_table(
        "login_role",
        sa.Column("login_id", Key, nullable=False),
        sa.Column("role_id", Key, nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_login_role_login_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_login_role_role_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("login_id", "role_id", name=op.f("pk_login_role")),
    )
    op.create_table(
        "module",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("folder_id", Key, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("platforms", Document, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_module_folder_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_module")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_module_folder_id_name")),
        sa.UniqueConstraint("id", name=op.f("uq_module_id")),
    )
    op.create_table(
        "project",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("folder_id", Key, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_project_folder_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_project")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_project_folder_id_name")),
        sa.UniqueConstraint("id", name=op.f("uq_project_id")),
    )
    op.create_table(
        "runbook",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("folder_id", Key, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_runbook_folder_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_runbook")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_runbook_folder_id_name")),
        sa.UniqueConstraint("id", name=op.f("uq_runbook_id")),
    )
    op.create_table(
        "team",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("folder_id", Key, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("rule", LongText, nullable=True),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_team_folder_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_team")),
        sa.UniqueConstraint("folder_id", "name", name=op.f("uq_team_folder_id_name")),
        sa.UniqueConstraint("id", name=op.f("uq_team_id")),
    )
    op.create_table(
        "agent",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("last_contact", Moment, nullable=True),
        sa.Column("enrolled_at", Moment, nullable=True),
        sa.Column(
            "secret_hash",
            sa.LargeBinary(length=32)
            .with_variant(sa.BINARY(length=32), "mariadb")
            .with_variant(sa.BINARY(length=32), "mysql"),
            nullable=True,
        ),
        sa.Column("licensed", sa.Boolean(), nullable=False),
        sa.Column("primary_team_id", Key, nullable=True),
        sa.Column("os", sa.String(length=32), nullable=False),
        sa.Column("os_version", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("macs", Document, nullable=False),
        sa.Column("facts", Document, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["primary_team_id"], ["team.id"], name=op.f("fk_agent_primary_team_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_agent")),
        sa.UniqueConstraint("id", name=op.f("uq_agent_id")),
    )
    with op.batch_alter_table("agent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agent_name"), ["name"], unique=False)

    op.create_table(
        "project_module",
        sa.Column("id", Key, nullable=False),
        sa.Column("project_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("module_id", Key, nullable=False),
        sa.Column("parameters", Document, nullable=False),
        sa.ForeignKeyConstraint(["module_id"], ["module.id"], name=op.f("fk_project_module_module_id")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_project_module_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_module")),
        sa.UniqueConstraint("project_id", "position", name=op.f("uq_project_module_project_id_position")),
    )
    with op.batch_alter_table("project_module", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_project_module_module_id"), ["module_id"], unique=False)

    op.create_table(
        "runbook_step",
        sa.Column("id", Key, nullable=False),
        sa.Column("runbook_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("what_kind", sa.SmallInteger(), nullable=False),
        sa.Column("what_id", Key, nullable=False),
        sa.Column("who", Document, nullable=False),
        sa.Column("on_error", sa.String(length=10), nullable=False),
        sa.Column("parameters", Document, nullable=False),
        sa.ForeignKeyConstraint(
            ["runbook_id"], ["runbook.id"], name=op.f("fk_runbook_step_runbook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runbook_step")),
        sa.UniqueConstraint("runbook_id", "position", name=op.f("uq_runbook_step_runbook_id_position")),
    )
    with op.batch_alter_table("runbook_step", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_runbook_step_what_id"), ["what_id"], unique=False)

    op.create_table(
        "task",
        sa.Column("id", Key, nullable=False),
        sa.Column("module_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("settings", Document, nullable=False),
        sa.Column("timeout_s", sa.Float(), nullable=True),
        sa.Column("on_error", sa.String(length=10), nullable=False),
        sa.Column("repeatable", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["module_id"], ["module.id"], name=op.f("fk_task_module_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("module_id", "position", name=op.f("uq_task_module_id_position")),
    )
    op.create_table(
        "run",
        sa.Column("id", Key, nullable=False),
        sa.Column("job_id", Key, nullable=False),
        sa.Column("agent_id", Key, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("reason", LongText, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("leased_until", Moment, nullable=True),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("started_at", Moment, nullable=True),
        sa.Column("stopped_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_run_agent_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_run_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_agent_id_state_id", ["agent_id", "state", "id"], unique=False)
        batch_op.create_index("ix_run_job_id_agent_id", ["job_id", "agent_id"], unique=True)
        batch_op.create_index(
            "ix_run_leased_until",
            ["leased_until"],
            unique=False,
            sqlite_where=sa.text("leased_until IS NOT NULL"),
            postgresql_where=sa.text("leased_until IS NOT NULL"),
        )

    op.create_table(
        "team_member",
        sa.Column("team_id", Key, nullable=False),
        sa.Column("agent_id", Key, nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_team_member_agent_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_member_team_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("team_id", "agent_id", name=op.f("pk_team_member")),
    )
    with op.batch_alter_table("team_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_team_member_agent_id"), ["agent_id"], unique=False)

    op.create_table(
        "output_chunk",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", LongBinary, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_output_chunk_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "position", "offset", name=op.f("pk_output_chunk")),
    )
    op.create_table(
        "task_result",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column("message", LongText, nullable=False),
        sa.Column("killed", Document, nullable=False),
        sa.Column("outputs", Document, nullable=False),
        sa.Column("output_bytes", sa.BigInteger(), nullable=False),
        sa.Column("started_at", Moment, nullable=True),
        sa.Column("stopped_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_task_result_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_task_result")),
    )
    _add_built_in_rows()


#: Fixed, so that every environment knows the built-in roles by the same ids.
ROLE_IDS = {
    "Full Access": UUID("019aa000-0000-7000-8000-000000000001"),
    "Read Only": UUID("019aa000-0000-7000-8000-000000000002"),
}


def _add_built_in_rows() -> None:
    revision = sa.table("revision", sa.column("name", sa.String), sa.column("value", sa.Integer))
    op.bulk_insert(revision, [{"name": name, "value": 0} for name in NAMES])
    role = sa.table(
        "role",
        sa.column("id", Key),
        sa.column("name", sa.String),
        sa.column("built_in", sa.Boolean),
        sa.column("updated_at", Moment),
        sa.column("updated_by", sa.String),
    )
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    op.bulk_insert(
        role,
        [
            {"id": ROLE_IDS[name], "name": name, "built_in": True, "updated_at": moment, "updated_by": "system"}
            for name in BUILT_IN_ROLES
        ],
    )
    grant = sa.table(
        "grant", sa.column("role_id", Key), sa.column("node", sa.String), sa.column("right", sa.SmallInteger)
    )
    op.bulk_insert(
        grant,
        [
            {"role_id": ROLE_IDS[name], "node": node.value, "right": int(right)}
            for name, right in BUILT_IN_ROLES.items()
            for node in Node
        ],
    )
