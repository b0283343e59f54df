"""Waking: computers that are asleep and have work are switched on by agents that are awake near them.

Who is asleep and who could wake it is found out again and again, by every dispatcher from the datastore alone. All come
to the same answer, and each hands it to the agents that call in there. A packet too many does no harm, and one that got
lost is sent again, less and less often.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from sqlalchemy import or_, select

from dispatcher.core.holds import Hold
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.topology import ONLINE_FOR

#: How often to look who sleeps.
LOOK_EVERY = timedelta(seconds=15)
#: How long to wait before a computer that still sleeps is woken again; twice as long each time, up to the second.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
#: How many agents are asked to wake one computer.
PEERS = 2


class Waking:
    """Asks agents to wake others. May be used by many threads."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports
        self._lock = Lock()
        self._macs: dict[UUID, set[str]] = {}
        self._again: dict[UUID, tuple[datetime, timedelta]] = {}

    def look(self) -> int:
        """Note who has to be woken by whom, and wake the polls of these agents; return how many computers sleep.

        Those sleep that are offline and have a run to fetch, or one that waits for their next boot, of a job that
        uses Wake-on-LAN.
        """
        now = self._ports.now()
        sleepers = self._sleepers(now)
        due = [(key, macs, address) for key, macs, address in sleepers if self._is_due(key, now)]
        with self._lock:
            self._again = {key: self._again[key] for key, _, _ in sleepers if key in self._again}
            self._macs = self._asked(due, now) if due else {}
            peers = list(self._macs)
        if peers:
            self._ports.wakeup.agents(peers)
        return len(sleepers)

    def concerns(self, agent_id: UUID) -> bool:
        """Whether there is anybody for this agent to wake now."""
        return agent_id in self._macs

    def take(self, agent_id: UUID, most: int) -> list[str]:
        """Return the MAC addresses that this agent shall wake now, each once; at most so many, the rest next time."""
        if not self._macs:
            return []
        with self._lock:
            macs = sorted(self._macs.pop(agent_id, ()))
            if len(macs) > most:
                self._macs[agent_id] = set(macs[most:])
            return macs[:most]

    def _is_due(self, sleeper: UUID, now: datetime) -> bool:
        due_at, pause = self._again.get(sleeper, (now, FIRST_PAUSE))
        if now < due_at:
            return False
        self._again[sleeper] = (now + pause, min(2 * pause, LONGEST_PAUSE))
        return True

    def _sleepers(self, now: datetime) -> list[tuple[UUID, Sequence[str], str]]:
        work = (
            select(RUNS.c.agent_id)
            .join(JOBS, JOBS.c.id == RUNS.c.job_id)
            .where(
                JOBS.c.state == State.ACTIVE,
                JOBS.c.use_wake_on_lan,
                RUNS.c.state == State.PENDING,
                or_(RUNS.c.hold.is_(None), RUNS.c.hold == Hold.BOOT),
            )
        )
        is_offline = or_(~Agent.online, Agent.last_contact.is_(None), Agent.last_contact < now - ONLINE_FOR)
        query = select(Agent.id, Agent.macs, Agent.address).where(is_offline, Agent.id.in_(work))
        with self._datastore.read() as session:
            return [(key, macs, address) for key, macs, address in session.execute(query) if macs]

    def _asked(self, sleepers: Iterable[tuple[UUID, Sequence[str], str]], now: datetime) -> dict[UUID, set[str]]:
        """Return which MAC addresses each agent shall wake: those of its own network, if anybody is awake there."""
        awake: defaultdict[str, list[UUID]] = defaultdict(list)
        query = select(Agent.id, Agent.address).where(Agent.online, Agent.last_contact >= now - ONLINE_FOR)
        with self._datastore.read() as session:
            for agent_id, address in session.execute(query.order_by(Agent.id)):
                awake[network_of(address)].append(agent_id)
        anybody = [agent_id for agents in awake.values() for agent_id in agents[:PEERS]]
        asked: defaultdict[UUID, set[str]] = defaultdict(set)
        for _, macs, address in sleepers:
            network = network_of(address)
            near = awake.get(network, []) if network else []
            for agent_id in (near or anybody)[:PEERS]:
                asked[agent_id].update(macs)
        return dict(asked)


def network_of(address: str) -> str:
    """Return what computers of one network share of their addresses: 24 bits of IPv4, 64 of IPv6; empty if unknown."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    prefix = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
