"""Whom and what deployments may be for, on every database: what is not there, is disabled or hidden is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from job_world import lease
from sqlalchemy import insert, select

from dispatcher.core.errors import Forbidden, InvalidValue
from dispatcher.core.jobs import WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder
from dispatcher.services.ivanti_endpoint_security.patch_lists import PatchListNotFound
from dispatcher.services.ivanti_endpoint_security.suite import IvantiEndpointSecurity, build_ivanti_endpoint_security
from dispatcher.services.secrets import Secrets

NOON = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
PRINTER, NOBODY = UUID(int=77), UUID(int=78)
LIBRARY = """
modules:
  - {name: openssl, tasks: [{type: command, name: t, settings: {command: 'true'}}]}
  - {name: later, enabled: false, tasks: [{type: command, name: t, settings: {command: 'true'}}]}
projects:
  - {name: March, modules: [{module: openssl}, {module: later}],
     aliases: {ivanti_endpoint_security: {patch_list: '6'}}}
  - {name: Old, enabled: false, modules: [{module: openssl}], aliases: {ivanti_endpoint_security: {patch_list: '7'}}}
teams:
  - {name: Web, rule: 'name startswith "web"', aliases: {ivanti_endpoint_security: {group: '77'}}}
  - {name: Empty, aliases: {ivanti_endpoint_security: {group: '78'}}}
  - {name: Closed, enabled: false, rule: 'name startswith "web"', aliases: {ivanti_endpoint_security: {group: '79'}}}
"""


@pytest.fixture
def ies(hall: Hall, datastore: Datastore, ports: Ports, secrets: Secrets, load_library: Any) -> IvantiEndpointSecurity:
    builtin.install(datastore, ports, secrets)
    load_library(LIBRARY)
    texts = ("address", "name", "dns_name", "netbios_name", "mac", "os", "description")
    row: dict[str, Any] = {
        **dict.fromkeys(texts, ""),
        "id": PRINTER,
        "identity": bytes(32),
        "ports": [],
        "ways": [],
        "first_found_at": NOON,
        "found_at": NOON,
    }
    with datastore.begin() as session:
        session.connection().execute(insert(FOUND_COMPUTERS), [{**row, "name": "printer"}])
    return build_ivanti_endpoint_security(hall)


def an_order(**rest: Any) -> DeploymentOrder:
    return DeploymentOrder(**{"name": "", "starts_at": NOON, "patch_list": 6, **rest})


def test_what_is_not_there_is_named(
    hall: Hall, ies: IvantiEndpointSecurity, enrol: Callable[..., UUID], datastore: Datastore
) -> None:
    web, gone = enrol("web"), enrol("gone")
    hall.removals.remove(WhoChoice([gone], WhoKind.AGENT), False, SYSTEM)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"patch_list": 8}, "CustomPatchListId: there is no custom patch list 8"),
        ({"patch_list": 7}, "CustomPatchListId: the custom patch list 7 is disabled"),
        ({"groups": (76, 77, 98, 10**30)}, f"GroupIds: there is no group 76, 98, {10**30}"),
        ({"groups": (79,)}, "GroupIds: there is no group 79"),
        (
            {"agents": (NOBODY, web, gone, PRINTER)},
            f"AgentGuids: there is no agent {NOBODY}, {gone}; no agent is on {PRINTER}, only found by a discovery",
        ),
    ]
    for rest, told in cases:
        with pytest.raises(InvalidValue) as raised:
            ies.deployments.create(an_order(**{"agents": (web,), **rest}), SYSTEM)
        assert raised.value.message == told
    with datastore.read() as session:
        assert session.scalars(select(JOBS.c.id)).all() == []


def test_what_is_disabled_is_not_deployed(hall: Hall, ies: IvantiEndpointSecurity, enrol: Callable[..., UUID]) -> None:
    web = enrol("web")
    made = ies.deployments.create(an_order(groups=(77,)), SYSTEM)
    assert (made.order.packages, ies.patch_lists.get(6, SYSTEM).patches) == ("openssl", ["openssl"])
    (run,) = lease(hall, web, 1)
    assert [one.document["name"] for one in run.modules][:1] == ["openssl"]
    with pytest.raises(PatchListNotFound):
        ies.patch_lists.get(7, SYSTEM)
    assert [one.number for one in ies.patch_lists.all(SYSTEM)] == [6]


def test_a_group_without_members_leaves_nothing_to_do(ies: IvantiEndpointSecurity, enrol: Callable[..., UUID]) -> None:
    made = ies.deployments.create(an_order(groups=(78,)), SYSTEM)
    shown = ies.deployments.get(made.record.number, SYSTEM)
    assert (shown.record.state, shown.record.reason, list(shown.results)) == (
        State.SKIPPED,
        "no agent: Empty has no members",
        [],
    )


READ, DENY = Right.READ, Right.DENY
RIGHTS: dict[str, Right | None] = {
    "Jobs/Scheduling": Right.MODIFY,
    "Library/Modules": READ,
    "Library/Projects": READ,
    "Topology/Agents": READ,
    "Topology/Teams": READ,
}


def test_what_is_hidden_is_refused_in_the_same_words_as_what_is_not_there(
    ies: IvantiEndpointSecurity, enrol: Callable[..., UUID], bob: Callable[..., Caller]
) -> None:
    web, other = enrol("web"), enrol("other")
    order = an_order(agents=(other,))
    assert ies.deployments.create(order, bob(RIGHTS)).order == order.model_copy(
        update={"name": "Deployment of March", "packages": "openssl"}
    )
    caller = bob(RIGHTS | {"Topology/Teams/Web": DENY, "Library/Projects/Old": DENY})
    hidden: list[tuple[dict[str, Any], str]] = [
        ({"groups": (77,)}, "Topology/Teams/77"),
        ({"groups": (78, 98)}, "Topology/Teams/98"),
        ({"patch_list": 7}, "Library/Projects/7"),
        ({"patch_list": 98}, "Library/Projects/98"),
    ]
    for rest, told in hidden:
        with pytest.raises(Forbidden, match=f"{told}$"):
            ies.deployments.create(an_order(**{"agents": (other,), **rest}), caller)
    caller = bob(dict.fromkeys(["Topology/Teams", "Topology/Teams/Web", "Library/Projects/Old"]))
    for group in (77, 98):
        with pytest.raises(Forbidden, match=f"Topology/Teams/{group}$"):
            ies.deployments.create(an_order(groups=(group,)), caller)
    # No id is guessed; but what discoveries have found is told only to those who may read all agents.
    caller = bob(RIGHTS | {"Topology/Agents/web": DENY})
    with pytest.raises(Forbidden, match=f"Topology/Agents/{web}"):
        ies.deployments.create(an_order(agents=(web,)), caller)
    with pytest.raises(InvalidValue, match=f"there is no agent {PRINTER}$"):
        ies.deployments.create(an_order(agents=(PRINTER,)), caller)
