"""Endpoints of Ivanti Endpoint Security on every database: who is on which computer, pages of them, and their cost."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select
from statements import statements

from dispatcher.core.permissions import SYSTEM, Caller, Right
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security.endpoints import Endpoint, EndpointNotFound
from dispatcher.services.ivanti_endpoint_security.listing import Listing, Term, sortable
from dispatcher.services.ivanti_endpoint_security.suite import IvantiEndpointSecurity, build_ivanti_endpoint_security

NOON = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
#: So few that most computers are somebody's, and some are of several agents.
ADDRESSES = ["", "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
NAMES = ["", "pc", "PC", "Straße", "STRASSE", "web.example", "other_", "o%r"]
MACS = ["", "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"]
#: By what endpoints are found and sorted.
MEMBERS = ["id", "name", "address", "dns_name", "os", "os_version", "has_agent", "agent_version", "is_online"]
MEMBERS += ["last_contact", "enrolled_at", "found_at", "netbios_name", "description"]


@pytest.fixture
def ies(hall: Hall) -> IvantiEndpointSecurity:
    return build_ivanti_endpoint_security(hall)


def a_world(datastore: Datastore, enrol: Callable[..., UUID], count: int, *, seed: int = 7) -> list[dict[str, Any]]:
    """Make *count* agents and twice as many found computers; return the rows of these, the last found one last."""
    chance = random.Random(seed)
    agents = [
        enrol(
            f"{chance.choice('abAB')}{number}",
            address=chance.choice(ADDRESSES),
            hostname=chance.choice(NAMES),
            macs=tuple(dict.fromkeys(chance.choices(MACS, k=2))),
            version=str(number % 3),
            os_version=str(number % 2),
        )
        for number in range(count)
    ]
    rows = [
        {
            "id": UUID(int=(7 << 100) + number),
            "identity": sha256(b"%d" % number).digest(),
            "address": chance.choice([*ADDRESSES, *(f"127.0.1.{number % 250}" for _ in range(5))]),
            "name": chance.choice(["", f"c{number}", "B7"]),
            "dns_name": chance.choice(["", *NAMES]),
            "netbios_name": chance.choice(["", "NB"]),
            "mac": chance.choice(["", "", *MACS]),
            "os": chance.choice(["", "linux"]),
            "description": chance.choice(["", "A printer"]),
            "ports": [number],
            "ways": chance.choice([["icmp"], ["icmp", "dns"], ["netbios", "directory"]]),
            "first_found_at": NOON,
            "found_at": NOON + timedelta(seconds=number // 2),
            "job_id": None,
            "agent_id": chance.choice([*agents, *[None] * count * 9]),
            "gone_agent_id": None,
        }
        for number in range(2 * count)
    ]
    for mac in MACS[1:]:  # the first one with it is known by it, and others only say it
        first = next((row for row in rows if row["mac"] == mac), {})
        first["identity"] = sha256(f"mac:{mac}".encode()).digest()
    with datastore.begin() as session:
        session.connection().execute(insert(FOUND_COMPUTERS), rows)
    return rows


def is_on(agent: Mapping[str, Any], computer: Mapping[str, Any]) -> bool:
    """Whether the agent is taken for the one on the computer, as the documentation says it."""
    pairs = [(agent["address"], computer["address"])]
    if "dns" in computer["ways"]:
        pairs.append((agent["hostname"].lower(), computer["dns_name"].lower()))
    if computer["identity"] == sha256(f"mac:{computer['mac']}".encode()).digest():
        pairs += [(mac, computer["mac"]) for mac in agent["macs"]]
    return agent["id"] == computer["agent_id"] or any(one and one == other for one, other in pairs)


def agents_of(datastore: Datastore) -> Sequence[Mapping[str, Any]]:
    with datastore.read() as session:
        return [dict(row) for row in session.execute(select(AGENTS)).mappings()]


def test_each_computer_is_that_of_its_agents_or_has_none(
    ies: IvantiEndpointSecurity, datastore: Datastore, enrol: Callable[..., UUID]
) -> None:
    computers, agents = a_world(datastore, enrol, 9), agents_of(datastore)
    seen = {one.id: one for one in ies.endpoints.all(SYSTEM)}
    for agent in agents:
        last = [one for one in computers if is_on(agent, one)][-1:]
        assert list(seen[agent["id"]].ports) == [port for one in last for port in one["ports"]]
    alone = {one["id"] for one in computers if not any(is_on(agent, one) for agent in agents)}
    assert alone
    assert seen.keys() == {agent["id"] for agent in agents} | alone
    assert [ies.endpoints.get(key, SYSTEM) for key in seen] == list(seen.values())
    for taken in {one["id"] for one in computers} - alone:
        with pytest.raises(EndpointNotFound):
            ies.endpoints.get(taken, SYSTEM)


def fits(one: Endpoint, term: Term) -> bool:
    value = getattr(one, term.name)
    if isinstance(value, str) and isinstance(term.value, str):
        wanted = term.value.casefold()
        return wanted in value.casefold() if term.is_part else wanted == value.casefold()
    return bool(value == term.value)


def test_pages_are_what_is_asked_for(
    ies: IvantiEndpointSecurity, datastore: Datastore, enrol: Callable[..., UUID]
) -> None:
    a_world(datastore, enrol, 7)
    everything = list(ies.endpoints.all(SYSTEM))
    assert everything == sorted(everything, key=lambda one: one.name.casefold())
    for place, member in enumerate(MEMBERS):
        is_last_first = bool(place % 2)
        by_it = sorted(everything, key=lambda one: sortable(getattr(one, member)), reverse=is_last_first)
        page = ies.endpoints.page(Listing(order_by=member, descending=is_last_first, skip=2, top=9), SYSTEM)
        assert (list(page.items), page.total) == (by_it[2:11], len(everything))
        terms = [Term(member, value) for value in dict.fromkeys(getattr(one, member) for one in everything)]
        parts = [Term(member, one.value[:2].swapcase(), is_part=True) for one in terms if isinstance(one.value, str)]
        for term in [*terms[:2], *parts[-1:], Term(member, None)]:
            found = ies.endpoints.page(Listing([term], order_by="name", top=None), SYSTEM)
            assert list(found.items) == [one for one in everything if fits(one, term)]
    one = everything[3]
    for other, skip, shown in ((one.name, 0, [one]), (one.name, 1, []), ("nobody", 0, [])):
        found = ies.endpoints.page(Listing([Term("id", one.id), Term("name", other)], "name", skip=skip), SYSTEM)
        assert (list(found.items), found.total) == (shown, int(other == one.name))


def test_who_may_read_some_agents_sees_those_and_no_other_computers(
    ies: IvantiEndpointSecurity, datastore: Datastore, enrol: Callable[..., UUID], bob: Callable[..., Caller]
) -> None:
    a_world(datastore, enrol, 2)
    chosen = enrol("mine")
    caller = bob({"Topology/Agents/mine": Right.READ})
    page = ies.endpoints.page(Listing([Term("id", chosen)], order_by="name"), caller)
    assert ([one.name for one in page.items], page.total) == (["mine"], 1)
    assert [one.name for one in ies.endpoints.all(caller)] == ["mine"]
    assert ies.endpoints.all(bob({"Topology/Agents/mine": None})) == []


def test_what_is_asked_of_the_database_does_not_grow(
    hall: Hall,
    ies: IvantiEndpointSecurity,
    datastore: Datastore,
    enrol: Callable[..., UUID],
    load_library: Callable[[str], None],
) -> None:
    load_library("teams: [{name: All, rule: 'os == \"linux\"', aliases: {ivanti_endpoint_security: {group: '5'}}}]")
    load_library("projects: [{name: P, aliases: {ivanti_endpoint_security: {patch_list: '6'}}}]")
    asked: list[Callable[[], Any]] = [
        lambda: ies.endpoints.page(Listing([Term("name", "a", is_part=True)], "dns_name", top=5), SYSTEM),
        lambda: ies.endpoints.page(Listing(order_by="name", top=5), SYSTEM, ies.groups.members(5, SYSTEM)),
        lambda: ies.endpoints.get(only, SYSTEM),
        lambda: ies.groups.get(5, SYSTEM),
        lambda: ies.groups.all(SYSTEM),
        lambda: ies.patch_lists.get(6, SYSTEM),
        lambda: ies.patch_lists.all(SYSTEM),
    ]

    def counts() -> list[int]:
        found = []
        for ask in asked:
            ask()  # what is kept in memory is there then
            with statements(datastore) as sent:
                ask()
            found.append(len([one for one in sent if one.startswith("SELECT")]))
        return found

    only = enrol("a single one")
    a_world(datastore, enrol, 1)
    few = counts()
    for number in range(4):
        enrol(f"more {number}", address=f"127.0.2.{number}")
    load_library("teams: [" + ", ".join(f"{{name: t{number}}}" for number in range(5)) + "]")
    load_library("projects: [" + ", ".join(f"{{name: p{number}}}" for number in range(5)) + "]")
    assert counts() == few
    assert max(few) <= 14
