"""Gone agents, tokens of runs, and by what jobs of Ivanti Endpoint Security are found."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Document, Folded, Key, Moment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_FOLDED = {"folded_name": "name", "folded_created_by": "created_by"}
#: The lists in a stored order whose entries are its targets.
_TARGETS = ("targets", "agents", "groups")


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    if not sa.inspect(op.get_bind()).has_table("gone_agent"):
        _gone_agents()
    _add("token", sa.Column("run_id", Key, nullable=True))
    _add("token", sa.Column("uses_left", sa.Integer(), nullable=True))
    for name in _FOLDED:
        _add("ies_job", sa.Column(name, Folded, server_default="", nullable=False))
    _add("ies_job", sa.Column("targets", sa.Integer(), server_default="0", nullable=False))
    _fill()
    _move_gone_agents()


def _add(table: str, column: sa.Column[Any]) -> None:
    if column.name not in {one["name"] for one in sa.inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)


def _gone_agents() -> None:
    op.create_table(
        "gone_agent",
        sa.Column("agent_id", Key, nullable=False),
        sa.Column("is_replaced", sa.Boolean(), nullable=False),
        sa.Column("told_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_gone_agent")),
    )


def _fill() -> None:
    """Let jobs that were made before be found, too."""
    jobs = sa.table("ies_job", *(sa.column(name) for name in ("number", "name", "created_by", *_FOLDED, "targets")))
    orders = sa.table("ies_job", sa.column("number"), sa.column("document", Document))
    connection = op.get_bind()
    rows = connection.execute(sa.select(jobs.c.number, jobs.c.name, jobs.c.created_by)).all()
    if not rows:
        return
    sizes = {
        number: sum(len(document.get(name) or ()) for name in _TARGETS)
        for number, document in connection.execute(sa.select(orders.c.number, orders.c.document))
    }
    change = sa.update(jobs).where(jobs.c.number == sa.bindparam("key"))
    change = change.values({name: sa.bindparam(f"new_{name}") for name in (*_FOLDED, "targets")})
    values = [
        {
            "key": row.number,
            "new_targets": sizes[row.number],
            **{f"new_{name}": getattr(row, of).casefold() for name, of in _FOLDED.items()},
        }
        for row in rows
    ]
    connection.execute(change, values)


def _move_gone_agents() -> None:
    """An agent that is still to go is no longer noted in the row of its computer, where another one would hide it."""
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    if "gone_agent_id" not in {column["name"] for column in inspector.get_columns("found_computer")}:
        return
    names = ("agent_id", "gone_agent_id")
    computers = sa.table("found_computer", *(sa.column(name, Key) for name in names), sa.column("found_at", Moment))
    gone = sa.table("gone_agent", sa.column("agent_id", Key), sa.column("is_replaced"), sa.column("told_at", Moment))
    known = set(connection.scalars(sa.select(gone.c.agent_id)))
    told = sa.select(computers).where(computers.c.gone_agent_id.is_not(None))
    rows = {
        row.gone_agent_id: {"is_replaced": row.agent_id is not None, "told_at": row.found_at}
        for row in connection.execute(told)
        if row.gone_agent_id not in known
    }
    if rows:
        connection.execute(sa.insert(gone), [{"agent_id": key, **row} for key, row in rows.items()])
    if "ix_found_computer_gone_agent_id" in {index["name"] for index in inspector.get_indexes("found_computer")}:
        op.drop_index("ix_found_computer_gone_agent_id", "found_computer")
    op.drop_column("found_computer", "gone_agent_id")
