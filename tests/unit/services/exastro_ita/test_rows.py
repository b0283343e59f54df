"""Rows: what is written of records, beside their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_world import NOW, a_record, a_scope, a_workspace, an_operation, changing
from sqlalchemy import select

from dispatcher.datastore.exastro_ita import ITA_RECORDS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.records import Action, Change, Record
from dispatcher.services.exastro_ita.rows import HOST, OPERATION, Rows
from dispatcher.services.exastro_ita.workspaces import Workspace

ROWS = Rows("sheet_a")


@pytest.fixture
def workspace(datastore: Datastore) -> Workspace:
    return a_workspace(datastore)


def a_change(action: Action, before: Record | UUID, unique: Mapping[str, str] | None = None, **values: Any) -> Change:
    """Return a change of the record *before*, or of a new one with this id."""
    record = before if isinstance(before, Record) else None
    key = before.id if isinstance(before, Record) else before
    return Change(0, action, key, values, record, unique=unique or {})


def write(datastore: Datastore, workspace: Workspace, *changes: Change) -> None:
    with changing(datastore, workspace) as scope:
        assert ROWS.write(scope, changes) == {}


def read(datastore: Datastore, workspace: Workspace) -> list[Record]:
    with datastore.read() as session:
        return list(ROWS.read(a_scope(session, workspace)))


def taken(datastore: Datastore, workspace: Workspace, *values: str) -> Mapping[str, UUID]:
    with datastore.read() as session:
        return ROWS.taken(a_scope(session, workspace), "name", values)


def test_records_stand_in_the_order_in_which_they_came(datastore: Datastore, workspace: Workspace) -> None:
    a_record(datastore, workspace, "other", name="x")
    keys = [uuid4() for _ in range(5)]
    for some in (keys[:2], keys[2:]):
        write(datastore, workspace, *[a_change(Action.REGISTER, key) for key in some])
    assert [record.id for record in read(datastore, workspace)] == keys
    assert read(datastore, a_workspace(datastore, "ws3", hosts=())) == []
    with datastore.read() as session:
        mine = ITA_RECORDS.c.menu == "sheet_a"
        assert session.scalars(select(ITA_RECORDS.c.number).where(mine).order_by(ITA_RECORDS.c.number)).all() == [
            1,
            2,
            3,
            4,
            5,
        ]


def test_several_changes_of_a_record_end_as_the_last(datastore: Datastore, workspace: Workspace) -> None:
    key, brief = uuid4(), uuid4()
    new = a_change(Action.REGISTER, key, {"name": "a"}, name="a", size=1)
    first = Record(key, new.after, False, NOW, "x")
    write(datastore, workspace, new, a_change(Action.UPDATE, first, {"name": "b"}, name="b"))
    [record] = read(datastore, workspace)
    assert (record.values, record.changed_at, record.changed_by) == ({"name": "b", "size": 1}, NOW, "system")
    assert taken(datastore, workspace, "a", "b", "c") == {"b": key}
    gone = a_change(Action.REGISTER, brief, {"name": "c"}, name="c")
    write(
        datastore,
        workspace,
        a_change(Action.DISCARD, record),
        gone,
        a_change(Action.DELETE, Record(brief, gone.after, False, NOW, "x")),
    )
    [record] = read(datastore, workspace)
    assert (record.id, record.is_discarded, record.values["name"]) == (key, True, "b")
    assert taken(datastore, workspace, "b", "c") == {}


def test_only_live_records_have_their_unique_values(datastore: Datastore, workspace: Workspace) -> None:
    key = uuid4()
    write(datastore, workspace, a_change(Action.REGISTER, key, {"name": "a"}, name="a"))
    [record] = read(datastore, workspace)
    write(datastore, workspace, a_change(Action.DISCARD, record, {"name": "a"}))
    assert taken(datastore, workspace, "a") == {}
    [record] = read(datastore, workspace)
    write(datastore, workspace, a_change(Action.UPDATE, record, {"name": "a"}, size=2))
    assert taken(datastore, workspace, "a") == {}
    write(datastore, workspace, a_change(Action.RESTORE, record, {"name": "a"}))
    assert taken(datastore, workspace, "a") == {"a": key}


def test_what_runs_look_for_stands_beside_the_values(datastore: Datastore, workspace: Workspace) -> None:
    operation, host = an_operation(datastore, workspace), uuid4()
    keys = [uuid4() for _ in range(3)]
    sheet = {OPERATION: str(operation), HOST: str(host)}
    changes = [a_change(Action.REGISTER, keys[0], **sheet), a_change(Action.REGISTER, keys[1], **{HOST: "h1"})]
    write(datastore, workspace, *changes, a_change(Action.REGISTER, keys[2]))
    with datastore.read() as session:
        query = select(ITA_RECORDS.c.id, ITA_RECORDS.c.operation_id, ITA_RECORDS.c.agent_id)
        found = {key: (one, other) for key, one, other in session.execute(query)}
    assert [found[key] for key in keys] == [(operation, host), (None, None), (None, None)]


def test_only_records_of_the_menu_and_the_workspace_are_locked(datastore: Datastore, workspace: Workspace) -> None:
    mine = a_record(datastore, workspace, "sheet_a", name="a")
    other = a_record(datastore, workspace, "sheet_b", name="a")
    strange = a_record(datastore, a_workspace(datastore, "ws3", hosts=()), "sheet_a", name="a")
    with changing(datastore, workspace) as scope:
        assert list(ROWS.lock(scope, [mine, other, strange, mine])) == [mine]
        assert ROWS.lock(scope, []) == {}
