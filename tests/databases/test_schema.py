"""The schema: made by migrations alone, and the same as the models say."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from database_servers import Server
from sqlalchemy import text

from dispatcher.core.states import State
from dispatcher.datastore import schema
from dispatcher.datastore.base import Key, Moment
from dispatcher.datastore.engines import open_engine, parse_url
from dispatcher.datastore.found_computers import GONE_AGENTS
from dispatcher.datastore.ivanti_endpoint_security import IES_JOBS
from dispatcher.datastore.models import Base
from dispatcher.datastore.transactions import Datastore


@pytest.fixture
def datastore(database_url: str) -> Iterator[Datastore]:
    """Migrated for this test, not copied."""
    opened = Datastore(parse_url(database_url))
    schema.upgrade(opened.engine)
    yield opened
    opened.close()


def test_migrations_make_what_the_models_say(datastore: Datastore) -> None:
    assert schema.differences(datastore.engine) == []


def test_what_other_tests_copy_is_what_migrations_make(datastore: Datastore, server: Server | None) -> None:
    if server is None:
        pytest.skip("of SQLite the file is copied")
    migrated = _shape(datastore), schema.revisions(datastore.engine)
    url = server.create_migrated()
    copied = Datastore(parse_url(url))
    assert (_shape(copied), schema.revisions(copied.engine)) == migrated
    assert schema.differences(copied.engine) == []
    copied.close()
    server.drop(url)


def _shape(datastore: Datastore) -> dict[str, Any]:
    """Return what the database says of each table: columns, keys, indexes and checks, in words of its own."""
    found = sa.inspect(datastore.engine)
    return {
        table: [
            [(one["name"], str(one["type"]), one["nullable"], one["default"]) for one in found.get_columns(table)],
            found.get_pk_constraint(table),
            sorted(map(str, found.get_foreign_keys(table))),
            sorted(map(str, found.get_indexes(table))),
            sorted(map(str, found.get_check_constraints(table))),
        ]
        for table in found.get_table_names()
    }


def test_files_are_called_as_their_revisions(datastore: Datastore) -> None:
    with datastore.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(schema._config(connection))
    assert sorted(script.revision for script in scripts.walk_revisions()) == schema._KNOWN
    assert schema.revisions(datastore.engine) == (scripts.get_current_head(), scripts.get_current_head())


def test_a_current_schema_needs_no_alembic(datastore: Datastore) -> None:
    look = """
import sys
from dispatcher.datastore import schema
from dispatcher.datastore.engines import open_engine, parse_url
before, head = schema.upgrade(open_engine(parse_url(sys.argv[1])))
assert before == head
assert "alembic" not in sys.modules
"""
    url = datastore.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", look, url], check=True, timeout=60)


def test_upgrading_again_changes_nothing(datastore: Datastore) -> None:
    before, after = schema.upgrade(datastore.engine)
    assert before == after


def test_a_schema_from_the_future_is_refused(datastore: Datastore) -> None:
    with datastore.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.SchemaTooNew, match="9999"):
        schema.upgrade(datastore.engine)


def test_starters_at_the_same_time_make_one_schema(database_url: str) -> None:
    starters = 3
    ready = Barrier(starters)

    def start(_: int) -> tuple[str | None, str]:
        engine = open_engine(parse_url(database_url))
        ready.wait(20)
        try:
            return schema.upgrade(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(starters) as pool:
        before, heads = zip(*pool.map(start, range(starters)), strict=True)
    assert sorted(before, key=str) == [heads[0], heads[0], None]


def test_upgrade_keeps_what_is_stored(database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        alembic.command.upgrade(schema._config(connection), "0001")
        connection.commit()
        before = fill(connection)
        connection.commit()

    schema.upgrade(engine)

    assert schema.differences(engine) == []
    with engine.connect() as connection:
        for name, row in before.items():
            table = Base.metadata.tables[name]
            after = connection.execute(sa.select(*(table.c[column] for column in row))).mappings().all()
            assert row in [dict(one) for one in after], name
            connection.execute(sa.select(table)).all()
        job = connection.execute(sa.select(Base.metadata.tables["job"])).one()
    assert (job.is_recurring, job.options, job.outputs) == (False, None, None)
    engine.dispose()


def test_upgrade_that_was_cut_off_between_two_statements_goes_on(database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        alembic.command.upgrade(schema._config(connection), "0002")
        connection.execute(text("ALTER TABLE agent ADD COLUMN console_user VARCHAR(255) DEFAULT '' NOT NULL"))
        connection.commit()
    schema.upgrade(engine)
    assert schema.differences(engine) == []
    engine.dispose()


@pytest.mark.parametrize("cut", [5, 14])
def test_upgrade_that_failed_between_two_changes_goes_on(database_url: str, cut: int) -> None:
    """Of MariaDB, which commits each of them, what was done before stays."""
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        alembic.command.upgrade(schema._config(connection), "0013")
        connection.commit()
    changes = 0

    @sa.event.listens_for(engine, "before_cursor_execute")
    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal changes
        changes += statement.lstrip().upper().startswith("CREATE")
        if changes == cut + 1:
            raise sa.exc.OperationalError(statement, None, Exception("cut off"))

    with pytest.raises(sa.exc.OperationalError):
        schema.upgrade(engine)
    sa.event.remove(engine, "before_cursor_execute", fail)
    schema.upgrade(engine)
    assert schema.differences(engine) == []
    engine.dispose()


def test_orders_are_found_and_agents_go_that_were_noted_before(database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        alembic.command.upgrade(schema._config(connection), "0016")
        connection.commit()
        agent_id = fill(connection)["found_computer"]["agent_id"]
        order = {"agents": ["a", "b"], "groups": [3]}
        connection.execute(sa.update(IES_JOBS).values(name="Ärger", created_by="ANN", document=order))
        connection.execute(text("UPDATE found_computer SET gone_agent_id = agent_id"))
        connection.commit()

    schema.upgrade(engine)

    with engine.connect() as connection:
        columns = (IES_JOBS.c.folded_name, IES_JOBS.c.folded_created_by, IES_JOBS.c.targets)
        assert tuple(connection.execute(sa.select(*columns)).one()) == ("ärger", "ann", 3)
        assert tuple(connection.execute(sa.select(GONE_AGENTS.c.agent_id, GONE_AGENTS.c.is_replaced)).one()) == (
            agent_id,
            True,
        )
    engine.dispose()


@pytest.mark.parametrize("state", [State.ACTIVE, State.SKIPPED])
def test_of_jobs_of_before_those_that_wait_have_times_that_may_be_up(database_url: str, state: State) -> None:
    engine = open_engine(parse_url(database_url))
    jobs, begun = Base.metadata.tables["job"], datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    with engine.connect() as connection:
        alembic.command.upgrade(schema._config(connection), "0017")
        connection.commit()
        fill(connection)
        change = sa.update(jobs).values(started_at=begun, ends_by=begun, options={"launch_timeout_s": 90})
        connection.execute(change.values(state=state))
        connection.commit()

    schema.upgrade(engine)

    with engine.connect() as connection:
        times = connection.execute(sa.select(jobs.c.ends_by, jobs.c.fetch_by)).one()
    waits = state is State.ACTIVE
    assert tuple(times) == ((begun, begun + timedelta(seconds=90)) if waits else (None, None))
    engine.dispose()


def fill(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """Put a row into every table that there is; return the rows by table."""
    inspector, rows = sa.inspect(connection), {}
    for table in Base.metadata.sorted_tables:
        if not inspector.has_table(table.name):
            continue
        there = {column["name"] for column in inspector.get_columns(table.name)}
        # What may be empty is filled too, but for references to the same table.
        columns = [column for column in table.c if column.name in there and not refers_to_itself(column)]
        row = {column.name: value_for(column) for column in columns}
        old = sa.table(table.name, *(sa.column(column.name, column.type) for column in columns))
        connection.execute(sa.insert(old).values(row))
        rows[table.name] = row
    return rows


def refers_to_itself(column: Any) -> bool:
    return any(key.column.table is column.table for key in column.foreign_keys)


def value_for(column: Any) -> Any:
    if isinstance(column.type, Key):
        return UUID("00000000-0000-4000-8000-000000000001")
    if isinstance(column.type, sa.JSON):
        return {"a": ["ä"]}
    if isinstance(column.type, Moment):
        return datetime(2026, 1, 1, tzinfo=UTC)
    kind = column.type.python_type
    return {int: 1, bool: True, float: 0.5, str: "ä", bytes: b"\xff" * 32}[kind]
