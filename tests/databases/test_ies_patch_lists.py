"""Custom patch lists and groups on every database: by which numbers they are known, and who may make lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from dispatcher.core.errors import Forbidden
from dispatcher.core.permissions import SYSTEM, Caller, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.projects import Project
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security.groups import GroupNotFound
from dispatcher.services.ivanti_endpoint_security.new_patch_lists import NewPatch, NewPatchList
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder
from dispatcher.services.ivanti_endpoint_security.patch_lists import PatchListNotFound
from dispatcher.services.ivanti_endpoint_security.suite import IvantiEndpointSecurity, build_ivanti_endpoint_security
from dispatcher.services.secrets import Secrets

NOON = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
LIBRARY = """
modules: [{name: openssl, tasks: [{type: command, name: t, settings: {command: 'true'}}]}]
projects: [{name: Plain, modules: [{module: openssl}]}, {name: Named, modules: [{module: openssl}]}]
teams: [{name: Plain team}, {name: Named team}]
"""
READ, MODIFY, DENY = Right.READ, Right.MODIFY, Right.DENY


@pytest.fixture
def ies(hall: Hall, datastore: Datastore, ports: Ports, secrets: Secrets, load_library: Any) -> IvantiEndpointSecurity:
    builtin.install(datastore, ports, secrets)
    load_library(LIBRARY)
    return build_ivanti_endpoint_security(hall)


@pytest.fixture
def taken(datastore: Datastore, ies: IvantiEndpointSecurity, load_library: Any) -> tuple[int, int]:
    """Make the numbers of a list and a group, which it returns, the aliases of others; the next list's one, too."""
    with datastore.read() as session:
        patch_list = session.scalars(select(Project.number).where(Project.name == "Plain")).one()
        last = session.scalars(select(Project.number).order_by(Project.number.desc())).first() or 0
        group = session.scalars(select(Team.number).where(Team.name == "Plain team")).one()
    # A number that a database has given to nobody it may leave out.
    more = [str(number) for number in (patch_list, *range(last + 1, last + 30))]
    load_library(
        f"projects: [{{name: Named, modules: [{{module: openssl}}],"
        f" aliases: {{ivanti_endpoint_security: {{patch_list: {more}}}}}}}]\n"
        f"teams: [{{name: Named team, aliases: {{ivanti_endpoint_security: {{group: '{group}'}}}}}}]"
    )
    return patch_list, group


def an_order(**rest: Any) -> DeploymentOrder:
    return DeploymentOrder(**{"name": "", "starts_at": NOON, **rest})


def test_what_is_shown_by_a_number_is_deployed_by_it(
    ies: IvantiEndpointSecurity, taken: tuple[int, int], enrol: Callable[..., UUID], bob: Callable[..., Caller]
) -> None:
    patch_list, group = taken
    agent = enrol("pc")
    assert ies.patch_lists.get(patch_list, SYSTEM).name == "Named"
    made = ies.deployments.create(an_order(patch_list=patch_list, agents=(agent,)), SYSTEM)
    assert made.record.name == "Deployment of Named"
    # What would be got by the number of another one is not shown.
    assert [one.name for one in ies.patch_lists.all(SYSTEM)] == ["Named"]
    assert [(one.name, one.number) for one in ies.groups.all(SYSTEM)] == [("Named team", group)]
    assert ies.groups.get(group, SYSTEM).name == "Named team"
    with pytest.raises(PatchListNotFound):
        ies.patch_lists.get(patch_list + 10**6, SYSTEM)
    caller = bob(
        {"Library/Projects": READ, "Library/Projects/Named": DENY, "Topology/Teams": READ}
        | {"Topology/Teams/Named team": DENY, "Jobs/Scheduling": MODIFY, "Topology/Agents": READ}
    )
    with pytest.raises(PatchListNotFound):
        ies.patch_lists.get(patch_list, caller)
    with pytest.raises(GroupNotFound):
        ies.groups.get(group, caller)
    with pytest.raises(Forbidden):
        ies.deployments.create(an_order(patch_list=patch_list, agents=(agent,)), caller)


def test_a_new_list_whose_number_is_taken_gets_another_one(ies: IvantiEndpointSecurity, taken: tuple[int, int]) -> None:
    numbers = []
    for name in ("April", "May"):
        key = ies.new_patch_lists.create(NewPatchList(name, "", [NewPatch("one", command="true")]), SYSTEM)
        made = ies.patch_lists.made(key, SYSTEM)
        assert ies.patch_lists.get(made.number, SYSTEM).name == made.name == name
        numbers.append(made.number)
    assert numbers == [1_000_000_000, 1_000_000_001]


def test_a_list_needs_the_right_on_the_folder_of_its_modules(
    ies: IvantiEndpointSecurity, bob: Callable[..., Caller], load_library: Any
) -> None:
    load_library(
        "modules: [{name: other, folder: Custom patch lists/Denied,"
        " tasks: [{type: command, name: t, settings: {command: 'true'}}]}]"
    )
    caller = bob(
        {"Library/Projects": MODIFY, "Library/Modules": MODIFY, "Library/Modules/Custom patch lists/Denied/": DENY}
    )
    patches = [NewPatch("one", command="true")]
    for name in ("Denied", "DENIED", " denied "):
        with pytest.raises(Forbidden, match=r"Library/Modules$"):
            ies.new_patch_lists.create(NewPatchList(name, "", patches), caller)
    key = ies.new_patch_lists.create(NewPatchList("Allowed", "", patches), caller)
    assert ies.patch_lists.made(key, caller).name == "Allowed"
