"""Devices: made, changed and taken out of the team by few statements, and once only, on every database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_world import NOW, a_scope, a_workspace, changing
from sqlalchemy import select
from statements import statements

from dispatcher.core.attempts import again
from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.exastro_ita import ItaDetail, ItaFile, ItaJournal
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.device_changes import DeviceChanges
from dispatcher.services.exastro_ita.devices import Devices
from dispatcher.services.exastro_ita.hosts import HostNames, Hosts
from dispatcher.services.exastro_ita.records import Action, Change, Record, Scope
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall


@pytest.fixture
def devices(hall: Hall) -> Devices:
    return Devices(Hosts(hall.topology), DeviceChanges(hall.memberships, hall.removals))


@pytest.fixture
def workspace(datastore: Datastore) -> Workspace:
    return a_workspace(datastore, hosts=())


def new(*names: str, **values: Any) -> list[Change]:
    """Return what registers devices."""
    return [Change(place, Action.REGISTER, uuid4(), {"host_name": name, **values}) for place, name in enumerate(names)]


def read(datastore: Datastore, devices: Devices, workspace: Workspace) -> dict[str, Record]:
    with datastore.read() as session:
        return {one.values["host_name"]: one for one in devices.read(a_scope(session, workspace))}


def each(scope: Scope, devices: Devices, action: Action, ids: list[UUID], **values: Any) -> list[Change]:
    """Return what does one thing with devices that are there."""
    before = devices.lock(scope, ids)
    return [Change(place, action, key, values, before[key]) for place, key in enumerate(ids)]


def test_names_are_told_apart_as_they_are_written(
    datastore: Datastore, devices: Devices, workspace: Workspace, hall: Hall
) -> None:
    """Whatever the database thinks of case, accents and length."""
    names = ["web", "Web", "wéb", "x" * 255, "x" * 254 + "y"]
    with changing(datastore, workspace) as scope:
        assert devices.write(scope, new(*names)) == {}
    ids = {name: one.id for name, one in read(datastore, devices, workspace).items()}
    assert sorted(ids) == sorted(names)
    with changing(datastore, workspace) as scope:
        assert devices.taken(scope, "host_name", [*names, "WEB", "x" * 253]) == ids
        lister = HostNames(Hosts(hall.topology))
        assert [list(lister.find(scope, name)) for name in [*names, "WEB"]] == [
            *([str(ids[name])] for name in names),
            [],
        ]


def test_many_cost_as_many_statements_as_few(datastore: Datastore, devices: Devices, workspace: Workspace) -> None:
    """Registered, updated, discarded and deleted; a detail that is there is changed, one that is not is made."""

    def life(names: list[str]) -> list[int]:
        counts = []
        with statements(datastore) as sent:
            with changing(datastore, workspace) as scope:
                changes = new(*names, lang="1")
                devices.taken(scope, "host_name", names)
                assert devices.write(scope, changes) == {}
            counts.append(len(sent))
            ids = [change.id for change in changes]
            for action, values in (
                (Action.UPDATE, {"ip_address": "10.0.0.1", "lang": "2"}),
                (Action.DISCARD, {}),
                (Action.DELETE, {}),
            ):
                with changing(datastore, workspace) as scope:
                    assert devices.write(scope, each(scope, devices, action, ids, **values)) == {}
                counts.append(len(sent))
                if action is Action.DISCARD:
                    found = read(datastore, devices, workspace)
                    told = {(one.is_discarded, one.values["lang"], one.values["ip_address"]) for one in found.values()}
                    assert told == {(True, "2", "10.0.0.1")}
        return counts

    few, many = life(["a", "b"]), life([f"h{number}" for number in range(300)])
    assert many[-1] <= few[-1] + 4
    assert read(datastore, devices, workspace) == {}
    with datastore.read() as session:
        assert session.scalars(select(AGENTS.c.name).where(AGENTS.c.removed_at.is_(None))).all() == []


def test_of_two_that_register_a_name_at_once_one_sees_the_other(
    datastore: Datastore, ports: Ports, hall: Hall, devices: Devices, workspace: Workspace
) -> None:
    """Even of workspaces that have the same team."""
    entered, saw = threading.Event(), []

    def second() -> None:
        entered.wait(10)

        def work() -> None:
            with changing(datastore, twin) as scope:
                saw.append(devices.taken(scope, "host_name", ["web"]))

        again(work)

    twin = Workspace(uuid4(), "org9", "ws3", workspace.team_id)
    thread = threading.Thread(target=second)
    thread.start()
    (change,) = new("web")
    with changing(datastore, workspace) as scope:
        assert devices.taken(scope, "host_name", ["web"]) == {}
        entered.set()
        thread.join(0.3)
        assert saw == []  # it waits
        assert devices.write(scope, [change]) == {}
    thread.join(10)
    assert saw[-1] == {"web": change.id}


def test_a_device_that_is_locked_is_as_the_one_before_left_it(
    datastore: Datastore, clock: Any, devices: Devices, workspace: Workspace
) -> None:
    (change,) = new("web")
    with changing(datastore, workspace) as scope:
        devices.write(scope, [change])
    clock.turn(timedelta(minutes=1))
    began, seen = threading.Event(), []

    def second() -> None:
        began.wait(10)

        def work() -> None:
            with changing(datastore, workspace) as scope:
                seen.append(devices.lock(scope, [change.id])[change.id].values["host_name"])

        again(work)

    thread = threading.Thread(target=second)
    thread.start()
    with datastore.begin() as session:
        scope = Scope(session, workspace, SYSTEM, clock())
        changes = each(scope, devices, Action.UPDATE, [change.id], host_name="www")
        began.set()
        thread.join(0.3)
        devices.write(scope, changes)
    thread.join(10)
    assert seen[-1] == "www"


def test_only_agents_that_nobody_needs_are_removed(
    datastore: Datastore,
    hall: Hall,
    devices: Devices,
    workspace: Workspace,
    enrol: Callable[..., UUID],
    load_library: Callable[[str], None],
) -> None:
    """Not one that enrolled, that works for others, that has a credential set, or that another workspace knows."""
    names = ["gone", "enrolled", "gateway", "with account"]
    with changing(datastore, workspace) as scope:
        devices.write(scope, new(*names))
    enrol("enrolled")
    load_library(
        "agents: [{name: printer, gateway: gateway}]\n"
        "credential_sets: [{name: root, user: root, password: x, agents: [with account]}]"
    )
    ids = [one.id for one in read(datastore, devices, workspace).values()]
    with changing(datastore, workspace) as scope:
        devices.write(scope, each(scope, devices, Action.DELETE, ids))
    assert read(datastore, devices, workspace) == {}
    known = [one.name for one in hall.topology.who(True, False, False, False, "", SYSTEM)]
    assert sorted(known) == ["enrolled", "gateway", "printer", "with account"]


def test_nothing_is_left_of_a_device_whose_agent_is_removed(
    datastore: Datastore, hall: Hall, devices: Devices, workspace: Workspace
) -> None:
    """Nor of what it was, or of its keys, which another workspace of the team has others of until then."""
    key, file = uuid4(), {"name": "id_rsa", "sha256": "ab" * 32, "size": 3}
    with changing(datastore, workspace) as scope:
        devices.write(scope, [Change(0, Action.REGISTER, key, {"host_name": "web", "ssh_private_key_file": file})])
    twin = a_workspace(datastore, "ws3", hosts=())
    with changing(datastore, Workspace(twin.id, "org9", "ws3", workspace.team_id)) as scope:
        other = {"ssh_private_key_file": {**file, "sha256": "cd" * 32}}
        devices.write(scope, each(scope, devices, Action.UPDATE, [key], **other))
    with datastore.read() as session:
        assert sorted(session.scalars(select(ItaFile.sha256))) == [bytes.fromhex("ab" * 32), bytes.fromhex("cd" * 32)]
    with datastore.begin() as session:
        place = {"workspace_id": twin.id, "menu": "device_list", "record_id": key, "at": NOW, "by": "x"}
        entry = ItaJournal(id=uuid4(), action="Update", values={"login_user": "root"}, is_discarded=False, **place)
        session.add_all([entry, ItaFile(record_id=entry.id, column="ssh_private_key_file", sha256=b"x" * 32)])
    hall.removals.remove(WhoChoice([key], WhoKind.AGENT), False, SYSTEM)
    with datastore.read() as session:
        assert session.scalars(select(ItaFile.sha256)).all() == session.scalars(select(ItaDetail.values)).all() == []
        assert session.scalars(select(ItaJournal.values)).all() == []
