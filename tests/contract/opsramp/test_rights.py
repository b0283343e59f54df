"""Rights: tenants reach clients, and show resources, only as far as the caller may read them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from opsramp_world import FIRST, SECOND, Client
from sqlalchemy import select

from dispatcher.core.permissions import Caller, Node, Right, RoleRights
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore

NEVER = {"startDate": "2031-03-01T08:30:45+0000", "pattern": {"type": "never"}}
ENTITIES = [{"resource": {"id": FIRST, "type": "DEVICE"}}, {"resource": {"id": SECOND, "type": "DEVICE"}}]
ORDER = {"name": "x", "entities": ENTITIES, "script": {"jobType": "adCheckList"}, "schedule": NEVER}


@pytest.fixture
def teams(client: Client, datastore: Datastore) -> dict[str, UUID]:
    with datastore.read() as session:
        return dict(session.execute(select(Team.name, Team.id)).tuples().all())


def caller(right: Right, grants: dict[Any, Right]) -> Caller:
    """Return who has *right* on everything but what *grants* say."""
    return Caller.of("p", [RoleRights("p", {**{(node, None): right for node in Node}, **grants})])


def test_provider_shows_no_job_of_a_client_that_the_caller_may_not_read(client: Client, teams: dict[str, UUID]) -> None:
    job = client.post("jobs", ORDER)
    client.tenant = "client_13"
    other = client.post("jobs", ORDER)
    client.tenant = "msp_12"
    client.caller = caller(Right.MODIFY, {(Node.TEAMS, teams["client_93"]): Right.DENY})
    calls = (("GET", ""), ("POST", ""), ("DELETE", ""), ("POST", "/run"), ("GET", "/run"), ("POST", "/approve"))
    for verb, path in calls:
        body = ORDER if (verb, path) == ("POST", "") else None
        assert client.ask(verb, f"jobs/{job['id']}{path}", body).status == 404
    assert [one["id"] for one in client.get("jobs/search")["results"]] == [other["id"]]
    assert client.get(f"jobs/{other['id']}")["id"] == other["id"]


def test_read_on_the_provider_alone_reaches_no_client(client: Client, teams: dict[str, UUID]) -> None:
    client.post("jobs", ORDER)
    grants = {(node, None): Right.MODIFY for node in Node if node is not Node.TEAMS}
    client.caller = Caller.of("p", [RoleRights("p", {**grants, (Node.TEAMS, teams["Provider"]): Right.READ})])
    client.tenant = "msp_12"
    assert client.get("jobs/search")["totalResults"] == 0
    assert client.get("resources/search")["totalResults"] == 0
    assert client.refused(ORDER)[0]["fieldName"] == "entities"


def test_provider_tells_no_account_of_a_client_that_the_caller_may_not_read(
    client: Client, teams: dict[str, UUID], load_library: Any
) -> None:
    load_library("credential_sets: [{name: Team, user: anybody, password: x, teams: [The owner]}]")
    client.tenant = "msp_12"
    assert [one["name"] for one in client.get("credentialSets/minimal")] == ["Team"]
    client.caller = caller(Right.READ, {(Node.TEAMS, teams["The owner"]): Right.DENY})
    assert client.get("credentialSets/minimal") == []


def test_jobs_tell_nothing_of_resources_that_the_caller_may_not_read(client: Client) -> None:
    job = client.post("jobs", ORDER)
    client.caller = caller(Right.READ, {(Node.AGENTS, UUID(FIRST)): Right.DENY})
    hidden, shown = client.get(f"jobs/{job['id']}")["entities"]
    assert hidden == {"resource": {"id": FIRST, "type": "DEVICE"}}
    assert shown["resource"]["generalInfo"]["hostName"] == "172.30.1.60"


def test_members_by_a_rule_are_reached_one_by_one(client: Client, load_library: Any) -> None:
    load_library("teams: [{name: client_7, rule: 'name startswith \"172\"'}]")
    client.tenant = "client_7"
    assert [one["id"] for one in client.get("resources/search")["results"]] == [SECOND]
    assert client.get(f"resources/{SECOND}")["id"] == SECOND
    assert client.ask("GET", f"resources/{FIRST}").status == 404
    assert client.refused(ORDER)[0]["fieldName"] == "entities"


@pytest.mark.parametrize("tenant", ["CLIENT_93", "Client_13", "client_93 "])
def test_ids_of_tenants_are_spelled_exactly(client: Client, tenant: str) -> None:
    client.tenant = tenant
    assert client.ask("GET", "jobs/types").status == 404
