"""Playbooks and conductors of Exastro ITA, and the values of their runs, on every database."""

from __future__ import annotations

import base64
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
from dispatcher.datastore.modules import Module
from dispatcher.services.exastro_ita.columns_of.conductors import conductor_class_list
from dispatcher.services.exastro_ita.columns_of.playbooks import playbook_files
from dispatcher.services.exastro_ita.conductors import Conductors
from dispatcher.services.exastro_ita.messages import InvalidRecords
from dispatcher.services.exastro_ita.playbooks import Playbooks
from dispatcher.services.exastro_ita.run_values import inputs_of
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets

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
