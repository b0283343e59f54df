"""Endpoints: agents, and computers that discoveries have found and that have no agent.

A found computer is the one of an agent that was installed there, or has its MAC address, its address or its name; not
by what it says of itself alone. What was found out about it is told with that agent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, false, func, or_, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotFound
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.base import Row
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import readable_agents
from dispatcher.services.found_computers import has_card, has_name
from dispatcher.services.ivanti_endpoint_security.listing import Listed, Listing, fitting
from dispatcher.services.ivanti_endpoint_security.survey import Key, Survey
from dispatcher.services.portions import portions
from dispatcher.services.topology import is_online

_COLUMNS = ("number", "id", "name", "os", "os_version", "address", "hostname", "macs", "facts", "version")
_MORE = ("online", "last_contact", "enrolled_at", "primary_team_id")
_AGENTS = select(*(AGENTS.c[name] for name in (*_COLUMNS, *_MORE))).where(AGENTS.c.removed_at.is_(None))
_FOUND = select(FOUND_COMPUTERS)


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

    def page(self, listing: Listing, caller: Caller, among: Collection[UUID] | None = None) -> Listed[Endpoint]:
        """Return the endpoints that *listing* asks for, and how many there are, of those that *caller* may see.

        They are agents, of *among* unless that is None; else also computers without one, if he may read all agents.
        """
        if not caller.may_some(Right.READ, Node.AGENTS):
            return Listed([], 0)
        only = next((term.value for term in listing.terms if term.name == "id"), None)
        if only is not None and among is None:
            return self._single(only, listing, caller)
        with self._datastore.read() as session:
            keys, total = Survey(session, listing, self._ports.now()).page(caller, among)
            agents = _rows(session, _AGENTS, AGENTS.c.number, [key.agent for key in keys])
            found = _rows(session, _FOUND, FOUND_COMPUTERS.c.identity, [key.computer for key in keys])
        shown = [self._shown(key, agents, found) for key in keys]
        return Listed([one for one in shown if one is not None], total)

    def _single(self, endpoint_id: UUID, listing: Listing, caller: Caller) -> Listed[Endpoint]:
        """Return the endpoint as a list, if *listing* asks for it: there is no need to look at others."""
        try:
            one = self.get(endpoint_id, caller)
        except EndpointNotFound:
            return Listed([], 0)
        fits = all(fitting(term)(getattr(one, term.name)) for term in listing.terms)
        is_shown = fits and listing.skip == 0 and listing.top != 0
        return Listed([one] if is_shown else [], int(fits))

    def all(self, caller: Caller) -> Sequence[Endpoint]:
        """Return all endpoints that *caller* may see, by name; see ``page``."""
        return self.page(Listing(order_by="name", top=None), caller).items

    def get(self, endpoint_id: UUID, caller: Caller) -> Endpoint:
        """Return the endpoint.

        :raises EndpointNotFound: if there is none with this id that *caller* may see.
        """
        caller.require_some(Right.READ, Node.AGENTS)
        with self._datastore.read() as session:
            agent: Any = session.execute(_AGENTS.where(AGENTS.c.id == endpoint_id)).first()
            if agent is not None:
                for visible in readable_agents(session, [agent], caller):
                    return self._of_agent(visible, _found_on(session, agent))
            elif caller.may_all(Right.READ, Node.AGENTS):
                row = session.execute(_FOUND.where(FOUND_COMPUTERS.c.id == endpoint_id)).mappings().first()
                if row is not None and not _is_taken(session, row):
                    return _of_computer(row)
        raise EndpointNotFound(endpoint_id)

    def _shown(self, key: Key, agents: Mapping[Any, Row], found: Mapping[Any, Row]) -> Endpoint | None:
        """Return the endpoint; None if it has gone since it was chosen: some databases show each statement the news."""
        agent, computer = agents.get(key.agent), found.get(key.computer)
        if key.agent is not None:
            return None if agent is None else self._of_agent(agent, computer)
        return None if computer is None else _of_computer(computer)

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


def _rows(session: Session, query: Any, key: Any, wanted: Sequence[Any]) -> dict[Any, Any]:
    """Return the rows of *query* with the *wanted* values in the column *key*, by these; None is none."""
    found: dict[Any, Any] = {}
    for some in portions(one for one in wanted if one is not None):
        for row in session.execute(query.where(key.in_(some))).mappings():
            value = row[key.name]
            found[bytes(value) if isinstance(value, memoryview) else value] = row
    return found


def _found_on(session: Session, agent: Any) -> Row | None:
    """Return what was found last on the computer of *agent*; None if nothing was."""
    conditions = [FOUND_COMPUTERS.c.agent_id == agent.id]
    if agent.macs:
        conditions.append(FOUND_COMPUTERS.c.mac.in_(agent.macs))
    if agent.address:
        conditions.append(FOUND_COMPUTERS.c.address == agent.address)
    if agent.hostname:
        conditions.append(_is_named(FOUND_COMPUTERS.c.dns_name, agent.hostname))
    query = _FOUND.where(or_(*conditions)).order_by(FOUND_COMPUTERS.c.found_at.desc(), FOUND_COMPUTERS.c.id.desc())
    rows = session.execute(query).mappings()
    return next((row for row in rows if _is_on(agent, row)), None)


def _is_taken(session: Session, computer: Row) -> bool:
    """Whether an agent is on *computer*."""
    conditions = [false() if computer["agent_id"] is None else AGENTS.c.id == computer["agent_id"]]
    if computer["mac"]:
        conditions.append(cast(AGENTS.c.macs, String).contains(computer["mac"], autoescape=True))
    if computer["address"]:
        conditions.append(AGENTS.c.address == computer["address"])
    if computer["dns_name"]:
        conditions.append(_is_named(AGENTS.c.hostname, computer["dns_name"]))
    return any(_is_on(agent, computer) for agent in session.execute(_AGENTS.where(or_(*conditions))))


def _is_named(column: Any, name: str) -> Any:
    """Return what holds at least of all rows whose *column* is *name*, in any letter case."""
    # SQLite knows the case of ASCII letters only.
    return func.lower(column) == name.lower() if name.isascii() else column != ""


def _is_on(agent: Any, computer: Row) -> bool:
    """Whether *agent* is on *computer*, as in a survey."""
    address, name = computer["address"], computer["dns_name"]
    return (
        agent.id == computer["agent_id"]
        or (computer["mac"] in agent.macs and has_card(computer["mac"], computer["identity"]))
        or bool(address and address == agent.address)
        or (name.lower() == agent.hostname.lower() and has_name(name, computer["ways"]))
    )


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
