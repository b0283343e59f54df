"""Devices: agents of the team, seen and changed through ``device_list``; what other dialects see of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from exastro_world import a_record, a_scope, a_workspace, hosts_of
from job_world import a_request, on
from sqlalchemy import func, select, update

from dispatcher.core.errors import Forbidden
from dispatcher.core.jobs import WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights, everything
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.audit import AUDIT
from dispatcher.datastore.exastro_ita import ITA_DETAILS
from dispatcher.datastore.teams import Team
from dispatcher.services.exastro_ita.device_changes import DeviceChanges
from dispatcher.services.exastro_ita.device_checks import faults_of
from dispatcher.services.exastro_ita.devices import Devices
from dispatcher.services.exastro_ita.hosts import HostNames, Hosts
from dispatcher.services.exastro_ita.messages import InvalidRecords, Message
from dispatcher.services.exastro_ita.records import Action, Change, Record
from dispatcher.services.exastro_ita.suite import build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall
from dispatcher.services.library.exporting import export
from dispatcher.services.memberships import Change as Move
from dispatcher.services.memberships import HeldByRule
from dispatcher.services.opsramp.queries import Query
from dispatcher.services.opsramp.suite import build_opsramp

SEALED = "v1:c2VjcmV0"


class World:
    """A workspace with its devices, in which time goes by between two changes."""

    def __init__(self, hall: Hall, clock: Any) -> None:
        self.hall, self.clock, self.datastore = hall, clock, hall.datastore
        self.hosts = Hosts(hall.topology)
        self.devices = Devices(self.hosts, DeviceChanges(hall.memberships, hall.removals))
        self.workspace = a_workspace(hall.datastore)

    def all(self, caller: Caller = SYSTEM, workspace: Workspace | None = None) -> dict[str, Record]:
        """Return the devices by name."""
        with self.datastore.read() as session:
            found = self.devices.read(a_scope(session, workspace or self.workspace, caller))
        return {one.values["host_name"]: one for one in found}

    def choices(self, caller: Caller = SYSTEM) -> list[str]:
        with self.datastore.read() as session:
            return list(self.hosts.of(a_scope(session, self.workspace, caller)).values())

    def do(self, action: Action, *names: str, caller: Caller = SYSTEM, **values: Any) -> Any:
        """Do one thing with devices that are there, or with new ones; return what was found."""
        self.clock.turn(timedelta(seconds=1))
        known = self.all()
        with self.datastore.begin() as session:
            scope = replace(a_scope(session, self.workspace, caller), now=self.clock())
            changes = []
            for place, name in enumerate(names):
                before = known.get(name) if action is not Action.REGISTER else None
                sent = values if before else {"host_name": name, **values}
                changes.append(Change(place, action, before.id if before else uuid4(), sent, before))
            self.devices.lock(scope, [change.id for change in changes if change.before])
            return self.devices.write(scope, changes)

    def count(self, table: Any, *where: Any) -> int:
        with self.datastore.read() as session:
            return int(session.scalar(select(func.count()).select_from(table).where(*where)) or 0)

    def audited(self, name: str) -> list[tuple[str, Any, Any]]:
        with self.datastore.read() as session:
            rows = session.execute(select(AUDIT).where(AUDIT.c.object_name == name).order_by(AUDIT.c.number))
            return [(row.action, row.old, row.new) for row in rows]


@pytest.fixture
def world(hall: Hall, clock: Any) -> World:
    return World(hall, clock)


def test_agents_of_the_team_are_devices_and_others_are_none(world: World, enrol: Callable[..., UUID]) -> None:
    """One that came from elsewhere has what columns need; its address is shown if the column takes it."""
    a_workspace(world.datastore, "other", hosts=["stranger"])
    known = hosts_of(world.datastore, world.workspace)
    enrol("h1", address="10.1.2.3")  # the entry is taken over
    enrol("h2", address="fe80::1")
    found = world.all()
    assert {name: (one.id, one.values["ip_address"]) for name, one in found.items()} == {
        "h1": (known["h1"], "10.1.2.3"),
        "h2": (known["h2"], None),
    }
    assert (found["h1"].values["connection_type"], found["h1"].changed_by) == ("1", "enrolment")
    for nothing in (None, ""):
        world.do(Action.UPDATE, "h2", ip_address=nothing, remarks="what is not shown is not taken away")
    with world.datastore.read() as session:
        scope = a_scope(session, world.workspace)
        assert [one.id for one in world.devices.read(scope, [known["h2"], uuid4()])] == [known["h2"]]
        assert session.scalar(select(AGENTS.c.address).where(AGENTS.c.id == known["h2"])) == "fe80::1"


def test_a_new_device_is_an_agent_in_every_dialect(world: World, hall: Hall, enrol: Callable[..., UUID]) -> None:
    """Lists have it, the library is exported with it, OpsRamp's tenant has it, and who enrols by its name is it."""
    world.do(Action.REGISTER, "web", ip_address="10.0.0.9", login_password=SEALED, port_no=22)
    key = world.all()["web"].id
    (who,) = hall.topology.who(True, False, False, False, "web", SYSTEM)
    assert who.id == key
    exported = export(world.datastore)
    assert f"- name: web\n    id: {key}\n    address: 10.0.0.9\n    primary_team: ws2\n" in exported
    assert SEALED not in exported
    resources = build_opsramp(hall).resources.all("ws2", Query(), SYSTEM)
    assert [(one.id, one.address, one.has_agent) for one in resources if one.name == "web"] == [
        (key, "10.0.0.9", False)
    ]

    assert enrol("web", address="10.0.0.10") == key
    found = world.all()["web"]
    assert found.id == key
    assert found.values == {
        "host_name": "web",
        "ip_address": "10.0.0.10",
        "connection_type": "1",
        "login_password": SEALED,
        "port_no": 22,
    }


def test_an_agent_that_the_library_puts_into_the_team_is_a_device(
    world: World, load_library: Callable[[str], None]
) -> None:
    load_library("agents: [{name: db, address: 10.0.0.7}]\nteams: [{name: ws2, agents: [h1, db]}]")
    assert {name: one.values["ip_address"] for name, one in world.all().items()} == {"db": "10.0.0.7", "h1": None}


@pytest.mark.parametrize("name", ["\ud800", "h1\udfff", "h1\0"])
def test_no_host_has_a_name_that_cannot_be_stored(world: World, name: str) -> None:
    with world.datastore.read() as session:
        assert HostNames(world.hosts).find(a_scope(session, world.workspace), name) == []
        assert [one.name for one in world.hosts.named(session, world.workspace, [name, "h1"])] == ["h1"]


def test_an_update_changes_the_agent_and_keeps_the_rest(world: World, hall: Hall) -> None:
    """What was not sent stays; the moment of the change is the moment that the next one must name."""
    world.do(Action.REGISTER, "web", ip_address="10.0.0.9", login_user="root")
    marked = hall.datastore.revisions()[revisions.TOPOLOGY]
    assert world.do(Action.UPDATE, "web", host_name="www", ip_address=None, lang="1") == {}
    found = world.all()["www"]
    assert hall.datastore.revisions()[revisions.TOPOLOGY] != marked
    assert (found.values["ip_address"], found.values["login_user"], found.values["lang"]) == (None, "root", "1")
    assert found.changed_at == world.clock()
    with world.datastore.read() as session:
        row = session.execute(select(AGENTS).where(AGENTS.c.id == found.id)).one()
    assert (row.name, row.name_key, row.address) == ("www", "www", "")
    assert world.audited("www") == [
        ("agent.changed", {"address": "10.0.0.9", "name": "web"}, {"address": "", "name": "www"}),
        ("device.changed", {"lang": None}, {"lang": "1", "workspace": "org9/ws2"}),
    ]


def test_what_only_the_menu_knows_is_no_change_of_the_agent(world: World, hall: Hall) -> None:
    """The audit tells that a password is another one, and nothing of it."""
    before, marked = world.all()["h1"], hall.datastore.revisions()[revisions.TOPOLOGY]
    world.do(Action.UPDATE, "h1", host_name="h1", ip_address=None, login_password=SEALED)
    found = world.all()["h1"]
    assert found.changed_at > before.changed_at
    assert hall.datastore.revisions()[revisions.TOPOLOGY] == marked
    (told,) = world.audited("h1")
    assert told[0] == "device.changed"
    assert told[2]["login_password"] == "changed"
    assert SEALED not in str(told)


def test_what_is_discarded_in_a_workspace_is_so_in_that_one_only(world: World) -> None:
    """It is no choice there any more, until it is restored; its agent stays what it was."""
    twin = replace(world.workspace, id=uuid4())
    assert world.do(Action.DISCARD, "h1", remarks="broken") == {}
    found = world.all()["h1"]
    assert (found.is_discarded, found.values["remarks"]) == (True, "broken")
    assert world.choices() == ["h2"]
    assert not world.all(workspace=twin)["h1"].is_discarded
    with world.datastore.read() as session:
        assert world.devices.taken(a_scope(session, world.workspace), "host_name", ["h1", "h2", "h3"]) == {
            "h2": world.all()["h2"].id
        }
    world.do(Action.RESTORE, "h1")
    assert not world.all()["h1"].is_discarded
    assert world.choices() == ["h1", "h2"]


def test_delete_takes_out_of_the_team_and_removes_only_what_nobody_needs(
    world: World, hall: Hall, enrol: Callable[..., UUID], load_library: Callable[[str], None]
) -> None:
    """An agent that has enrolled stays, and one that something else names."""
    world.do(Action.REGISTER, "new", "guest", "named")
    load_library(
        "teams: [{name: others, agents: [guest]}]\nagents: [{name: named, aliases: {symantec_ccs: {asset: x}}}]"
    )
    key = enrol("h1")
    assert world.do(Action.DELETE, "new", "guest", "named", "h1") == {}
    assert list(world.all()) == ["h2"]
    known = [one.name for one in hall.topology.who(True, False, False, False, "", SYSTEM)]
    assert known == ["guest", "h1", "h2", "named"]
    assert world.count(ITA_DETAILS) == 0
    assert [told[0] for told in world.audited("new")] == [
        "agent.created",
        "agent.teams",
        "agent.removed",
    ]
    # It comes back as it is, and nothing of what the workspace knew of it.
    hall.memberships.change(
        WhoChoice([key], WhoKind.AGENT), [Move(WhoChoice([world.workspace.team_id], WhoKind.TEAM), "team")], SYSTEM
    )
    assert list(world.all()) == ["h1", "h2"]


BOOK, SAY = UUID(int=0xB0), UUID(int=0xA0)
STEPS = """
modules: [{{name: Say, id: {say}, tasks: [{{type: command, name: say, settings: {{command: echo}}}}]}}]
runbooks: [{{name: nightly, id: {book}, steps: [{{name: one, module: Say, who: [{{agent: {host}}}]}}]}}]
"""


def test_what_others_work_with_stays_an_agent(
    world: World, hall: Hall, clock: Any, load_library: Callable[[str], None]
) -> None:
    """Whoever has it by a rule, in a record, a run book or a job: it leaves nothing but this team."""
    names = ["by rule", "in record", "in link", "in book", "in open book", "in job", "in no use"]
    world.do(Action.REGISTER, *names)
    ids = {name: one.id for name, one in world.all().items()}
    load_library("teams: [{name: other, rule: 'name == \"by rule\"'}]")
    other = a_workspace(world.datastore, "ws3", hosts=[])
    a_record(world.datastore, other, "sheet_a", host_name=str(ids["in record"]), is_discarded=True)
    a_record(world.datastore, other, "host_link_list", hostname=str(ids["in link"]))
    later = When(immediate=False, starts_at=clock() + timedelta(days=1))
    load_library(STEPS.format(say=SAY, book=BOOK, host="in open book"))
    hall.scheduling.submit(a_request(BOOK, WhatKind.RUNBOOK, when=later), SYSTEM)
    load_library(STEPS.format(say=SAY, book=BOOK, host="in book"))
    job = hall.scheduling.submit(a_request(SAY, who=on(ids["in job"]), when=later), SYSTEM)

    assert world.do(Action.DELETE, *names) == {}
    assert list(world.all()) == ["h1", "h2"]

    def known() -> list[str]:
        return sorted(one.name for one in hall.topology.who(True, False, False, False, "in *", SYSTEM))

    assert hall.topology.who(True, False, False, False, "by rule", SYSTEM)
    assert known() == ["in book", "in job", "in link", "in open book", "in record"]
    hall.aborting.abort(job.id, SYSTEM)
    assert hall.removals.remove_unused(ids.values(), SYSTEM) >= {ids["in job"]}


def test_a_member_by_rule_is_a_device_and_cannot_be_deleted(world: World, enrol: Callable[..., UUID]) -> None:
    enrol("solaris-1", os="solaris")
    with world.datastore.begin() as session:
        session.execute(update(Team).where(Team.id == world.workspace.team_id).values(rule='os == "solaris"'))
        revisions.bump(session, revisions.TOPOLOGY)
    assert list(world.all()) == ["h1", "h2", "solaris-1"]
    with pytest.raises(HeldByRule, match="solaris-1"):
        world.do(Action.DELETE, "h1", "solaris-1")
    assert list(world.all()) == ["h1", "h2", "solaris-1"]


@pytest.mark.parametrize(
    ("action", "names", "rights", "is_allowed"),
    [
        (Action.REGISTER, ["new"], {Node.AGENTS: Right.READ}, False),
        (Action.REGISTER, ["new"], {Node.TEAMS: Right.READ}, False),
        (Action.REGISTER, ["new"], {}, True),
        (Action.UPDATE, ["h1"], {Node.AGENTS: Right.READ}, False),
        (Action.UPDATE, ["h1"], {Node.TEAMS: Right.READ}, True),
        (Action.DISCARD, ["h1"], {Node.AGENTS: Right.READ}, False),
        (Action.DELETE, ["h1"], {Node.TEAMS: Right.READ}, False),
        (Action.DELETE, ["h1"], {}, True),
    ],
)
def test_a_change_needs_the_right_to_the_core_objects(
    world: World, action: Action, names: list[str], rights: dict[Node, Right], is_allowed: bool
) -> None:
    caller = Caller("eve", everything(Right.MODIFY) | rights)
    before = world.all()
    if is_allowed:
        assert world.do(action, *names, caller=caller, remarks="x") == {}
        assert world.all() != before
    else:
        with pytest.raises(Forbidden):
            world.do(action, *names, caller=caller, remarks="x")
        assert world.all() == before


def test_who_may_not_read_an_agent_does_not_see_the_device(world: World) -> None:
    """Yet its name is taken, for those who may."""
    known = hosts_of(world.datastore, world.workspace)
    role = RoleRights("some", {(Node.AGENTS, known["h2"]): Right.READ, (Node.TEAMS, None): Right.READ})
    caller = Caller.of("eve", [role])
    assert list(world.all(caller)) == world.choices(caller) == ["h2"]
    with world.datastore.begin() as session:
        scope = a_scope(session, world.workspace, caller)
        assert world.devices.lock(scope, [known["h1"]]) == {}
        assert world.devices.taken(scope, "host_name", ["h1"]) == {"h1": known["h1"]}


@pytest.mark.parametrize(
    ("before", "sent", "expected"),
    [
        ({}, {"host_name": "web"}, []),
        ({}, {"host_name": "123"}, ["MSG-10879"]),
        ({"host_name": "123"}, {"remarks": "an agent of that name came from elsewhere"}, []),
        ({}, {"authentication_method": "1", "login_user": "u"}, ["MSG-10233"]),
        ({}, {"authentication_method": "1"}, ["MSG-10233"]),
        ({}, {"authentication_method": "2", "login_password": SEALED}, ["MSG-10239"]),
        ({}, {"authentication_method": "2", "login_user": "u", "login_password": None}, ["MSG-10232"]),
        ({"login_user": "u", "login_password": SEALED}, {"authentication_method": "2"}, []),
        ({}, {"authentication_method": "4", "login_user": "u"}, ["MSG-10234", "MSG-10235"]),
        ({}, {"authentication_method": "5", "login_user": "u"}, []),
        ({}, {"inventory_file_additional_option": "ansible_port: 22\nlist: [1, {a: b}]"}, []),
    ],
)
def test_what_a_device_needs(before: dict[str, Any], sent: dict[str, Any], expected: list[str]) -> None:
    found = faults_of(before, before | sent)
    assert [one.id for one in found.get("", [])] == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "while parsing a flow sequence"),
        ("[" * 4000, "nested deeper than 32"),
        ("%TAG !a! b\n---\na: 1", "%TAG is not allowed"),
        ("a: \x01", "a character that YAML does not allow"),
    ],
)
def test_what_is_no_yaml_is_told(text: str, problem: str) -> None:
    (found,) = faults_of({}, {"inventory_file_additional_option": text})[""]
    assert found.id == "MSG-10887"
    assert problem in str(found.values[0])


@pytest.mark.parametrize("name", [" web", "web ", "a\x01b", "\x7f", " ", "a\u3000", "[HG]g"])
def test_a_device_has_a_name_that_every_dialect_takes(
    world: World, name: str, load_library: Callable[[str], None]
) -> None:
    """The library takes what was exported; an agent that is called otherwise already stays."""
    (found,) = world.do(Action.REGISTER, name).values()
    assert [(column, [one.id for one in some]) for column, some in found.items()] == [("host_name", ["MSG-00009"])]
    assert faults_of({"host_name": name}, {"host_name": name}) == {}
    world.do(Action.REGISTER, "the web \N{SNOWMAN}")
    load_library(export(world.datastore))


def test_faults_undo_nothing_and_change_nothing(world: World) -> None:
    before = world.all()
    assert world.do(Action.REGISTER, "good", "7") == {1: {"": [Message("MSG-10879")]}}
    assert world.all() == before


def test_what_clients_send_is_kept_and_secrets_show_nowhere(world: World, hall: Hall, tmp_path: Path) -> None:
    """Neither in answers nor in the datastore; a password that is sent as nothing is taken away, as the vendor does."""
    suite = build_exastro_ita(hall)

    def send(**parameter: Any) -> None:
        shown = {"connection_type": "machine", "authentication_method": "パスワード認証", **parameter}
        kind = "Update" if "managed_system_item_number" in parameter else "Register"
        record = {"type": kind, "parameter": shown, "file": {"ssh_private_key_file": "Y2FuYXJ5LWtleQ=="}}
        suite.maintenance.change(world.workspace, "device_list", [record], SYSTEM)

    def shown() -> dict[str, Any]:
        wanted = {"host_name": {"LIST": ["web"]}}
        ((found),) = suite.records.filter(world.workspace, "device_list", wanted, SYSTEM)
        assert "canary" not in str(found)
        return dict(found["parameter"])

    send(host_name="web", login_user="root", login_password="canary-password", ssh_private_key_file="id_rsa")
    first = shown()
    assert (first["login_password"], first["ssh_private_key_file"], first["login_user"]) == (None, "id_rsa", "root")
    key = first["managed_system_item_number"]
    moment = first["last_update_date_time"]
    world.clock.turn(timedelta(seconds=1))
    send(managed_system_item_number=key, last_update_date_time=moment, host_name="web", lang="utf-8")
    with pytest.raises(InvalidRecords) as refused:
        again = {name: value for name, value in shown().items() if name != "passphrase"}
        send(**again)
    assert refused.value.faults == {0: {"": [Message("MSG-10232")]}}
    with pytest.raises(InvalidRecords) as refused:
        send(host_name="web", login_user="root", login_password="other")
    assert refused.value.faults == {0: {"host_name": [Message("MSG-00025", (key, "web"))]}}
    for file in tmp_path.iterdir():  # also what is not in the datastore's own file yet
        assert b"canary" not in file.read_bytes()
