"""Conductors: run books as records; names, remarks and discarding are changed in the library itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from exastro_world import a_scope, a_workspace, a_world, changing, registering, updating
from sqlalchemy import select

from dispatcher.core.errors import Forbidden
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.datastore.audit import AUDIT
from dispatcher.services.exastro_ita.columns_of.conductors import conductor_class_list
from dispatcher.services.exastro_ita.conductors import Conductors
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.library.exporting import export

LIBRARY = """
modules:
  - {name: M, parameters: [{name: P, type: password}],
     tasks: [{type: command, name: t, settings: {command: 'echo "$[P]"'}}]}
runbooks:
  - {name: nightly, id: 00000000-0000-4000-8000-0000000000c1, description: every night,
     steps: [{name: s, module: M, who: [{ask: true}], parameters: {P: s3cret}, operation: op-2}]}
  - {name: mine, id: 00000000-0000-4000-8000-0000000000c2, folder: Exastro/org9/ws2/a}
  - {name: theirs, id: 00000000-0000-4000-8000-0000000000c3, folder: exastro/org9/WS3}
  - {name: nightly, id: 00000000-0000-4000-8000-0000000000c4, folder: Exastro/org9/ws2}
"""
NIGHTLY, MINE, THEIRS, OWN = (UUID(int=(0x4 << 76) | (0x8 << 60) | 0xC0 | number) for number in range(1, 5))


@pytest.fixture
def source(datastore: Any, ports: Any, secrets: Any, load_library: Callable[[str], None]) -> Conductors:
    load_library(LIBRARY)
    return Conductors(datastore, ports, secrets)


@pytest.fixture
def workspace(datastore: Any, source: Conductors) -> Workspace:
    a_workspace(datastore, "ws3")
    return a_workspace(datastore)


def seen(datastore: Any, source: Conductors, workspace: Workspace, caller: Caller = SYSTEM) -> dict[UUID, Record]:
    with datastore.read() as session:
        return {record.id: record for record in source.read(a_scope(session, workspace, caller))}


def change(datastore: Any, source: Conductors, workspace: Workspace, action: Action, key: UUID, **values: Any) -> Found:
    """Do it as maintenance does, and return what was wrong."""
    with changing(datastore, workspace, Caller("anna", everything(Right.MODIFY))) as scope:
        before = source.lock(scope, [key])[key]
        return source.write(scope, [Change(0, action, key, values, before)])


def test_a_workspace_sees_what_lies_in_the_folder_of_no_other_one(
    datastore: Any, source: Conductors, workspace: Workspace
) -> None:
    found = seen(datastore, source, workspace)
    assert list(found) == [NIGHTLY, MINE, OWN]
    assert found[NIGHTLY].values == {"conductor_name": "nightly", "remarks": "every night"}
    assert not found[NIGHTLY].is_discarded
    assert seen(datastore, source, workspace, Caller("nobody")) == {}
    with datastore.read() as session:
        scope = a_scope(session, workspace)
        assert source.taken(scope, "conductor_name", ["Nightly", "theirs"]) == {"Nightly": OWN}


def test_names_and_remarks_are_those_of_the_library(datastore: Any, source: Conductors, workspace: Workspace) -> None:
    before = export(datastore)
    assert "operation: op-2" in before
    assert change(datastore, source, workspace, Action.UPDATE, NIGHTLY, conductor_name="noon", remarks=None) == {}
    now = seen(datastore, source, workspace)[NIGHTLY]
    assert (now.values, now.changed_by) == ({"conductor_name": "noon", "remarks": None}, "anna")
    expected = before.replace("    description: every night\n", "").replace(
        "- name: nightly\n    id: 00000000-0000-4000-8000-0000000000c1",
        "- name: noon\n    id: 00000000-0000-4000-8000-0000000000c1",
    )
    assert sorted(export(datastore).splitlines()) == sorted(expected.splitlines())
    with datastore.read() as session:
        [entry] = session.execute(select(AUDIT.c.login, AUDIT.c.new).where(AUDIT.c.action == "runbook.changed"))
    assert entry == ("anna", {"name": "noon", "version": 2, "description": ""})


def test_a_discarded_conductor_is_disabled_and_its_name_is_free(
    datastore: Any, source: Conductors, workspace: Workspace
) -> None:
    change(datastore, source, workspace, Action.UPDATE, OWN, conductor_name="weekly")
    assert change(datastore, source, workspace, Action.DISCARD, OWN) == {}
    assert seen(datastore, source, workspace)[OWN].is_discarded
    assert "enabled: false" in export(datastore)

    change(datastore, source, workspace, Action.UPDATE, OWN, conductor_name="weekly")
    with changing(datastore, workspace) as scope:
        before = source.lock(scope, [MINE, OWN])
        made = {"conductor_name": "weekly"}
        assert source.write(scope, [Change(0, Action.UPDATE, MINE, made, before[MINE])]) == {}
    # Another folder: both can have it in the library, and the discarded one has still its own.
    assert [record.values["conductor_name"] for record in seen(datastore, source, workspace).values()][1:] == [
        "weekly",
        "weekly",
    ]


def test_what_the_library_does_not_take_is_said_of_the_record(
    datastore: Any, source: Conductors, workspace: Workspace
) -> None:
    found = change(datastore, source, workspace, Action.UPDATE, OWN, conductor_name="a\nb")
    assert [message.id for message in found[0]["conductor_name"]] == ["MSG-00009"]
    assert seen(datastore, source, workspace)[OWN].values["conductor_name"] == "nightly"


def test_changes_need_the_right_to(datastore: Any, source: Conductors, workspace: Workspace) -> None:
    with pytest.raises(Forbidden), changing(datastore, workspace, Caller("eve", everything(Right.READ))) as scope:
        before = source.lock(scope, [OWN])[OWN]
        source.write(scope, [Change(0, Action.DISCARD, OWN, {}, before)])
    assert not seen(datastore, source, workspace)[OWN].is_discarded


def test_clients_change_conductors_and_make_none(hall: Any, source: Conductors, workspace: Workspace) -> None:
    world = a_world(hall, workspace, conductor_class_list(source))
    world.change(updating(world.known(NIGHTLY), conductor_name="noon"), updating(world.known(OWN), "Discard"))
    shown = [(one["conductor_name"], one["discard"], one["remarks"]) for one in world.parameters()]
    assert shown == [("noon", "0", "every night"), ("mine", "0", None), ("nightly", "1", None)]
    assert "setting" not in world.parameters()[0]
    for refused in (registering(conductor_name="new"), updating(world.known(MINE), "Delete")):
        assert world.faults(refused)[0][NO_COLUMN][0].id == "401-00002"
    twice = updating(world.known(MINE), conductor_name="noon")
    assert world.faults(twice)[0]["conductor_name"] == [Message("MSG-00025", (str(NIGHTLY), "noon"))]
