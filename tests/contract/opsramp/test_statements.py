"""Statements: how much is asked of the database does not grow with the tenant, the job or the library."""

from __future__ import annotations

from typing import Any

import pytest
from opsramp_world import Client
from statements import statements

from dispatcher.datastore.transactions import Datastore

SET = "00000000-0000-4000-8000-000000000022"
COUNT = 30


@pytest.fixture(autouse=True)
def crowd(client: Client, load_library: Any) -> None:
    names = [f"a{number}" for number in range(COUNT)]
    load_library(
        "modules:\n"
        + "".join(
            f"  - {{name: m{number}, folder: {'Many' if number else 'One'}, parameters: [{{name: a}}, {{name: b}}]}}\n"
            for number in range(COUNT)
        )
        + "  - {name: Ask, folder: Other, aliases: {opsramp: {script: '8'}},"
        " tasks: [{type: ssh_command, name: ask, settings: {text: show version}}]}\n"
        + "agents:\n"
        + "".join(f"  - {{name: {name}}}\n" for name in names)
        + f"teams: [{{name: client_7, agents: [{', '.join(names)}]}}]\n"
        + f"credential_sets: [{{name: s, id: {SET}, user: u, password: p, agents: [{', '.join(names)}]}}]\n"
    )
    client.tenant = "client_7"


def count_of(datastore: Datastore, client: Client, verb: str, path: str, body: Any = None) -> int:
    client.ask(verb, path, body)  # what is kept in memory is there then
    with statements(datastore) as sent:
        assert client.ask(verb, path, body).status == 200
    return len(sent)


def test_order_for_many_resources(client: Client, datastore: Datastore) -> None:
    def order(count: int) -> dict[str, Any]:
        entities = [{"resource": {"id": f"a{number}"}} for number in range(count)]
        return {"entities": entities, "script": {"customScript": {"id": 8}}, "credentialSet": {"uniqueId": SET}}

    one, many = (count_of(datastore, client, "POST", "jobs", order(count)) for count in (1, COUNT))
    # Ids of resources that are named are looked for one by one by the core, and kept in memory.
    assert many == one


def test_scripts_of_a_category(client: Client, datastore: Datastore) -> None:
    numbers = {one["name"]: one["id"] for one in client.get("rba/categories")}
    one, many = (
        count_of(datastore, client, "GET", f"rba/categories/{numbers[name]}/scripts") for name in ("One", "Many")
    )
    assert many == one


def test_one_resource_of_many(client: Client, datastore: Datastore) -> None:
    (resource,) = client.get("resources/search", "queryString=name:a7")["results"]
    with statements(datastore) as sent:
        client.get(f"resources/{resource['id']}")
    assert not any("FROM team_member" in one and "EXISTS" not in one for one in sent)
