"""Every operation of both services for every role: what it answers follows from one table of what each needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cheap_passwords import cheap_passwords
from permission_world import SCENES, Things, World, faces, fill, is_refused, open_world, shown
from sqlalchemy import select

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.bindings.ivanti_automation.resource_operations import ResourceService
from dispatcher.bindings.ivanti_automation.soap import SchedulingService
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.logins import Login
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.logins import Logins, caller_of
from dispatcher.services.roles import Roles
from dispatcher.services.secrets import Secrets
from dispatcher.wire.operations import operations_of

DENY, READ, MODIFY = Right.DENY, Right.READ, Right.MODIFY
#: When all is filled; the clock of this folder stands there.
NOW = datetime(2025, 10, 9, 8, 54, 20, tzinfo=UTC)

# --- the policy ---------------------------------------------------------------------------------------------------

#: What each operation needs (contract sections 1.7, 2 and 9): without one of these it is refused.
REFUSES: dict[str, tuple[tuple[Right, str], ...]] = {
    "ScheduleJob": ((MODIFY, "Jobs/Scheduling"), (READ, "what"), (READ, "who")),
    "UpdateJobStatus": ((MODIFY, "Jobs/Scheduling"), (READ, "what"), (READ, "who")),
    "RerunJob": ((MODIFY, "Jobs/Scheduling"), (READ, "what"), (READ, "who")),
    "ApproveJob": ((MODIFY, "Jobs/Scheduling"), (READ, "what"), (READ, "who")),
    "PauseJob": ((MODIFY, "Jobs/Scheduling"), (READ, "what"), (READ, "who")),
    "ResumeJob": ((MODIFY, "Jobs/Scheduling"), (READ, "what"), (READ, "who")),
    "GetJob": ((READ, "Jobs/Scheduling"),),
    "GetRunBookJob": ((READ, "Jobs/Scheduling"),),
    "GetOccurrences": ((READ, "Jobs/Scheduling"),),
    "ExportJobResults": ((READ, "Jobs/Results"),),
    "GetTaskOutput": ((READ, "Jobs/Results"),),
    "GetInputParameters": ((READ, "what"),),
    "GetOutputParameters": ((READ, "what"),),
    "ChangeAgentMembership": ((MODIFY, "agent"), (MODIFY, "team")),
    "ChangeTeamMembership": ((MODIFY, "agent"), (MODIFY, "team")),
    "RemoveAgent": ((MODIFY, "agent"),),
    "UploadResource": ((MODIFY, "resource"),),
    "DeleteResource": ((MODIFY, "resource"),),
}
#: What is read by operations that show only what the caller may read, and refuse nobody.
SHOWS: dict[str, tuple[str, ...]] = {
    "GetJobs": ("Jobs/Scheduling",),
    "GetJobUsageReport": ("Jobs/Scheduling",),
    "GetModules": ("Patch", "Restart"),
    "GetProjects": ("All",),
    "GetRunBooks": ("Patch ring", "By parameter"),
    "GetWho": ("PC-042", "PC-043", "Ring 1", "Ring 2"),
    "GetTeamsReport": ("Ring 1", "Ring 2", "PC-042", "PC-043"),
}


@dataclass(frozen=True)
class Case:
    """A login: what its roles grant, and how far that lets it go; on what is not in ``rights``, not at all."""

    roles: tuple[dict[str, Right], ...]
    rights: dict[str, Right]
    inherits: bool = False


#: What is asked for, by the node that it belongs to.
THINGS = {
    "Library/Modules": ("Patch", "Restart"),
    "Library/Projects": ("All",),
    "Library/Run Books": ("Patch ring", "By parameter"),
    "Library/Resources": ("setup.exe", "spare.exe"),
    "Topology/Agents": ("PC-042", "PC-043"),
    "Topology/Teams": ("Ring 1", "Ring 2"),
    "Jobs/Scheduling": ("Jobs/Scheduling",),
    "Jobs/Results": ("Jobs/Results",),
}
EVERYTHING = [thing for things in THINGS.values() for thing in things]
MAY_SCHEDULE = {"Jobs/Scheduling": MODIFY}
CASES = {
    "no role": Case((), {}),
    "a role without grants": Case(({},), {}),
    "modify everything": Case(({node.value: MODIFY for node in Node},), dict.fromkeys(EVERYTHING, MODIFY)),
    "read only": Case(({node.value: READ for node in Node},), dict.fromkeys(EVERYTHING, READ)),
    **{
        f"modify {node} alone": Case(({node: MODIFY},), dict.fromkeys(things, MODIFY))
        for node, things in THINGS.items()
    },
    **{
        f"everything but {node}": Case(
            ({one.value: DENY if one.value == node else MODIFY for one in Node},),
            dict.fromkeys(EVERYTHING, MODIFY) | dict.fromkeys(things, DENY),
        )
        for node, things in THINGS.items()
    },
    "scheduler": Case(
        ({**MAY_SCHEDULE, "Library/Modules": READ, "Topology/Agents": READ},),
        {**MAY_SCHEDULE, "Patch": READ, "Restart": READ, "PC-042": READ, "PC-043": READ},
    ),
    "deny on objects": Case(
        (
            {
                **{node.value: MODIFY for node in Node},
                "Library/Modules/Demo/Patching/Patch": DENY,
                "Library/Projects/All": DENY,
                "Library/Resources/Tools/setup.exe": DENY,
                "Topology/Agents/PC-042": DENY,
                "Topology/Teams/Rings/Ring 1": READ,
            },
        ),
        dict.fromkeys(EVERYTHING, MODIFY)
        | {"Patch": DENY, "All": DENY, "setup.exe": DENY, "PC-042": DENY, "Ring 1": READ},
    ),
    "by folder": Case(
        (
            {
                **MAY_SCHEDULE,
                "Library/Modules/Demo/": READ,
                "Library/Resources/Tools/": MODIFY,
                "Topology/Teams/Rings/": MODIFY,
                "Topology/Agents/PC-042": MODIFY,
            },
        ),
        {**MAY_SCHEDULE, "Patch": READ, "setup.exe": MODIFY, "Ring 1": MODIFY, "PC-042": MODIFY},
    ),
    "an object in a denied folder": Case(
        (
            {
                **MAY_SCHEDULE,
                "Library/Modules": READ,
                "Library/Modules/Demo/": DENY,
                "Library/Modules/Demo/Patching/Patch": MODIFY,
                "Library/Resources": MODIFY,
                "Library/Resources/Tools/": READ,
                "Topology/Agents": MODIFY,
                "Topology/Agents/PC-043": READ,
            },
        ),
        {
            **MAY_SCHEDULE,
            "Patch": MODIFY,
            "Restart": READ,
            "setup.exe": READ,
            "spare.exe": MODIFY,
            "PC-042": MODIFY,
            "PC-043": READ,
        },
    ),
    "a folder in a folder": Case(
        ({"Library/Modules": READ, "Library/Modules/Demo/": READ, "Library/Modules/Demo/Patching/": DENY},),
        {"Restart": READ},
    ),
    "two roles that add up": Case(
        (
            {**MAY_SCHEDULE, "Library/Modules": READ, "Library/Modules/Demo/": DENY, "Topology/Agents/PC-042": DENY},
            {"Library/Modules/Demo/Patching/Patch": READ, "Topology/Agents": READ, "Topology/Teams": DENY},
            {"Topology/Teams/Rings/Ring 1": MODIFY, "Topology/Agents/PC-042": MODIFY, "Jobs/Results": READ},
        ),
        {
            **MAY_SCHEDULE,
            "Jobs/Results": READ,
            "Patch": READ,
            "Restart": READ,
            "PC-042": MODIFY,
            "PC-043": READ,
            "Ring 1": MODIFY,
        },
    ),
    "not inherited from the primary team": Case(
        ({**MAY_SCHEDULE, "Library/Modules": READ, "Topology/Teams/Rings/Ring 1": MODIFY},),
        {**MAY_SCHEDULE, "Patch": READ, "Restart": READ, "Ring 1": MODIFY},
    ),
    "inherited from the primary team": Case(
        ({**MAY_SCHEDULE, "Library/Modules": READ, "Topology/Teams/Rings/Ring 1": MODIFY},),
        {**MAY_SCHEDULE, "Patch": READ, "Restart": READ, "Ring 1": MODIFY, "PC-042": MODIFY},
        inherits=True,
    ),
    "inherited from the folder of the primary team": Case(
        ({"Topology/Agents": MODIFY, "Topology/Teams": MODIFY, "Topology/Teams/Rings/": READ},),
        {"Ring 1": READ, "Ring 2": MODIFY, "PC-042": READ, "PC-043": MODIFY},
        inherits=True,
    ),
    "an agent's own right before its team's": Case(
        ({"Topology/Teams": MODIFY, "Topology/Agents/PC-042": READ, "Topology/Agents/PC-043": MODIFY},),
        {"Ring 1": MODIFY, "Ring 2": MODIFY, "PC-042": READ, "PC-043": MODIFY},
        inherits=True,
    ),
}


def test_every_operation_has_its_line() -> None:
    assert not REFUSES.keys() & SHOWS.keys()
    assert REFUSES.keys() | SHOWS.keys() == {*operations_of(SchedulingService), *operations_of(ResourceService)}
    nodes = {need for needs in REFUSES.values() for _, need in needs} | set(THINGS)
    assert {node.value for node in Node} - nodes == {"Administration/Security", "Setup/Settings"}  # never on the wire


#: Which agents are in which teams.
MEMBERS = {"Ring 1": ("PC-042", "PC-043"), "Ring 2": ("PC-043",)}


# --- the world ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(empty_database: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Things]:
    """The file of a datastore with all things in it: made once, as it is the same for all cases."""
    path = tmp_path_factory.mktemp("permissions") / "filled.db"
    path.write_bytes(empty_database)
    numbers = count(1_000_000)  # far from the ids that the fixtures of this folder hand out

    def new_id() -> UUID:
        return UUID(int=(0x019A << 112) | (7 << 76) | (2 << 62) | next(numbers))

    ports = Ports(lambda: NOW, time.monotonic, new_id, NoWakeup())
    datastore, secrets = Datastore(parse_url(f"sqlite:///{path}")), Secrets(b"k" * 32)
    hall = build_hall(datastore, ports, secrets, lease=timedelta(seconds=30), passwords=cheap_passwords())
    things = fill(hall, lambda text: import_texts(datastore, ports, secrets, {"library.yaml": text.encode()}))
    datastore.close()
    return path.read_bytes(), things


@pytest.fixture
def datastore(tmp_path: Path, filled: tuple[bytes, Things]) -> Iterator[Datastore]:
    path = tmp_path / "test.db"
    path.write_bytes(filled[0])
    opened = Datastore(parse_url(f"sqlite:///{path}"))
    yield opened
    opened.close()


@pytest.fixture
def world(hall: Hall, binding: IvantiAutomation, filled: tuple[bytes, Things], clock: Any) -> World:
    return open_world(hall, binding, filled[1], clock())


def caller_for(world: World, case: Case, datastore: Any, ports: Any) -> Caller:
    roles = Roles(datastore, ports)
    Logins(datastore, ports, cheap_passwords()).add("admin", None, SYSTEM)
    Logins(datastore, ports, cheap_passwords()).add("bob", None, SYSTEM)
    for number, grants in enumerate(case.roles):
        roles.add(f"Role {number}", SYSTEM)
        roles.give(f"Role {number}", "bob", SYSTEM)
        for text, right in grants.items():
            roles.grant(f"Role {number}", right, text, SYSTEM)
    if case.inherits:
        world.hall.settings.set("agents.inherit_permissions", "YES", SYSTEM)
    with datastore.read() as session:
        return caller_of(
            session, session.scalars(select(Login).where(Login.name == "bob")).one(), world.hall.settings.current()
        )


# --- the matrix ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_rights_decide_what_is_done_and_what_is_shown(world: World, name: str, datastore: Any, ports: Any) -> None:
    rights, caller = CASES[name].rights, caller_for(world, CASES[name], datastore, ports)
    found: dict[tuple[str, ...], Any] = {}
    expected: dict[tuple[str, ...], Any] = {}
    for operation, needs in REFUSES.items():
        for scene in SCENES:
            may = all(rights.get(scene.named(need), DENY) >= right for right, need in needs)
            for face, ask in faces(operation).items():
                expected[operation, scene.what, face] = "done" if may else "refused"
                answer = ask(world, scene, operation, caller)
                found[operation, scene.what, face] = "refused" if is_refused(operation, answer) else "done"
    for operation, things in SHOWS.items():
        readable = {thing for thing in things if rights.get(thing, DENY) >= READ}
        if operation == "GetTeamsReport":
            readable &= {"Ring 1", "Ring 2", *(agent for team in readable for agent in MEMBERS.get(team, ()))}
        for face, ask in faces(operation).items():
            expected[operation, face] = readable
            found[operation, face] = shown(ask(world, SCENES[0], operation, caller), things)
    assert found == expected
