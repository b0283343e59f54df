"""Deployments: core jobs that tell the users of computers, install a custom patch list, and restart where needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Job, JobRequest, WhatChoice, WhatKind, When
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.results import RunResult
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import late
from dispatcher.services.ivanti_endpoint_security import records
from dispatcher.services.ivanti_endpoint_security.listing import Listed, Listing
from dispatcher.services.ivanti_endpoint_security.notice_texts import shortened
from dispatcher.services.ivanti_endpoint_security.numbers import DIALECT
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder, Kind
from dispatcher.services.ivanti_endpoint_security.patch_lists import PatchList, PatchLists
from dispatcher.services.ivanti_endpoint_security.recipients import recipients
from dispatcher.services.ivanti_endpoint_security.records import Record
from dispatcher.services.ivanti_endpoint_security.run_inputs import inputs_of
from dispatcher.services.results import Results
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.submits import SubmitKey, Submits
from dispatcher.services.topology import Topology
from dispatcher.tasks.notices.order import MAX_MESSAGE

#: What keys of submits count for.
_CREATE = f"{DIALECT}.create_deployment"
_KINDS = (Kind.DEPLOYMENT,)
_ANNOUNCE, _RESTART = ((DIALECT, "step", name) for name in ("announce", "restart"))


@dataclass(frozen=True, slots=True)
class ShownDeployment:
    """A deployment with its order; ``results`` are there only of one that is shown alone, by the name of the agent."""

    record: Record
    order: DeploymentOrder | None  #: None if a list is without orders
    results: Sequence[RunResult] = ()
    failures: Mapping[UUID, str] = field(default_factory=dict)  #: what has gone wrong, by the id of the agent


class Deployments:
    """Makes and shows deployments."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        scheduling: Scheduling,
        submits: Submits,
        results: Results,
        patch_lists: PatchLists,
        topology: Topology,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._scheduling = scheduling
        self._submits = submits
        self._results = results
        self._patch_lists = patch_lists
        self._topology = topology

    def create(self, order: DeploymentOrder, caller: Caller, key: SubmitKey | None = None) -> ShownDeployment:
        """Store the deployment that is ordered and return it; it starts at its time, at once if that has gone by.

        Each endpoint is deployed to once, however often it is meant. Ordered again with the same *key*, it is the
        deployment that is there already.

        :raises InvalidValue: if there is no such custom patch list, agent or group, or the list is disabled; nothing is
            stored.
        :raises Forbidden: without Modify on Jobs/Scheduling, and Read on all that it is for.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        with self._datastore.begin() as session:
            made = self._submits.once(caller, _CREATE, key, lambda: self._make(session, order, caller))
            return _shown(records.find(session, _KINDS, made.number))

    def _make(self, session: Session, order: DeploymentOrder, caller: Caller) -> Job:
        patch_list = self._patch_lists.ordered(session, order.patch_list, caller)
        name = order.name or f"Deployment of {patch_list.name}"[:255]
        packages = shortened(", ".join(patch_list.patches), MAX_MESSAGE)
        order = order.model_copy(update={"name": name, "packages": packages})
        key = self._ports.new_id()
        job = self._scheduling.submit(self._request(session, key, order, patch_list, caller), caller)
        columns = {
            "name": order.name,
            "starts_at": order.starts_at,
            "created_by": caller.name,
            "targets": len(order.agents) + len(order.groups),
            "document": order.model_dump(mode="json"),
            "secrets": None,
        }
        records.keep(session, job, Kind.DEPLOYMENT, columns)
        return job

    def _request(
        self, session: Session, key: UUID, order: DeploymentOrder, patch_list: PatchList, caller: Caller
    ) -> JobRequest:
        is_due = order.starts_at <= self._ports.now()
        what = [WhatChoice(patch_list.id, WhatKind.PROJECT), _step(session, _RESTART)]
        if order.notify is not None:
            what.insert(0, _step(session, _ANNOUNCE))
        return JobRequest(
            what=what,
            who=recipients(session, self._topology, order, caller),
            when=When(is_due, None if is_due else order.starts_at),
            description=order.name,
            options={"inputs": inputs_of(key)},
            id=key,
        )

    def get(self, number: int, caller: Caller) -> ShownDeployment:
        """Return the deployment, with what has become of it on each agent, as far as the caller may read that.

        :raises RecordNotFound: if there is none with this number.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        with self._datastore.read() as session:
            record = records.find(session, _KINDS, number)
        if record.started_at is None or not caller.may(Right.READ, Node.RESULTS):
            return _shown(record)
        runs = [run for one in self._results.collect(record.job_id, False, caller) for run in one.runs]
        return _shown(record, runs, self._results.failures(record.job_id, caller))

    def page(self, listing: Listing, caller: Caller) -> Listed[ShownDeployment]:
        """Return the deployments that *listing* asks for, without their results."""
        caller.require(Right.READ, Node.SCHEDULING)
        with self._datastore.read() as session:
            found = records.page(session, _KINDS, listing)
        return Listed([_shown(record) for record in found.items], found.total, found.ends_early)


def _step(session: Session, alias: tuple[str, str, str]) -> WhatChoice:
    module = late.find(session, alias)
    if module is None:
        raise InvalidValue("CustomPatchListId", f"no module has the alias {'/'.join(alias)}")
    return WhatChoice(module, WhatKind.MODULE)


def _shown(
    record: Record, results: Sequence[RunResult] = (), failures: Mapping[UUID, str] | None = None
) -> ShownDeployment:
    order = None if record.document is None else DeploymentOrder.model_validate(record.document)
    return ShownDeployment(record, order, results, failures or {})
