"""Found computers: what discoveries tell of, stored as the inventory of computers, one row for each.

A computer is the one with the same MAC address; where that is not known, the one at the same address, else the one of
the same name. What a computer says of its own MAC address does not count for that: any could say another one's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.computers import AgentChange, FoundComputer, Way, proof
from dispatcher.core.errors import Deadlock
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.base import Row
from dispatcher.datastore.found_computers import FOUND_COMPUTERS, GONE_AGENTS
from dispatcher.datastore.inserting import insert_all_missing
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.services.plans import Plans

#: The types of tasks that may tell of agents, and of computers.
_SETUPS = frozenset({"agent_install", "agent_uninstall"})
_FINDERS = _SETUPS | {"discovery"}
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
)
_RUN = (
    select(JOBS.c.id, JOBS.c.what, AGENTS.c.os)
    .join(RUNS, RUNS.c.job_id == JOBS.c.id)
    .join(AGENTS, AGENTS.c.id == RUNS.c.agent_id)
)
_SECRETS = select(AGENTS.c.id, AGENTS.c.secret_hash).where(AGENTS.c.removed_at.is_(None))
_COLUMNS = (*_KEPT, "identity", "ways", "found_at", "job_id")
_CHANGE = update(FOUND_COMPUTERS).where(FOUND_COMPUTERS.c.id == bindparam("key"))
_CHANGE = _CHANGE.values({name: bindparam(f"new_{name}") for name in _COLUMNS})
#: How often others may be first to tell that one of their computers is one of those that are told of.
_TRIES = 10


class FoundComputers:
    """Stores what is found. Works inside the caller's transaction."""

    def __init__(self, ports: Ports, plans: Plans) -> None:
        self._ports = ports
        self._plans = plans

    def store(self, session: Session, run_id: UUID, position: int, computers: Sequence[FoundComputer]) -> None:
        """Store *computers*, which the task at *position* of the run has found, by a few statements for all of them.

        What a discovery has not asked for stays as another one has found it. Agents that were taken away go later
        (``services.gone_agents``). Any task can print anything, and so can the computers that it has logged in to: only
        those that look for computers are believed, and of agents only what is proven by the secrets of these.

        :raises Deadlock: if too many others tell of the same computers at this moment.
        """
        named = {identity: one for one in computers if (identity := _identity(one))}
        if not named:
            return
        run = session.execute(_RUN.where(RUNS.c.id == run_id)).one()
        kind = self._type(session, run, position)
        if kind not in _FINDERS:
            return
        proven = _proven(session, named.values()) if kind in _SETUPS else frozenset()
        told = {
            identity: {**_row(one, proven), "identity": identity, "job_id": run.id, "found_at": self._ports.now()}
            for identity, one in named.items()
        }
        gone = {identity: one for identity, one in named.items() if _is_gone(one, proven)}
        if not any(self._write(session, named, told, gone) for _ in range(_TRIES)):
            raise Deadlock("too many tell of the same computers")
        self._note_gone(session, gone.values(), proven)

    def _write(
        self,
        session: Session,
        named: Mapping[bytes, FoundComputer],
        told: Mapping[bytes, dict[str, Any]],
        gone: Collection[bytes],
    ) -> bool:
        """Write what is *told* of the computers *named*; return False if somebody else was faster, who is read then.

        From those that are *gone* the agent was taken away.

        Two may learn at the same time which card a computer has that is known by two addresses: only one row gets it.
        """
        known = _Known(session, named.values())
        new, changed, is_certain = [], [], True
        for identity, one in known.surest_first(named):
            row, old = told[identity], known.take(identity, one)
            if old is None:
                new.append({**row, "id": self._ports.new_id(), "first_found_at": row["found_at"]})
            else:
                changed.append(_change(old, row, is_gone=identity in gone))
                is_certain = is_certain and changed[-1]["new_identity"] == old["identity"]
        insert_all_missing(session, FOUND_COMPUTERS, new)
        if not changed:
            return True
        connection = session.connection()
        if is_certain:
            connection.execute(_CHANGE, changed)
            return True
        try:
            with connection.begin_nested():
                connection.execute(_CHANGE, changed)
        except IntegrityError:
            return False
        return True

    def _note_gone(
        self, session: Session, computers: Iterable[FoundComputer], proven: frozenset[tuple[UUID, str]]
    ) -> None:
        now = self._ports.now()
        rows = [
            {"agent_id": one.gone_agent_id, "is_replaced": _is_on(one, proven), "told_at": now} for one in computers
        ]
        insert_all_missing(session, GONE_AGENTS, rows)

    def _type(self, session: Session, run: Any, position: int) -> str:
        """Return the type of the task at *position* of the run; empty if there is none."""
        tasks = [task for module in self._plans.outline(session, run.what, run.os) for task in module["tasks"]]
        return tasks[position]["type"] if position < len(tasks) else ""


def _proven(session: Session, computers: Iterable[FoundComputer]) -> frozenset[tuple[UUID, str]]:
    """Return those agents that *computers* have shown the secrets of, with the proofs of that."""
    shown = {
        (agent_id, text)
        for one in computers
        for agent_id, text in ((one.agent_id, one.agent_proof), (one.gone_agent_id, one.gone_agent_proof))
        if agent_id is not None and text
    }
    if not shown:
        return frozenset()
    rows = session.execute(_SECRETS.where(AGENTS.c.id.in_({agent_id for agent_id, _ in shown})))
    proofs = {row.id: proof(row.secret_hash).encode() for row in rows if row.secret_hash is not None}
    return frozenset(one for one in shown if compare_digest(proofs.get(one[0], b""), _bytes(one[1])))


class _Known:
    """The rows of computers that are known already; each is taken once."""

    def __init__(self, session: Session, computers: Iterable[FoundComputer]) -> None:
        told = list(computers)
        identities = {_identity(one) for one in told} | {_hash("address", one.address) for one in told if one.address}
        at = {one.address for one in told if one.address and not _card(one)}
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
        if row is None and computer.address and not _card(computer):
            row = self._by_address.get(computer.address)
        if row is None or row["id"] in self._taken:
            return None
        self._taken.add(row["id"])
        return row


def _identity(computer: FoundComputer) -> bytes:
    """Return what tells *computer* from others; nothing if it has neither addresses nor a name."""
    for kind, text in (
        ("mac", _card(computer)),
        ("address", computer.address),
        ("name", computer.name.casefold()),
    ):
        if text:
            return _hash(kind, text)
    return b""


def _card(computer: FoundComputer) -> str:
    """Return the MAC address of *computer*, if the system of whoever has found it knows that; else nothing."""
    return computer.mac if Way.MAC in computer.ways and computer.mac not in _NO_MAC else ""


def has_card(mac: str, identity: bytes) -> bool:
    """Whether the computer with this *identity* is known by *mac*: it is not only what it says of itself."""
    return bool(mac) and bytes(identity) == _hash("mac", mac)


def has_name(dns_name: str, ways: str | Collection[str]) -> bool:
    """Whether DNS has told *dns_name* of a computer found in these *ways*, a list or its text, and not only itself."""
    return bool(dns_name) and Way.DNS in ways


def _hash(kind: str, text: str) -> bytes:
    return sha256(_bytes(f"{kind}:{text}")).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _row(computer: FoundComputer, proven: frozenset[tuple[UUID, str]]) -> dict[str, Any]:
    """Return the columns that tell of *computer*; of agents only those that are *proven*."""
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
        "agent_id": computer.agent_id if _is_on(computer, proven) else None,
    }


def _is_on(computer: FoundComputer, proven: frozenset[tuple[UUID, str]]) -> bool:
    return (computer.agent_id, computer.agent_proof) in proven


def _is_gone(computer: FoundComputer, proven: frozenset[tuple[UUID, str]]) -> bool:
    return computer.change in _TAKEN_AWAY and (computer.gone_agent_id, computer.gone_agent_proof) in proven


def _change(old: Row, row: Mapping[str, Any], *, is_gone: bool) -> dict[str, Any]:
    """Return what makes the row *old* what is known now."""
    new = {name: row[name] or old[name] if name in _KEPT else row[name] for name in _COLUMNS}
    if has_card(old["mac"], old["identity"]) and not has_card(row["mac"], row["identity"]):
        new |= {"mac": old["mac"], "identity": old["identity"]}
    if Way.PORTS in row["ways"]:  # they were asked for
        new["ports"] = row["ports"]
    if is_gone:
        new["agent_id"] = row["agent_id"]
    return {"key": old["id"], **{f"new_{name}": value for name, value in new.items()}}
