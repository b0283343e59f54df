"""Deployments of Ivanti Endpoint Security on every database, and their patch lists, policies and groups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from job_world import a_request, lease, on, report
from sqlalchemy import select

from dispatcher.bindings.ivanti_endpoint_security.translate_deployments import to_wire_entity
from dispatcher.core.computers import FoundComputer, Way
from dispatcher.core.errors import DispatcherError, Forbidden, InvalidValue
from dispatcher.core.permissions import SYSTEM, Caller, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import Event
from dispatcher.datastore.ivanti_endpoint_security import IES_AGENT_POLICIES, IES_JOBS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.modules import Module
from dispatcher.datastore.projects import Project
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security.endpoints import EndpointNotFound
from dispatcher.services.ivanti_endpoint_security.groups import GroupNotFound
from dispatcher.services.ivanti_endpoint_security.listing import Listing, Term
from dispatcher.services.ivanti_endpoint_security.new_patch_lists import NewPatch, NewPatchList
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder, NoticeOrder, NoticeWish
from dispatcher.services.ivanti_endpoint_security.suite import IvantiEndpointSecurity, build_ivanti_endpoint_security
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import import_texts
from dispatcher.services.reporting import Found, RunFinished, RunStarted, TaskFinished, TaskStarted
from dispatcher.services.run_orders import LeasedRun
from dispatcher.services.secrets import Secrets
from dispatcher.services.submits import SubmitKey

NOON = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
LOOK = UUID("00000000-0000-4000-8000-0000000000a1")
LIBRARY = f"""
modules:
  - {{name: openssl, tasks: [{{type: command, name: t, settings: {{command: 'true'}}}}]}}
  - {{name: curl, tasks: [{{type: command, name: t, settings: {{command: 'true'}}}}]}}
  - {{name: Look, id: {LOOK}, tasks: [{{type: discovery, name: t}}]}}
projects:
  - {{name: March, modules: [{{module: openssl}}, {{module: curl}}],
      aliases: {{ivanti_endpoint_security: {{patch_list: '6'}}}}}}
teams:
  - {{name: Web, rule: 'name startswith "web"', aliases: {{ivanti_endpoint_security: {{group: '77'}}}}}}
agent_policies:
  - {{name: Everybody, allow_cancel: true, allow_snooze: false, on_top: false}}
  - {{name: Servers, team: Web, allow_cancel: false, allow_snooze: false, on_top: true}}
"""


@pytest.fixture
def ies(hall: Hall, datastore: Datastore, ports: Ports, secrets: Secrets) -> IvantiEndpointSecurity:
    builtin.install(datastore, ports, secrets)
    import_texts(datastore, ports, secrets, {"library.yaml": LIBRARY.encode()})
    return build_ivanti_endpoint_security(hall)


@pytest.fixture
def agents(ies: IvantiEndpointSecurity, enrol: Callable[..., UUID]) -> list[UUID]:
    return [enrol("pc"), enrol("web-1"), enrol("web-2")]


def an_order(**rest: Any) -> DeploymentOrder:
    return DeploymentOrder(**{"name": "", "starts_at": NOON, "patch_list": 6, **rest})


def stored(datastore: Datastore) -> tuple[int, ...]:
    """Return how many jobs, jobs of this dialect, projects and modules there are."""
    with datastore.read() as session:
        keys = (JOBS.c.id, IES_JOBS.c.job_id, Project.id, Module.id)
        return tuple(len(session.scalars(select(key)).all()) for key in keys)


def named(run: LeasedRun) -> list[str]:
    return [one.document["name"] for one in run.modules]


def test_agents_and_groups_are_united_and_each_gets_the_patches_once(
    hall: Hall, ies: IvantiEndpointSecurity, agents: list[UUID]
) -> None:
    pc, web, other = agents
    made = ies.deployments.create(an_order(agents=(pc, web, pc), groups=(77, 77)), SYSTEM)
    assert (made.order.name, made.order.packages) == ("Deployment of March", "openssl, curl")
    assert ies.deployments.get(made.record.number, SYSTEM).order == made.order
    for agent in (pc, web, other):
        (run,) = lease(hall, agent, 5)
        assert named(run) == ["openssl", "curl", "Finish a deployment"]
        assert run.inputs == []
    listed = ies.deployments.page(Listing(counts=True), SYSTEM)
    assert ([one.record.number for one in listed.items], listed.total) == ([made.record.number], 1)
    assert ies.jobs.page(Listing(counts=True), SYSTEM).total == 0


def test_notices_are_what_the_policy_of_each_agent_allows(
    hall: Hall, ies: IvantiEndpointSecurity, agents: list[UUID]
) -> None:
    text = NoticeOrder(message="Now: {Package Name}", allow_cancel=True, allow_snooze=True, within_min=5)
    wish = NoticeWish(notice=text, cancel_by_policy=True, own=frozenset({"allow_snooze"}))
    plain = NoticeWish(notice=text, by_policy=True)
    ies.deployments.create(an_order(agents=tuple(agents[:2]), notify=wish, restart=plain), SYSTEM)
    seen = {}
    for name, agent in zip(("pc", "web"), agents, strict=False):
        (run,) = lease(hall, agent, 5)
        assert named(run)[0] == "Announce a deployment"
        seen[name] = {one.name: NoticeOrder.of_input(one.value) for one in run.inputs}
    flags = ("allow_cancel", "allow_snooze", "on_top")
    assert [getattr(seen["pc"]["notice.deployment"], flag) for flag in flags] == [True, True, False]
    assert [getattr(seen["web"]["notice.deployment"], flag) for flag in flags] == [False, True, True]
    assert [getattr(seen["pc"]["notice.restart"], flag) for flag in flags] == [True, False, False]
    assert [getattr(seen["web"]["notice.restart"], flag) for flag in flags] == [False, False, True]
    assert seen["pc"]["notice.deployment"].message == "Now: openssl, curl"
    assert seen["pc"]["notice.deployment"].within_min == 5


def test_notices_of_long_lists_are_no_longer_than_agents_take(
    hall: Hall, ies: IvantiEndpointSecurity, agents: list[UUID]
) -> None:
    patches = [NewPatch(f"{number:0255}", command="true") for number in range(45)]
    made = ies.patch_lists.made(ies.new_patch_lists.create(NewPatchList("long", "", patches), SYSTEM), SYSTEM)
    wish = NoticeWish(notice=NoticeOrder(message="Now: {Package Name}. Soon: {Package Name}."))
    order = an_order(patch_list=made.number, agents=(agents[0],), notify=wish, restart=wish)
    ies.deployments.create(order, SYSTEM)
    (run,) = lease(hall, agents[0], 1)
    for notice in [NoticeOrder.model_validate(one.value) for one in run.inputs]:
        assert notice.message.startswith(f"Now: {0:0255}, {1:0255}, ")
        assert notice.message.count(", …") == 2


def test_what_has_failed_is_told_for_each_endpoint(
    hall: Hall, ies: IvantiEndpointSecurity, agents: list[UUID], clock: Any
) -> None:
    made = ies.deployments.create(an_order(agents=tuple(agents)), SYSTEM)
    at = clock()
    said = ["openssl failed: exit code 3", ""]
    for agent, message in zip(agents[:2], said, strict=True):
        (run,) = lease(hall, agent, 1)
        report(hall, agent, run, RunStarted(at), TaskStarted(0, at), TaskFinished(0, at, Event.COMPLETE))
        failed = TaskFinished(1, at, Event.FAIL, exit_code=7, message=message)
        report(hall, agent, run, TaskStarted(1, at), failed, RunFinished(at, Event.FAIL))
    shown = to_wire_entity(ies.deployments.get(made.record.number, SYSTEM), "")
    assert [(one.Name, one.Status, one.Detail) for one in shown.Results] == [
        ("pc", "Failed", "curl: openssl failed: exit code 3"),
        ("web-1", "Failed", "curl: exit code 7"),
        ("web-2", "In Progress", "Waiting for the agent"),
    ]


def test_names_are_found_in_any_case_of_any_letters(ies: IvantiEndpointSecurity, agents: list[UUID]) -> None:
    for name in ("Ärger", "Arger", "ÉTÉ", "Straße"):
        ies.deployments.create(an_order(agents=(agents[0],), name=name), SYSTEM)

    def found(*terms: Term, **rest: Any) -> list[str]:
        return [one.record.name for one in ies.deployments.page(Listing(terms, **rest), SYSTEM).items]

    assert found(Term("name", "ärger")) == found(Term("name", "ÄR", is_part=True)) == ["Ärger"]
    assert found(Term("name", "ARGER")) == ["Arger"]
    assert found(Term("name", "été")) == ["ÉTÉ"]
    assert found(Term("name", "STRASSE")) == found(Term("name", "aße", is_part=True)) == ["Straße"]
    assert len(found(Term("created_by", "SYSTEM"))) == 4
    assert found(order_by="name", descending=True)[-1] == "Arger"


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ({"patch_list": 99}, "99"),
        ({"groups": (77, 98)}, "there is no group 98"),
        ({"groups": (10**30,)}, "there is no group"),
        ({"agents": (UUID(int=7),)}, str(UUID(int=7))),
    ],
)
def test_what_is_unknown_is_named_and_nothing_is_left(
    ies: IvantiEndpointSecurity, agents: list[UUID], datastore: Datastore, rest: dict[str, Any], told: str
) -> None:
    before = stored(datastore)
    with pytest.raises(DispatcherError) as raised:
        ies.deployments.create(an_order(**{"agents": (agents[0],), **rest}), SYSTEM)
    assert told in raised.value.message
    assert stored(datastore) == before


def test_the_same_key_makes_one_deployment(
    ies: IvantiEndpointSecurity, agents: list[UUID], datastore: Datastore
) -> None:
    key, order = SubmitKey.of("once", b"body"), an_order(agents=(agents[0],))
    numbers = {ies.deployments.create(order, SYSTEM, key).record.number for _ in range(2)}
    assert (len(numbers), stored(datastore)[:2]) == (1, (1, 1))


def test_a_new_patch_list_can_be_deployed(hall: Hall, ies: IvantiEndpointSecurity, agents: list[UUID]) -> None:
    key, new = SubmitKey.of("list", b"x"), NewPatchList("April", "text", [NewPatch("one", command="true")])
    made = ies.new_patch_lists.create(new, SYSTEM, key)
    assert ies.new_patch_lists.create(new, SYSTEM, key) == made
    shown = ies.patch_lists.made(made, SYSTEM)
    assert (shown.name, shown.patches) == ("April", ["one"])
    ies.deployments.create(an_order(patch_list=shown.number, agents=(agents[0],)), SYSTEM)
    (run,) = lease(hall, agents[0], 1)
    assert named(run) == ["one", "Finish a deployment"]


@pytest.mark.parametrize(
    ("name", "patches"),
    [
        ("a/b", [NewPatch("one", command="true")]),
        ("TAKEN", [NewPatch("one", command="true")]),
        ("new", [NewPatch("one", command="true"), NewPatch("ONE", command="true")]),
        ("new", [NewPatch("neither")]),
        ("new", [NewPatch("both", package="p", command="true")]),
        ("new", [NewPatch("one", command="true", platforms=["AMIGA"])]),
        ("", [NewPatch("one", command="true")]),
        ("x" * 300, [NewPatch("one", command="true")]),
    ],
)
def test_nothing_is_left_of_an_impossible_patch_list(
    ies: IvantiEndpointSecurity, datastore: Datastore, name: str, patches: list[NewPatch]
) -> None:
    ies.new_patch_lists.create(NewPatchList("taken", "", [NewPatch("one", command="true")]), SYSTEM)
    before = stored(datastore)
    with pytest.raises(InvalidValue):
        ies.new_patch_lists.create(NewPatchList(name, "", patches), SYSTEM)
    assert stored(datastore) == before


def test_patch_lists_are_made_by_those_only_who_may(ies: IvantiEndpointSecurity, bob: Callable[..., Caller]) -> None:
    with pytest.raises(Forbidden):
        ies.new_patch_lists.create(NewPatchList("new", "", [NewPatch("one", command="true")]), bob())


def test_policies_come_from_library_files_and_go_there_unchanged(
    ies: IvantiEndpointSecurity, datastore: Datastore, ports: Ports, secrets: Secrets
) -> None:
    assert [(one.name, one.group, one.policy.allow_cancel) for one in ies.policies.all(SYSTEM)] == [
        ("Everybody", None, True),
        ("Servers", 77, False),
    ]

    def rows() -> list[Any]:
        with datastore.read() as session:
            return list(session.execute(select(IES_AGENT_POLICIES).order_by(IES_AGENT_POLICIES.c.name)))

    before, text = rows(), export(datastore)
    import_texts(datastore, ports, secrets, {"exported.yaml": text.encode()})
    assert (export(datastore), rows()) == (text, before)


def test_endpoints_are_agents_with_what_was_found_and_computers_without_one(
    hall: Hall, ies: IvantiEndpointSecurity, enrol: Callable[..., UUID], clock: Any, bob: Callable[..., Caller]
) -> None:
    scout = enrol("scout")
    by_address, by_name = enrol("a", address="127.0.0.5"), enrol("b", hostname="B.example")
    by_mac = enrol("c", macs=("02:00:00:00:00:01",))
    hall.scheduling.submit(a_request(LOOK, who=on(scout)), SYSTEM)
    (run,) = lease(hall, scout, 1)
    found = [
        FoundComputer("127.0.0.5", ports=(22,)),
        FoundComputer("127.0.0.6", dns_name="b.example", ports=(80,), ways=(Way.DNS,)),
        FoundComputer("127.0.0.7", mac="02:00:00:00:00:01", ports=(443,), ways=(Way.MAC,)),
        FoundComputer("127.0.0.8", "printer", ports=(9_100,)),
    ]
    report(hall, scout, run, RunStarted(clock()), Found(0, found))
    seen = {one.name: one for one in ies.endpoints.all(SYSTEM)}
    assert {one.name: list(one.ports) for one in seen.values()} == {
        "a": [22],
        "b": [80],
        "c": [443],
        "printer": [9_100],
        "scout": [],
    }
    assert [seen[name].id for name in ("a", "b", "c")] == [by_address, by_name, by_mac]
    assert [one.name for one in seen.values() if not one.has_agent] == ["printer"]
    assert ies.endpoints.get(seen["printer"].id, SYSTEM) == seen["printer"]

    caller = bob({"Topology/Agents/a": Right.READ})
    assert [one.name for one in ies.endpoints.all(caller)] == ["a"]
    for hidden in (by_name, seen["printer"].id, UUID(int=9)):
        with pytest.raises(EndpointNotFound):
            ies.endpoints.get(hidden, caller)


def test_groups_are_known_by_their_aliases(ies: IvantiEndpointSecurity, agents: list[UUID]) -> None:
    (group,) = [one for one in ies.groups.all(SYSTEM) if one.name == "Web"]
    assert (group.number, ies.groups.members(77, SYSTEM)) == (77, agents[1:])
    with pytest.raises(GroupNotFound):
        ies.groups.get(98, SYSTEM)
