"""The survey: all endpoints at a glance, of which a page is chosen.

Of thousands of computers it reads those columns only that a question is about, and makes nothing of them but keys.
Whatever the number of computers, these are two statements.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import String, and_, cast, select
from sqlalchemy.orm import Session

from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.services.access import readable_agents
from dispatcher.services.found_computers import has_card, has_name
from dispatcher.services.ivanti_endpoint_security.listing import Listing, fitting, sortable
from dispatcher.services.topology import is_online

#: By what an agent is taken for the one on a found computer, and what else is always read; they are read by place.
_AGENTS = ("number", "name", "address", "hostname")
_NUMBER, _NAME, _ADDRESS, _HOSTNAME, _MACS = range(5)
_COMPUTERS = ("name", "address", "dns_name", "mac", "identity")
_COMPUTER_ADDRESS, _DNS_NAME, _MAC, _IDENTITY, _WAYS, _AGENT_NUMBER = range(1, 7)

#: How what was found on an agent's computer is looked up.
_Found = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an endpoint: how it is had of the row of an agent, and of a computer without one."""

    of_agent: Callable[[Any, _Found, datetime], Any]
    of_computer: Callable[[Any], Any]
    of_agents: tuple[str, ...] = ()  #: the columns that are read for it
    of_computers: tuple[str, ...] = ()


def _told(name: str, otherwise: Any) -> _Member:
    """Return what only discoveries tell."""

    def of_agent(agent: Any, found_on: _Found, _now: datetime) -> Any:
        found = found_on(agent)
        return otherwise if found is None else getattr(found, name)

    return _Member(of_agent, attrgetter(name), (), (name,))


def _of_agents(name: str, otherwise: Any) -> _Member:
    """Return what only agents tell."""
    return _Member(lambda agent, _found_on, _now: getattr(agent, name), lambda _computer: otherwise, (name,))


def _address(agent: Any, found_on: _Found, _now: datetime) -> Any:
    return agent.address or getattr(found_on(agent), "address", "")


def _dns_name(agent: Any, found_on: _Found, _now: datetime) -> Any:
    return getattr(found_on(agent), "dns_name", "") or agent.hostname


#: The members that endpoints are found and sorted by (``endpoints.Endpoint``).
_MEMBERS: Mapping[str, _Member] = {
    "id": _Member(lambda agent, _found_on, _now: agent.id, attrgetter("id"), ("id",), ("id",)),
    "name": _Member(lambda agent, _found_on, _now: agent.name, lambda computer: computer.name or computer.address),
    "address": _Member(_address, attrgetter("address")),
    "dns_name": _Member(_dns_name, attrgetter("dns_name")),
    "os": _Member(lambda agent, _found_on, _now: agent.os, attrgetter("os"), ("os",), ("os",)),
    "os_version": _of_agents("os_version", ""),
    "has_agent": _Member(
        lambda agent, _found_on, _now: agent.enrolled_at is not None, lambda _computer: False, ("enrolled_at",)
    ),
    "agent_version": _Member(lambda agent, _found_on, _now: agent.version, lambda _computer: "", ("version",)),
    "is_online": _Member(
        lambda agent, _found_on, now: is_online(agent, now), lambda _computer: False, ("online", "last_contact")
    ),
    "last_contact": _of_agents("last_contact", None),
    "enrolled_at": _of_agents("enrolled_at", None),
    "found_at": _told("found_at", None),
    "netbios_name": _told("netbios_name", ""),
    "description": _told("description", ""),
}


@dataclass(frozen=True, slots=True)
class Key:
    """An endpoint: the number of an agent, with the identity of what was found there last, if anything was; or the
    identity of a found computer without an agent.
    """

    agent: int | None
    computer: bytes | None


class Survey:
    """What there is in one transaction, as far as *listing* asks for it."""

    def __init__(self, session: Session, listing: Listing, now: datetime) -> None:
        self._session = session
        self._listing = listing
        self._now = now
        self._asked = [_MEMBERS[name] for name in {listing.order_by, *(term.name for term in listing.terms)}]

    def page(self, caller: Caller, among: Collection[UUID] | None = None) -> tuple[list[Key], int]:
        """Return the endpoints on the page that is asked for, and how many there are on all pages.

        They are those that *caller* may read; *among* these agents, unless it is None. By name, as far as the listing
        does not say otherwise: agents before computers of the same name, older ones first.
        """
        agents, computers = self._agents(caller, among), self._computers()
        found_on = _Discovered(computers)
        alone: Sequence[Any] = ()
        if among is None and caller.may_all(Right.READ, Node.AGENTS):
            alone = _without_agent(agents, computers)
        if among is not None:
            wanted = frozenset(among)
            agents = [row for row in agents if row.id in wanted]
        agents = list(readable_agents(self._session, agents, caller))
        for term in self._listing.terms:
            member, fits = _MEMBERS[term.name], fitting(term)
            of_agent, of_computer, now = member.of_agent, member.of_computer, self._now
            agents = [row for row in agents if fits(of_agent(row, found_on, now))]
            alone = [row for row in alone if fits(of_computer(row))]
        keys = [
            Key(agents[place][_NUMBER], found_on.identity(agents[place]))
            if place < len(agents)
            else Key(None, bytes(alone[place - len(agents)][_IDENTITY]))
            for place in self._places(agents, alone, found_on)
        ]
        return keys, len(agents) + len(alone)

    def _places(self, agents: Sequence[Any], alone: Sequence[Any], found_on: _Found) -> Sequence[int]:
        """Return the places of those on the page in the list of *agents* with *alone* behind it."""
        listing = self._listing
        names = [row[_NAME].casefold() for row in agents]
        names += [(row.name or row.address).casefold() for row in alone]
        places = sorted(range(len(names)), key=names.__getitem__)
        if listing.order_by != "name" or listing.descending:
            member, now = _MEMBERS[listing.order_by], self._now
            values = [sortable(member.of_agent(row, found_on, now)) for row in agents]
            values += [sortable(member.of_computer(row)) for row in alone]
            places.sort(key=values.__getitem__, reverse=listing.descending)
        return places[listing.skip : None if listing.top is None else listing.skip + listing.top]

    def _agents(self, caller: Caller, among: Collection[UUID] | None) -> Sequence[Any]:
        names = dict.fromkeys(name for member in self._asked for name in member.of_agents)
        if among is not None or Node.AGENTS in caller.fine:
            names |= dict.fromkeys(("id", "primary_team_id"))
        # As text: one text of all of them is read much faster than thousands.
        macs = cast(AGENTS.c.macs, String).label("macs")
        query = select(*(AGENTS.c[name] for name in _AGENTS), macs, *(AGENTS.c[name] for name in names))
        present = query.where(AGENTS.c.removed_at.is_(None)).order_by(AGENTS.c.number)
        return self._session.connection().execute(present).all()

    def _computers(self) -> Sequence[Any]:
        """Return the found computers, those found last at the end."""
        names = dict.fromkeys(name for member in self._asked for name in member.of_computers)
        columns = [*(FOUND_COMPUTERS.c[name] for name in _COMPUTERS), cast(FOUND_COMPUTERS.c.ways, String)]
        is_known = and_(AGENTS.c.id == FOUND_COMPUTERS.c.agent_id, AGENTS.c.removed_at.is_(None))
        query = select(*columns, AGENTS.c.number, *(FOUND_COMPUTERS.c[name] for name in names))
        ordered = query.outerjoin(AGENTS, is_known).order_by(FOUND_COMPUTERS.c.found_at, FOUND_COMPUTERS.c.id)
        return self._session.connection().execute(ordered).all()


class _Discovered:
    """Finds what was found last on the computer of an agent."""

    def __init__(self, computers: Sequence[Any]) -> None:
        self._computers = computers

    def __call__(self, agent: Any) -> Any:
        """Return the row of the computer that *agent* is on; None if nobody has found it."""
        address, name, by_mac, by_number = self._places
        places = [address.get(agent[_ADDRESS], -1), name.get(agent[_HOSTNAME].lower(), -1)]
        places += [by_mac.get(mac, -1) for mac in json.loads(agent[_MACS])]
        last = max(*places, by_number.get(agent[_NUMBER], -1))
        return None if last < 0 else self._computers[last]

    def identity(self, agent: Any) -> bytes | None:
        """Return the identity of that computer."""
        found = self(agent)
        return None if found is None else bytes(found[_IDENTITY])

    @cached_property
    def _places(self) -> list[dict[Any, int]]:
        """The places of the last computers with an address, a name, a MAC address, and the number of an agent."""
        rows = self._computers
        found: list[dict[Any, int]] = [
            {row[_COMPUTER_ADDRESS]: place for place, row in enumerate(rows)},
            {row[_DNS_NAME].lower(): place for place, row in enumerate(rows) if _has_name(row)},
            {row[_MAC]: place for place, row in enumerate(rows) if _has_card(row)},
            {row[_AGENT_NUMBER]: place for place, row in enumerate(rows)},
        ]
        for places in found:
            places.pop("", None)
        return found


def _without_agent(agents: Sequence[Any], computers: Iterable[Any]) -> list[Any]:
    """Return those of *computers* that none of *agents* is on."""
    addresses = {row[_ADDRESS] for row in agents} - {""}
    names = {row[_HOSTNAME].lower() for row in agents} - {""}
    macs = {mac for some in json.loads(f"[{','.join([row[_MACS] for row in agents])}]") for mac in some} - {""}
    return [
        row
        for row in computers
        if row[_AGENT_NUMBER] is None
        and not (row[_MAC] in macs and _has_card(row))
        and row[_COMPUTER_ADDRESS] not in addresses
        and not (row[_DNS_NAME].lower() in names and _has_name(row))
    ]


def _has_name(row: Any) -> bool:
    return has_name(row[_DNS_NAME], row[_WAYS])


def _has_card(row: Any) -> bool:
    return has_card(row[_MAC], row[_IDENTITY])
