"""What finds the jobs that have waited too long, or could be woken for, however many wait."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from dispatcher.datastore.base import Document, Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_WAKES = "use_wake_on_lan"
_ACTIVE, _ABORTING = 1, 2
#: The states of jobs that have begun and not ended.
_OPEN = (_ACTIVE, _ABORTING)
_JOBS = sa.table(
    "job",
    *(sa.column(name) for name in ("number", "state")),
    *(sa.column(name, Moment) for name in ("started_at", "fetch_by", "ends_by")),
    sa.column("options", Document),
)
#: How many jobs are changed by one statement.
_BATCH = 1_000


def upgrade() -> None:
    """Apply; on MariaDB, which commits every change of a table, also what is left of an upgrade that was cut off."""
    inspector = sa.inspect(op.get_bind())
    if "fetch_by" not in {column["name"] for column in inspector.get_columns("job")}:
        op.add_column("job", sa.Column("fetch_by", Moment, nullable=True))
    _fill()
    # Of those that ended as soon as they had begun it was kept.
    op.execute(_JOBS.update().where(_JOBS.c.ends_by.is_not(None), _JOBS.c.state.not_in(_OPEN)).values(ends_by=None))
    there = {index["name"] for index in inspector.get_indexes("job")}
    if "ix_job_fetch_by" not in there:
        present = sa.text("fetch_by IS NOT NULL")
        op.create_index("ix_job_fetch_by", "job", ["fetch_by"], sqlite_where=present, postgresql_where=present)
    name = f"ix_job_{_WAKES}_state"
    if name not in there:
        where = sa.text(f"{_WAKES} = 1")
        op.create_index(name, "job", [_WAKES, "state"], sqlite_where=where, postgresql_where=sa.text(_WAKES))


def _fill() -> None:
    """Let the launch timeouts of the jobs that are active end, too."""
    jobs, connection = _JOBS.c, op.get_bind()
    query = sa.select(jobs.number, jobs.started_at, jobs.options).where(
        jobs.state == _ACTIVE, jobs.started_at.is_not(None), jobs.options.is_not(None)
    )
    change = sa.update(_JOBS).where(jobs.number == sa.bindparam("key")).values(fetch_by=sa.bindparam("moment"))
    number = -1
    while rows := connection.execute(query.where(jobs.number > number).order_by(jobs.number).limit(_BATCH)).all():
        number = rows[-1].number
        values: list[dict[str, Any]] = [
            {"key": row.number, "moment": row.started_at + timedelta(seconds=row.options["launch_timeout_s"])}
            for row in rows
            if "launch_timeout_s" in row.options
        ]
        if values:
            connection.execute(change, values)
