"""Outputs: what the scripts of a tenant's jobs wrote, one entry for each run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Invoker, WhatKind, Who, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.base import Row
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.opsramp import OpsRampJob, OpsRampJobScript
from dispatcher.datastore.runs import RUNS, TASK_RESULTS
from dispatcher.datastore.targets import target, with_targets
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import may_who, require_what
from dispatcher.services.opsramp.queries import Query, SortedPage
from dispatcher.services.opsramp.resources import Resource, describe
from dispatcher.services.opsramp.script_library import ScriptNotFound
from dispatcher.services.opsramp.scripts import Script, find_script
from dispatcher.services.opsramp.tenants import Tenants
from dispatcher.services.output import pieces

#: How much of the end of each task's output is shown, in bytes.
MAX_OUTPUT_BYTES = 64 * 1024
_ORDERS: Any = OpsRampJob.__table__
_RAN: Any = OpsRampJobScript.__table__
#: The runs that have ended of all scripts, with whom they were for.
_RUNS = (
    with_targets(
        select(
            RUNS,
            target("id").label("resource_id"),
            JOBS.c.number.label("job_number"),
            JOBS.c.description,
            JOBS.c.invoker,
            JOBS.c.invoker_info,
        )
    )
    .join(JOBS, JOBS.c.id == RUNS.c.job_id)
    .join(_ORDERS, _ORDERS.c.job_id == JOBS.c.recurring_id)
    .join(_RAN, (_RAN.c.job_id == _ORDERS.c.job_id) & (_RAN.c.after < JOBS.c.number))
    .where(or_(_RAN.c.until.is_(None), _RAN.c.until >= JOBS.c.number), RUNS.c.state.in_(FINISHED))
)


@dataclass(frozen=True, slots=True)
class ScriptOutput:
    """What a run of a script wrote, or why it did not. ``on_demand`` says that somebody asked for the run."""

    text: str
    ended_at: datetime
    on_demand: bool
    job_number: int
    job_name: str
    resource: Resource | None
    login: str


class ScriptOutputs:
    """Shows outputs."""

    def __init__(self, datastore: Datastore, tenants: Tenants) -> None:
        self._datastore = datastore
        self._tenants = tenants

    def search(self, tenant_id: str, number: int, query: Query, caller: Caller) -> SortedPage[ScriptOutput]:
        """Return the page of what runs of the script wrote in jobs of the tenant, by when they ended.

        Runs for computers that *caller* may not read are left out.

        :raises TenantNotFound: if there is no such tenant.
        :raises ScriptNotFound: if there is no such script.
        :raises Forbidden: without Read on Jobs/Results and on the script.
        """
        caller.require(Right.READ, Node.RESULTS)
        with self._datastore.read() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
            script = find_script(session, number, removed=True)
            if script is None:
                raise ScriptNotFound(str(number))
            require_what(session, [{"kind": WhatKind.MODULE, "id": str(script.module_id)}], caller)
            runs = _RUNS.where(_ORDERS.c.team_id.in_(tenant.teams), _RAN.c.script_id == script.module_id)
            ended = RUNS.c.stopped_at
            ordered = runs.order_by(*(ended.desc(), RUNS.c.id.desc()) if query.descending else (ended, RUNS.c.id))
            total, page = _page(session, ordered, query, caller)
            rows = session.execute(page).mappings().all()
            resources = describe(session, {row["resource_id"] for row in rows}, tenant, caller)
            items = [_output(session, row, resources) for row in rows]
        return SortedPage(items, total, query.page, query.page_size, "response_time", query.descending)


def _page(session: Session, runs: Select[Any], query: Query, caller: Caller) -> tuple[int, Select[Any]]:
    """Return how many of *runs* are for whom *caller* may read, and those of the page that *query* asks for."""
    start = (query.page - 1) * query.page_size
    if caller.may_all(Right.READ, Node.AGENTS):
        total = session.scalar(select(func.count()).select_from(runs.order_by(None).subquery())) or 0
        return total, runs.limit(query.page_size).offset(start)
    found = session.execute(runs.with_only_columns(RUNS.c.id, target("id"))).tuples().all()
    agents = sorted({agent_id for _, agent_id in found})
    may = may_who(session, Right.READ, [Who(agent_id, "", WhoKind.AGENT) for agent_id in agents], caller)
    readable = {agent_id for agent_id, allowed in zip(agents, may, strict=True) if allowed}
    shown = [run_id for run_id, agent_id in found if agent_id in readable]
    return len(shown), runs.where(RUNS.c.id.in_(shown[start : start + query.page_size]))


def note_script(session: Session, job_id: UUID, script: Script | None) -> None:
    """Note that the recurring job, which is locked, runs *script* from its next occurrence on."""
    latest = session.scalar(select(func.max(JOBS.c.number)).where(JOBS.c.recurring_id == job_id)) or 0
    now = session.execute(select(_RAN).where(_RAN.c.job_id == job_id, _RAN.c.until.is_(None))).one_or_none()
    wanted = None if script is None else script.module_id
    if now is not None and now.script_id == wanted:
        return
    if now is not None:
        changed: Any = update(_RAN).values(until=latest) if latest > now.after else delete(_RAN)
        session.execute(changed.where(_RAN.c.job_id == job_id, _RAN.c.after == now.after))
    if wanted is not None:
        session.execute(insert(_RAN).values(job_id=job_id, after=latest, until=None, script_id=wanted))


def _output(session: Session, row: Row, resources: dict[UUID, Resource]) -> ScriptOutput:
    return ScriptOutput(
        text=_text(session, row["id"]) or _reason(row),
        ended_at=row["stopped_at"],
        on_demand=row["invoker"] == Invoker.USER,
        job_number=row["job_number"],
        job_name=row["description"],
        resource=resources.get(row["resource_id"]),
        login=row["invoker_info"],
    )


def _reason(row: Row) -> str:
    """Return why nothing was written, in words; nothing if all went well."""
    state = State(row["state"])
    return "" if state is State.COMPLETED else row["reason"] or state.text


def _text(session: Session, run_id: UUID) -> str:
    """Return what the tasks of the run wrote, one after the other."""
    tasks = select(TASK_RESULTS.c.position, TASK_RESULTS.c.output_bytes).where(TASK_RESULTS.c.run_id == run_id)
    kept = [
        data
        for position, size in session.execute(tasks.order_by(TASK_RESULTS.c.position)).tuples()
        for _, data in pieces(session, run_id, position, max(0, size - MAX_OUTPUT_BYTES), size)
    ]
    return b"".join(kept).decode("utf-8", "replace")
