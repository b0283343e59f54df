"""Endpoints: agents, and computers that discoveries have found and that have no agent.

A found computer is the one of an agent that was installed there, or has its MAC address, its address or its name. What
was found out about it is told with that agent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.base import Row
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import readable_agents
from dispatcher.services.topology import is_online

_COLUMNS = ("id", "name", "os", "os_version", "address", "hostname", "macs", "facts", "version", "licensed")
_MORE = ("online", "last_contact", "enrolled_at", "primary_team_id", "updated_at")
_AGENTS = (
    select(*(AGENTS.c[name] for name in (*_COLUMNS, *_MORE)))
    .where(AGENTS.c.removed_at.is_(None))
    .order_by(AGENTS.c.name, AGENTS.c.id)
)
_FOUND = select(FOUND_COMPUTERS).order_by(FOUND_COMPUTERS.c.name, FOUND_COMPUTERS.c.id)


class EndpointNotFound(NotFound):
    """The caller may see no endpoint with this id."""

    code = "ies.endpoint_not_found"
    kind = "endpoint"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A computer. ``found_at`` and what follows it are there if a discovery has found it."""

    id: UUID
    name: str
    address: str
    dns_name: str
    macs: Sequence[str]
    os: str
    os_version: str
    has_agent: bool
    agent_version: str = ""
    is_online: bool = False
    last_contact: datetime | None = None
    enrolled_at: datetime | None = None
    modules: Sequence[str] = ()  #: what its agent was installed for
    found_at: datetime | None = None
    netbios_name: str = ""
    description: str = ""
    ports: Sequence[int] = ()
    ways: Sequence[str] = ()  #: by what it was found


class Endpoints:
    """Shows endpoints."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports

    def all(self, caller: Caller) -> list[Endpoint]:
        """Return the endpoints that *caller* may see, by name: those without an agent if he may read all agents."""
        if not caller.may_some(Right.READ, Node.AGENTS):
            return []
        with self._datastore.read() as session:
            rows: Sequence[Any] = session.execute(_AGENTS).all()
            found = _Found(session, rows)
            visible = list(readable_agents(session, rows, caller))
        endpoints = [self._of_agent(row, found.of_agents.get(row.id)) for row in visible]
        if caller.may_all(Right.READ, Node.AGENTS):
            endpoints += [_of_computer(row) for row in found.without_agent]
        return sorted(endpoints, key=lambda one: (one.name.casefold(), one.id))

    def get(self, endpoint_id: UUID, caller: Caller) -> Endpoint:
        """Return the endpoint.

        :raises EndpointNotFound: if there is none with this id that *caller* may see.
        """
        caller.require_some(Right.READ, Node.AGENTS)
        for one in self.all(caller):
            if one.id == endpoint_id:
                return one
        raise EndpointNotFound(endpoint_id)

    def _of_agent(self, row: Any, found: Row | None) -> Endpoint:
        known: dict[str, Any] = {} if found is None else _discovered(found)
        return Endpoint(
            id=row.id,
            name=row.name,
            address=row.address or (found["address"] if found else ""),
            dns_name=(found["dns_name"] if found else "") or row.hostname,
            macs=row.macs,
            os=row.os,
            os_version=row.os_version,
            has_agent=row.enrolled_at is not None,
            agent_version=row.version,
            is_online=is_online(row, self._ports.now()),
            last_contact=row.last_contact,
            enrolled_at=row.enrolled_at,
            modules=[one for one in str(row.facts.get("modules", "")).split(",") if one],
            **known,
        )


class _Found:
    """What discoveries know, by the agents on the computers, and of computers without one."""

    def __init__(self, session: Session, agents: Sequence[Any]) -> None:
        self.of_agents: dict[UUID, Row] = {}
        self.without_agent: list[Row] = []
        by_key = _by_key(agents)
        present = {row.id for row in agents}
        for row in session.execute(_FOUND).mappings():
            on_it = [key for keys in map(by_key.get, _keys(row)) for key in keys or ()]
            if row["agent_id"] in present:
                on_it.insert(0, row["agent_id"])
            for agent_id in on_it:
                last = self.of_agents.get(agent_id)
                if last is None or last["found_at"] < row["found_at"]:
                    self.of_agents[agent_id] = row
            if not on_it:
                self.without_agent.append(row)


def _by_key(agents: Iterable[Any]) -> Mapping[tuple[str, str], Sequence[UUID]]:
    found: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
    for row in agents:
        for key in {("address", row.address), ("name", row.hostname.casefold()), *(("mac", mac) for mac in row.macs)}:
            if key[1]:
                found[key].append(row.id)
    return found


def _keys(row: Row) -> Iterator[tuple[str, str]]:
    yield "mac", row["mac"]
    yield "address", row["address"]
    yield "name", row["dns_name"].casefold()


def _discovered(row: Row) -> dict[str, Any]:
    return {
        "found_at": row["found_at"],
        "netbios_name": row["netbios_name"],
        "description": row["description"],
        "ports": row["ports"],
        "ways": row["ways"],
    }


def _of_computer(row: Row) -> Endpoint:
    return Endpoint(
        id=row["id"],
        name=row["name"] or row["address"],
        address=row["address"],
        dns_name=row["dns_name"],
        macs=[row["mac"]] if row["mac"] else [],
        os=row["os"],
        os_version="",
        has_agent=False,
        **_discovered(row),
    )
