"""OpsRamp's jobs: each is a recurring job of its tenant, together with the order that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, func, insert, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import JobNotFound
from dispatcher.core.jobs import Job
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.opsramp import OpsRampJob
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.aborting import Aborting
from dispatcher.services.approvals import Approvals
from dispatcher.services.locking import lock_jobs
from dispatcher.services.on_demand import OnDemand
from dispatcher.services.opsramp.job_types import JOB_TYPES
from dispatcher.services.opsramp.orders import Order
from dispatcher.services.opsramp.outputs import note_script
from dispatcher.services.opsramp.queries import MOST_CHOICES, Query, SortedPage
from dispatcher.services.opsramp.requests import Before, Requests
from dispatcher.services.opsramp.resources import Resource, describe, to_id
from dispatcher.services.opsramp.scripts import Script, read_scripts
from dispatcher.services.opsramp.tenants import Tenant, Tenants
from dispatcher.services.recurring import end
from dispatcher.services.schedules import Schedules
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.submits import SubmitKey, Submits

_JOBS: Any = OpsRampJob.__table__
#: What keys of submits count for.
_CREATE, _RUN = "opsramp.create_job", "opsramp.run_job"
_LONGEST_NAME = 255
#: By what jobs may be sorted. Ids grow with time.
_SORTS = {"id": _JOBS.c.job_id, "name": _JOBS.c.name}
_FILTERS: Mapping[str, Callable[[str, bool], ColumnElement[bool]]] = {
    "id": lambda text, _exact: _JOBS.c.job_id == to_id(text) if to_id(text) else false(),
    "name": lambda text, exact: _has(_JOBS.c.name, text, exact),
    "type": lambda text, exact: _has(_JOBS.c.job_type, text, exact),
    "jobtype": lambda text, exact: _has(_JOBS.c.job_type, text, exact),
}


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job as it was ordered, with its resources in order, and the script if it runs one."""

    id: UUID
    order: Order
    resources: Sequence[Resource | None]
    script: Script | None


class OpsRampJobs:
    """Makes, shows, changes, runs and removes the jobs of tenants."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        tenants: Tenants,
        requests: Requests,
        scheduling: Scheduling,
        schedules: Schedules,
        aborting: Aborting,
        on_demand: OnDemand,
        approvals: Approvals,
        submits: Submits,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._tenants = tenants
        self._requests = requests
        self._scheduling = scheduling
        self._schedules = schedules
        self._aborting = aborting
        self._on_demand = on_demand
        self._approvals = approvals
        self._submits = submits

    def create(self, tenant_id: str, order: Order, caller: Caller, key: SubmitKey | None = None) -> ShownJob:
        """Store the job that is ordered and return it; it starts when its schedule says so, without one at once.

        Ordered again with the same *key*, it is the job that is there already.

        :raises TenantNotFound: if there is no such tenant.
        :raises InvalidValue: if the order is impossible, or names what the tenant does not reach; nothing is stored.
        :raises Forbidden: without Modify on Jobs/Scheduling, and Read on all that the job is for.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
            made = self._submits.once(caller, _CREATE, key, lambda: self._make(session, tenant, order, caller))
            tenant, job_id, stored = self._find(session, tenant_id, str(made.id), caller)
            return self._shown(session, tenant, job_id, stored, caller)

    def _make(self, session: Session, tenant: Tenant, order: Order, caller: Caller) -> Job:
        order, request, script = self._requests.make(session, tenant, order, caller, self._ports.now())
        job = self._scheduling.submit(request, caller)
        values = {"job_id": job.id, "team_id": tenant.team.id, "is_removed": False, **_columns(order)}
        session.connection().execute(insert(_JOBS), values)
        note_script(session, job.id, script)
        return job

    def change(self, tenant_id: str, job_id: str, order: Order, caller: Caller) -> ShownJob:
        """Make the job what is ordered now, and return it. What it does at this moment goes on.

        A schedule that stays as it was starts nothing anew.

        :raises JobNotFound: if the tenant has no such job.
        :raises InvalidValue: as ``create``; nothing is changed then.
        :raises Forbidden: as ``create``, for what the job is and for what it is to be.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            _, key, _ = self._find(session, tenant_id, job_id, caller)
            lock_jobs(session, [key])
            tenant, key, before = self._find(session, tenant_id, job_id, caller)  # nobody else changes it meanwhile
            order, request, script = self._requests.make(
                session, tenant, order, caller, self._ports.now(), Before(key, before)
            )
            if order.timing == before.timing:
                request.when.recurrence = self._schedules.get(key, caller).recurrence
            self._scheduling.change(key, request, caller)
            # It stays with its tenant, whoever changes it.
            session.execute(update(_JOBS).where(_JOBS.c.job_id == key).values(**_columns(order)))
            note_script(session, key, script)
            return self._shown(session, tenant, key, order, caller)

    def get(self, tenant_id: str, job_id: str, caller: Caller) -> ShownJob:
        """Return the job.

        :raises JobNotFound: if the tenant has no such job.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        with self._datastore.read() as session:
            tenant, key, order = self._find(session, tenant_id, job_id, caller)
            return self._shown(session, tenant, key, order, caller)

    def remove(self, tenant_id: str, job_id: str, caller: Caller) -> None:
        """End the job for good, and abort what it does at this moment. What its scripts wrote stays.

        :raises JobNotFound: if the tenant has no such job.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            _, key, _ = self._find(session, tenant_id, job_id, caller)
            self._aborting.abort(key, caller)
            # Also one that is over, or would end with what is being aborted.
            end(session, key, self._ports.now())
            session.execute(update(_JOBS).where(_JOBS.c.job_id == key).values(is_removed=True))

    def run(self, tenant_id: str, job_id: str, reason: str, caller: Caller, key: SubmitKey | None = None) -> UUID:
        """Let the job occur now, whatever its schedule says; return the id of the occurrence.

        Asked for again with the same *key*, it does not occur once more.

        :raises JobNotFound: if the tenant has no such job.
        :raises Conflict: if it has been ended, or disabled.
        """
        with self._datastore.begin() as session:
            _, found, _ = self._find(session, tenant_id, job_id, caller)
            return self._submits.once(caller, _RUN, key, lambda: self._on_demand.run(found, caller, reason)).id

    def approve(self, tenant_id: str, job_id: str, caller: Caller) -> None:
        """Let what has occurred of the job begin, as far as it waits for an approval.

        :raises JobNotFound: if the tenant has no such job.
        :raises Conflict: if nothing of it waits.
        """
        with self._datastore.begin() as session:
            _, key, _ = self._find(session, tenant_id, job_id, caller)
            self._approvals.approve(key, caller, if_it_waits=True)

    def search(self, tenant_id: str, query: Query, caller: Caller) -> SortedPage[ShownJob]:
        """Return the page of the tenant's jobs that *query* asks for; without their resources.

        :raises TenantNotFound: if there is no such tenant.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        sort = query.sort.casefold() if query.sort.casefold() in _SORTS else "id"
        with self._datastore.read() as session:
            tenant = self._tenants.find(session, tenant_id, caller)
            wanted = [*_of(tenant), *_conditions(query)]
            total = session.scalar(select(func.count()).select_from(_JOBS).where(*wanted)) or 0
            columns = [_SORTS[sort], _JOBS.c.job_id]
            page = select(_JOBS.c.job_id, _JOBS.c.document).where(*wanted)
            page = page.order_by(*(column.desc() if query.descending else column for column in columns))
            rows = session.execute(page.limit(query.page_size).offset((query.page - 1) * query.page_size)).all()
            orders = [(row.job_id, Order.model_validate(row.document)) for row in rows]
            scripts = _scripts(session, [order for _, order in orders])
        items = [ShownJob(key, order, (), scripts.get(order.module)) for key, order in orders]
        return SortedPage(items, total, query.page, query.page_size, sort, query.descending)

    def types(self, tenant_id: str, caller: Caller) -> Mapping[str, str]:
        """Return the job types that are listed, with their names.

        :raises TenantNotFound: if there is no such tenant.
        """
        with self._datastore.read() as session:
            self._tenants.find(session, tenant_id, caller)
        return JOB_TYPES

    def _find(self, session: Session, tenant_id: str, job_id: str, caller: Caller) -> tuple[Tenant, UUID, Order]:
        tenant = self._tenants.find(session, tenant_id, caller)
        key = to_id(job_id)
        query: Select[Any] = select(_JOBS.c.document).where(_JOBS.c.job_id == key, *_of(tenant))
        document = None if key is None else session.scalar(query)
        if key is None or document is None:
            raise JobNotFound(job_id)
        return tenant, key, Order.model_validate(document)

    def _shown(self, session: Session, tenant: Tenant, key: UUID, order: Order, caller: Caller) -> ShownJob:
        agents = {entity.agent for entity in order.entities if entity.agent is not None}
        known = describe(session, agents, tenant, caller)
        resources = [known.get(entity.agent) if entity.agent else None for entity in order.entities]
        return ShownJob(key, order, resources, _scripts(session, [order]).get(order.module))


def _scripts(session: Session, orders: Sequence[Order]) -> dict[UUID | None, Script]:
    modules = {order.module for order in orders if order.module is not None and order.script is not None}
    return {script.module_id: script for script in read_scripts(session, list(modules))} if modules else {}


def _of(tenant: Tenant) -> tuple[ColumnElement[bool], ...]:
    return _JOBS.c.team_id.in_(tenant.teams), ~_JOBS.c.is_removed


def _columns(order: Order) -> dict[str, Any]:
    document = order.model_dump(mode="json", exclude_none=True)
    return {"name": order.name, "job_type": order.job_type, "document": document}


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    exact = query.is_exact
    return [
        _FILTERS[name](text, exact) if name in _FILTERS else false()
        for name, text in query.filters.items()
        if not query.is_flag(name)
    ]


def _has(column: Any, text: str, exact: bool) -> ColumnElement[bool]:
    """Return whether *column* has *text*, or one of its parts; what is longer than any name is in none."""
    lowered = func.lower(column)
    choices = {part.strip().lower() for part in text.split(",", MOST_CHOICES)}
    fits = [
        lowered == one if exact else lowered.contains(one, autoescape=True)
        for one in sorted(choices)
        if len(one) <= _LONGEST_NAME
    ]
    return or_(*fits) if fits else false()
