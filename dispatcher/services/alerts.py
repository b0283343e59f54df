"""Alerts: what the server has seen that somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.alerts import ALERTS
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services.access import may_who

log = structlog.get_logger(__name__)

#: The most that one call lists.
MAX_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. ``agent`` is the name of the computer that it is about, if it is about one."""

    id: UUID
    at: datetime
    kind: str
    message: str
    agent_id: UUID | None
    agent: str
    job_id: UUID | None


class Alerts:
    """Keeps alerts and lists them."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports

    def put(
        self, session: Session, kind: str, message: str, agent_id: UUID | None = None, job_id: UUID | None = None
    ) -> None:
        """Keep an alert, in the caller's transaction; after its commit the log has it, too."""
        row = {"id": self._ports.new_id(), "at": self._ports.now(), "kind": kind, "message": message}
        session.connection().execute(insert(ALERTS), {**row, "agent_id": agent_id, "job_id": job_id})
        about = {"agent_id": str(agent_id or ""), "job_id": str(job_id or "")}
        after_commit(session, lambda: log.warning("alert.raised", kind=kind, message=message, **about))

    def list(
        self, caller: Caller, *, since: datetime | None = None, agent_id: UUID | None = None, limit: int = 100
    ) -> Sequence[Alert]:
        """Return the alerts, the newest first, at most *limit*; those from *since* on, and those about one agent.

        Needs Read on Jobs/Results. Those about agents that *caller* may not read are left out.
        """
        caller.require(Right.READ, Node.RESULTS)
        query = select(*_COLUMNS).outerjoin(AGENTS, AGENTS.c.id == ALERTS.c.agent_id)
        if since is not None:
            query = query.where(ALERTS.c.at >= since)
        if agent_id is not None:
            query = query.where(ALERTS.c.agent_id == agent_id)
        query = query.order_by(ALERTS.c.at.desc(), ALERTS.c.id.desc())
        with self._datastore.read() as session:
            found = islice(_readable(session, query, caller), min(limit, MAX_PAGE_SIZE))
            return [
                Alert(row.id, row.at, row.kind, row.message, row.agent_id, row.agent or "", row.job_id) for row in found
            ]


def _readable(session: Session, query: Any, caller: Caller) -> Iterator[Any]:
    """Give the alerts that the *query* is for but those about agents that *caller* may not read, a page at a time."""
    page = session.execute(query.limit(MAX_PAGE_SIZE)).all()
    while page:
        agents = {row.agent_id for row in page if row.agent_id is not None}
        who = [Who(agent_id, "", WhoKind.AGENT) for agent_id in agents]
        may = dict(zip(agents, may_who(session, Right.READ, who, caller), strict=True))
        yield from (row for row in page if may.get(row.agent_id, True))
        if len(page) < MAX_PAGE_SIZE:
            return
        at, key = page[-1].at, page[-1].id
        is_older = (ALERTS.c.at < at) | ((ALERTS.c.at == at) & (ALERTS.c.id < key))
        page = session.execute(query.where(is_older).limit(MAX_PAGE_SIZE)).all()


_COLUMNS = (*ALERTS.c, AGENTS.c.name.label("agent"))
