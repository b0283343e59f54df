"""Found computers: what discoveries tell of, stored as the inventory of computers, one row for each.

A computer is the one with the same MAC address; where that is not known, the one at the same address, else the one of
the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core.computers import AgentChange, FoundComputer, Way
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.base import Row
from dispatcher.datastore.found_computers import FOUND_COMPUTERS
from dispatcher.datastore.inserting import insert_all_missing
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.services.plans import Plans

#: The types of tasks that may say that they have taken an agent away.
_REMOVERS = frozenset({"agent_install", "agent_uninstall"})
_TAKEN_AWAY = frozenset({AgentChange.REMOVED, AgentChange.REPLACED})
_NO_MAC = frozenset({"", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"})
#: What a later discovery that has not asked for it leaves as it is.
_KEPT = (
    "address",
    "name",
    "dns_name",
    "netbios_name",
    "mac",
    "os",
    "description",
    "ports",
    "agent_id",
    "gone_agent_id",
)
_RUN = (
    select(JOBS.c.id, JOBS.c.what, AGENTS.c.os)
    .join(RUNS, RUNS.c.job_id == JOBS.c.id)
    .join(AGENTS, AGENTS.c.id == RUNS.c.agent_id)
)
_AGENTS = select(AGENTS.c.id, AGENTS.c.address, AGENTS.c.hostname, AGENTS.c.macs)
_COLUMNS = (*_KEPT, "identity", "ways", "found_at", "job_id")
_CHANGE = update(FOUND_COMPUTERS).where(FOUND_COMPUTERS.c.id == bindparam("key"))
_CHANGE = _CHANGE.values({name: bindparam(f"new_{name}") for name in _COLUMNS})


class FoundComputers:
    """Stores what is found. Works inside the caller's transaction."""

    def __init__(self, ports: Ports, plans: Plans) -> None:
        self._ports = ports
        self._plans = plans

    def store(self, session: Session, run_id: UUID, position: int, computers: Sequence[FoundComputer]) -> None:
        """Store *computers*, which the task at *position* of the run has found, by a few statements for all of them.

        What a discovery has not asked for stays as another one has found it. Agents that were taken away go later
        (``services.gone_agents``), but only those that are known to have been on the computer that is told of, and only
        if the task is one that does that: a task may print anything.
        """
        named = {identity: one for one in computers if (identity := _identity(one))}
        if not named:
            return
        run = session.execute(_RUN.where(RUNS.c.id == run_id)).one()
        gone = self._gone(session, named.values()) if self._type(session, run, position) in _REMOVERS else frozenset()
        known, now = _Known(session, named.values()), self._ports.now()
        new, changed = [], []
        for identity, one in known.surest_first(named):
            row = {**_row(one, gone), "identity": identity, "job_id": run.id, "found_at": now}
            old = known.take(identity, one)
            if old is None:
                new.append({**row, "id": self._ports.new_id(), "first_found_at": now})
            else:
                changed.append(_change(old, row))
        insert_all_missing(session, FOUND_COMPUTERS, new)
        if changed:
            session.connection().execute(_CHANGE, changed)

    def _type(self, session: Session, run: Any, position: int) -> str:
        """Return the type of the task at *position* of the run; empty if there is none."""
        tasks = [task for module in self._plans.outline(session, run.what, run.os) for task in module["tasks"]]
        return tasks[position]["type"] if position < len(tasks) else ""

    @staticmethod
    def _gone(session: Session, computers: Iterable[FoundComputer]) -> frozenset[UUID]:
        """Return the agents that were taken away from the computers that they are known to be on."""
        from_where = {
            one.gone_agent_id: one for one in computers if one.gone_agent_id is not None and one.change in _TAKEN_AWAY
        }
        rows = session.execute(_AGENTS.where(AGENTS.c.id.in_(from_where), AGENTS.c.removed_at.is_(None)))
        return frozenset(row.id for row in rows if _is_on(row, from_where[row.id]))


def _is_on(agent: Any, computer: FoundComputer) -> bool:
    names = {name.partition(".")[0].casefold() for name in (computer.name, computer.dns_name, computer.netbios_name)}
    return (
        (bool(agent.address) and agent.address == computer.address)
        or (computer.mac not in _NO_MAC and computer.mac in agent.macs)
        or (bool(agent.hostname) and agent.hostname.partition(".")[0].casefold() in names)
    )


class _Known:
    """The rows of computers that are known already; each is taken once."""

    def __init__(self, session: Session, computers: Iterable[FoundComputer]) -> None:
        told = list(computers)
        identities = {_identity(one) for one in told} | {_hash("address", one.address) for one in told if one.address}
        at = {one.address for one in told if one.address and one.mac in _NO_MAC}
        query = select(FOUND_COMPUTERS).where(
            or_(FOUND_COMPUTERS.c.identity.in_(identities), FOUND_COMPUTERS.c.address.in_(at))
        )
        rows = session.execute(query.order_by(FOUND_COMPUTERS.c.found_at)).mappings().all()
        self._by_identity: dict[bytes, Row] = {row["identity"]: row for row in rows}
        self._by_address: dict[str, Row] = {row["address"]: row for row in rows}  # of several the one found last
        self._taken: set[UUID] = set()

    def surest_first(self, named: Mapping[bytes, FoundComputer]) -> list[tuple[bytes, FoundComputer]]:
        """Return *named* in an order that is the same for all, so that nobody takes the row of a computer that has it.

        One at the address that another one had before is that one only if that is not told of as well.
        """
        return sorted(named.items(), key=lambda pair: (pair[0] not in self._by_identity, pair[0]))

    def take(self, identity: bytes, computer: FoundComputer) -> Row | None:
        """Return the row of *computer*; None if it is new."""
        row = self._by_identity.get(identity) or self._by_identity.get(_hash("address", computer.address))
        if row is None and computer.mac in _NO_MAC and computer.address:
            row = self._by_address.get(computer.address)
        if row is None or row["id"] in self._taken:
            return None
        self._taken.add(row["id"])
        return row


def _identity(computer: FoundComputer) -> bytes:
    """Return what tells *computer* from others; nothing if it has neither addresses nor a name."""
    for kind, text in (
        ("mac", "" if computer.mac in _NO_MAC else computer.mac),
        ("address", computer.address),
        ("name", computer.name.casefold()),
    ):
        if text:
            return _hash(kind, text)
    return b""


def _hash(kind: str, text: str) -> bytes:
    return sha256(f"{kind}:{text}".encode("utf-8", "surrogatepass")).digest()


def _row(computer: FoundComputer, gone: frozenset[UUID]) -> dict[str, Any]:
    """Return the columns that tell of *computer*; of the agents taken away those go that are *gone*."""
    return {
        "address": computer.address,
        "name": computer.name,
        "dns_name": computer.dns_name,
        "netbios_name": computer.netbios_name,
        "mac": "" if computer.mac in _NO_MAC else computer.mac,
        "os": computer.os,
        "description": computer.description,
        "ports": list(computer.ports),
        "ways": [way.value for way in computer.ways],
        "agent_id": computer.agent_id,
        "gone_agent_id": computer.gone_agent_id if computer.gone_agent_id in gone else None,
    }


def _change(old: Row, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes the row *old* what is known now."""
    new = {name: row[name] or old[name] if name in _KEPT else row[name] for name in _COLUMNS}
    if not row["mac"] and old["mac"]:
        new["identity"] = old["identity"]
    if Way.PORTS in row["ways"]:  # they were asked for
        new["ports"] = row["ports"]
    if row["gone_agent_id"] is not None:
        new["agent_id"] = row["agent_id"]
    return {"key": old["id"], **{f"new_{name}": value for name, value in new.items()}}
