"""Exastro IT Automation: workspaces, menus, records and runs."""

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Digest, Document, Key, LongText, Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ita_role_menu", "workspace_id", "menu"),
    ("ita_record", "workspace_id", "menu", "number"),
    ("ita_record", "operation_id", "agent_id"),
    ("ita_unique", "record_id"),
    ("ita_file", "sha256"),
    ("ita_journal", "record_id", "at"),
    ("ita_journal", "at"),
    ("ita_answer", "created_at"),
    ("ita_detail", "object_id"),
    ("ita_run", "workspace_id", "number"),
    ("ita_run", "operation_id"),
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


def _workspaces() -> None:
    op.create_table(
        "ita_workspace",
        sa.Column("id", Key, nullable=False),
        sa.Column("organization", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("team_id", Key, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_ita_workspace_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ita_workspace")),
        sa.UniqueConstraint("organization", "name", name=op.f("uq_ita_workspace_organization_name")),
    )


def _menus() -> None:
    op.create_table(
        "ita_menu",
        sa.Column("id", Key, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("definition", Document, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ita_menu")),
        sa.UniqueConstraint("name", name=op.f("uq_ita_menu_name")),
    )


def _role_menus() -> None:
    op.create_table(
        "ita_role_menu",
        sa.Column("id", Key, nullable=False),
        sa.Column("workspace_id", Key, nullable=False),
        sa.Column("role_id", Key, nullable=False),
        sa.Column("menu", sa.String(length=255), nullable=False),
        sa.Column("privilege", sa.Integer(), nullable=False),
        sa.Column("remarks", LongText, nullable=True),
        sa.Column("is_discarded", sa.Boolean(), nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_ita_role_menu_role_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["ita_workspace.id"], name=op.f("fk_ita_role_menu_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ita_role_menu")),
    )


def _records() -> None:
    op.create_table(
        "ita_record",
        sa.Column("id", Key, nullable=False),
        sa.Column("workspace_id", Key, nullable=False),
        sa.Column("menu", sa.String(length=255), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("values", Document, nullable=False),
        sa.Column("is_discarded", sa.Boolean(), nullable=False),
        sa.Column("operation_id", Key, nullable=True),
        sa.Column("agent_id", Key, nullable=True),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("updated_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["ita_workspace.id"], name=op.f("fk_ita_record_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ita_record")),
    )


def _uniques() -> None:
    op.create_table(
        "ita_unique",
        sa.Column("workspace_id", Key, nullable=False),
        sa.Column("menu", sa.String(length=255), nullable=False),
        sa.Column("column", sa.String(length=255), nullable=False),
        sa.Column("digest", Digest, nullable=False),
        sa.Column("record_id", Key, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["ita_workspace.id"], name=op.f("fk_ita_unique_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "menu", "column", "digest", name=op.f("pk_ita_unique")),
    )


def _files() -> None:
    op.create_table(
        "ita_file",
        sa.Column("record_id", Key, nullable=False),
        sa.Column("column", sa.String(length=255), nullable=False),
        sa.Column("sha256", Digest, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "column", name=op.f("pk_ita_file")),
    )


def _journal() -> None:
    op.create_table(
        "ita_journal",
        sa.Column("id", Key, nullable=False),
        sa.Column("workspace_id", Key, nullable=False),
        sa.Column("menu", sa.String(length=255), nullable=False),
        sa.Column("record_id", Key, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("values", Document, nullable=False),
        sa.Column("is_discarded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["ita_workspace.id"], name=op.f("fk_ita_journal_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ita_journal")),
    )


def _answers() -> None:
    op.create_table(
        "ita_answer",
        sa.Column("id", Key, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ita_answer")),
    )


def _details() -> None:
    op.create_table(
        "ita_detail",
        sa.Column("workspace_id", Key, nullable=False),
        sa.Column("object_id", Key, nullable=False),
        sa.Column("menu", sa.String(length=255), nullable=False),
        sa.Column("values", Document, nullable=False),
        sa.Column("is_discarded", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["ita_workspace.id"], name=op.f("fk_ita_detail_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "object_id", name=op.f("pk_ita_detail")),
    )


def _runs() -> None:
    op.create_table(
        "ita_run",
        sa.Column("job_id", Key, nullable=False),
        sa.Column("workspace_id", Key, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("operation_id", Key, nullable=True),
        sa.Column("operation_name", sa.String(length=255), nullable=False),
        sa.Column("conductor_id", Key, nullable=False),
        sa.Column("conductor_name", sa.String(length=255), nullable=False),
        sa.Column("regular_id", Key, nullable=True),
        sa.Column("booked_for", Moment, nullable=True),
        sa.Column("details", Document, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_ita_run_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_ita_run")),
    )


_TABLES = {
    "ita_workspace": _workspaces,
    "ita_menu": _menus,
    "ita_role_menu": _role_menus,
    "ita_record": _records,
    "ita_unique": _uniques,
    "ita_file": _files,
    "ita_journal": _journal,
    "ita_answer": _answers,
    "ita_detail": _details,
    "ita_run": _runs,
}
