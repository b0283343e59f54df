"""Playbooks and conductors of Exastro ITA, and the values of their runs, on every database."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from exastro_world import (
    World,
    a_record,
    a_sheet,
    a_workspace,
    a_world,
    an_operation,
    hosts_of,
    registering,
    updating,
)
from job_world import lease
from sqlalchemy import func, select

from dispatcher.core.jobs import JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import ItaWorkspace
from dispatcher.datastore.modules import Module
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.columns_of.conductors import conductor_class_list
from dispatcher.services.exastro_ita.columns_of.playbooks import playbook_files
from dispatcher.services.exastro_ita.conductors import Conductors
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError
from dispatcher.services.exastro_ita.playbooks import Playbooks
from dispatcher.services.exastro_ita.run_values import inputs_of
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets

PLAYBOOKS = "playbook_files"
TEXT = "- hosts: localhost # Ä \N{PARTY POPPER}\n".encode()


@pytest.fixture
def world(hall: Hall, secrets: Secrets) -> World:
    library = (hall.datastore, hall.ports, secrets)
    menus = (playbook_files(Playbooks(*library)), conductor_class_list(Conductors(*library)))
    return a_world(hall, a_workspace(hall.datastore), *menus)


def uploading(name: str) -> dict[str, Any]:
    parameter = registering(playbook_name=name, playbook_file="site.yml")
    return parameter | {"file": {"playbook_file": base64.b64encode(TEXT).decode()}}


def test_a_playbook_lives(world: World, load_library: Callable[[str], None]) -> None:
    [key] = world.change(uploading("deploy")).ids
    world.change(updating(world.known(key), "Discard"))
    [second] = world.change(uploading("deploy")).ids
    first, found = world.find()
    assert (first["parameter"]["playbook_name"], found["parameter"]["item_no"]) == ("deploy", str(second))
    assert base64.b64decode(found["file"]["playbook_file"]) == TEXT
    load_library(f"runbooks: [{{name: b, folder: x, steps: [{{name: s, module: {second}, who: [{{ask: true}}]}}]}}]")
    assert "playbook_name" in world.faults(updating(world.known(second), "Delete"))[0]
    world.change(updating(world.known(key), "Delete"))
    [book] = world.find(menu="conductor_class_list")
    known = world.known(book["parameter"]["conductor_class_id"], menu="conductor_class_list")
    world.change(updating(known, conductor_name="c"), menu="conductor_class_list")
    assert [one["conductor_name"] for one in world.parameters(menu="conductor_class_list")] == ["c"]


def test_of_those_who_want_a_name_at_once_one_gets_it(world: World, hall: Hall) -> None:
    def register(_: int) -> list[str]:
        try:
            world.change(uploading("deploy"))
        except InvalidRecords as error:
            return list(error.faults[0])
        return []

    with ThreadPoolExecutor(4) as pool:
        wrong = sorted(pool.map(register, range(4)))
    assert wrong == [[], *[["playbook_name"]] * 3]
    with hall.datastore.read() as session:
        assert session.scalar(select(func.count()).select_from(Module)) == 1


def test_runs_have_the_values_of_their_hosts(world: World, hall: Hall, secrets: Secrets) -> None:
    datastore, workspace = hall.datastore, world.workspace
    build_exastro_ita(hall)
    a_sheet(datastore, "sheet_b", [{"name": "size", "kind": "integer"}, {"name": "key", "kind": "password"}])
    operation, hosts = an_operation(datastore, workspace), hosts_of(datastore, workspace)
    group = a_record(datastore, workspace, "hostgroup_management", hostgroup_name="web")
    link = {"hostgroup_name": str(group), "hostname": str(hosts["h2"])}
    a_record(datastore, workspace, "host_link_list", **link)
    for who, values in ((hosts["h1"], {"size": 5, "key": secrets.seal("s3cret")}), (group, {"size": 7})):
        row = {"host_name": str(who), "operation_name_select": str(operation), **values}
        a_record(datastore, workspace, "sheet_b", **row)
    [playbook] = world.change(uploading("deploy")).ids
    submit(hall, playbook, operation, list(hosts.values()))
    [first], [second] = (lease(hall, hosts[name], 9) for name in ("h1", "h2"))
    assert {one.name: one.value for one in first.inputs} == {
        "host_name": "h1",
        "operation_name_select": "2031/06/01 02:00_op-1",
        "size": 5,
        "key": "s3cret",
    }
    assert {one.name: one.value for one in second.inputs}["size"] == 7


def submit(hall: Hall, playbook: UUID, operation: UUID, hosts: list[UUID]) -> None:
    request = JobRequest(
        what=[WhatChoice(playbook, WhatKind.MODULE)],
        who=[WhoChoice([host], WhoKind.AGENT) for host in hosts],
        when=When(),
        options={"inputs": inputs_of(operation)},
    )
    hall.scheduling.submit(request, SYSTEM)


@pytest.mark.parametrize("is_apply", [False, True])
def test_whoever_changes_playbooks_waits_for_an_import_before_the_workspace_is_locked(
    datastore: Datastore, hall: Hall, is_apply: bool
) -> None:
    """An import locks workspaces when it has the library: it must not find them locked by who waits for that."""
    ita, workspace = build_exastro_ita(hall), a_workspace(datastore)
    told: list[str] = []

    def change() -> None:
        if not is_apply:
            told.extend(
                action.value for action in ita.maintenance.change(workspace, PLAYBOOKS, [record], SYSTEM).counts
            )
            return
        with pytest.raises(ItaError) as refused:  # when all records were changed
            order = {"conductor_class_name": "none", "parameter_info": [{PLAYBOOKS: [record]}]}
            ita.apply.apply(workspace, order, SYSTEM)
        told.append(refused.value.result)

    record, thread = uploading("deploy"), threading.Thread(target=change)
    with datastore.begin() as session:
        session.execute(select(Revision.value).where(Revision.name == revisions.LIBRARY).with_for_update())
        thread.start()
        thread.join(0.3)
        before = [*told]
        free = session.scalars(select(ItaWorkspace.id).with_for_update(key_share=True, skip_locked=True)).all()
    thread.join(10)
    assert (before, free) == ([], [workspace.id])
    assert told == (["499-00804"] if is_apply else ["Register"])
