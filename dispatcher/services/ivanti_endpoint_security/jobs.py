"""Jobs of this dialect: core jobs of built-in modules on one agent, with what they were ordered with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Job, JobRequest, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import late
from dispatcher.services.ivanti_endpoint_security import job_output, records
from dispatcher.services.ivanti_endpoint_security.listing import Listed, Listing
from dispatcher.services.ivanti_endpoint_security.numbers import DIALECT
from dispatcher.services.ivanti_endpoint_security.orders import JobOrder, Kind
from dispatcher.services.ivanti_endpoint_security.records import Record
from dispatcher.services.ivanti_endpoint_security.run_inputs import inputs_of, seal_secrets
from dispatcher.services.ivanti_endpoint_security.target_results import TargetResult, Told, read
from dispatcher.services.local_agent import LocalAgentId
from dispatcher.services.results import Results
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.secrets import Secrets
from dispatcher.services.settings import Settings
from dispatcher.services.submits import SubmitKey, Submits

#: The setting that names the agent for jobs that name none.
AGENT_SETTING = f"{DIALECT}.discovery_agent"
#: What keys of submits count for.
_CREATE = f"{DIALECT}.create_job"
_KINDS = (Kind.DISCOVER, Kind.INSTALL, Kind.UNINSTALL)
_SECRETS = {"password", "directory_passwords"}
#: What the scheduling calls the agent.
_WHO = "Who[0]/ID"


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job with what it was ordered with, but for secrets; what follows that is of a job that is shown alone."""

    record: Record
    order: JobOrder | None  #: None if a list is without orders
    results: Sequence[TargetResult] = ()
    remarks: Sequence[str] = ()  #: what its tasks have told of themselves
    failure: str = ""  #: what has failed, and why


class IesJobs:
    """Makes and shows jobs that discover computers, and install and uninstall agents on them."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        secrets: Secrets,
        *,
        scheduling: Scheduling,
        submits: Submits,
        settings: Settings,
        local_agent: LocalAgentId,
        results: Results,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._secrets = secrets
        self._scheduling = scheduling
        self._submits = submits
        self._settings = settings
        self._local_agent = local_agent
        self._results = results

    def create(self, order: JobOrder, caller: Caller, key: SubmitKey | None = None) -> ShownJob:
        """Store the job that is ordered and return it; it starts at its time, at once if that has gone by.

        Ordered again with the same *key*, it is the job that is there already.

        :raises InvalidValue: if there is no agent to do it; nothing is stored.
        :raises Forbidden: without Modify on Jobs/Scheduling and Read on the module and the agent; to install or
            uninstall agents also without Modify on Topology/Agents.
        """
        caller.require(Right.MODIFY, Node.SCHEDULING)
        if order.kind is not Kind.DISCOVER:
            caller.require(Right.MODIFY, Node.AGENTS)
        with self._datastore.begin() as session:
            made = self._submits.once(caller, _CREATE, key, lambda: self._make(session, order, caller))
            return _shown(records.find(session, _KINDS, made.number))

    def _make(self, session: Session, order: JobOrder, caller: Caller) -> Job:
        key = self._ports.new_id()
        job = self._submit(self._request(session, key, order), order, caller)
        columns = {
            "name": order.name,
            "starts_at": order.starts_at,
            "created_by": caller.name,
            "targets": len(order.targets),
            "document": order.model_dump(mode="json", exclude=_SECRETS),
            "secrets": seal_secrets(self._secrets, order),
        }
        records.keep(session, job, order.kind, columns)
        return job

    def _submit(self, request: JobRequest, order: JobOrder, caller: Caller) -> Job:
        try:
            return self._scheduling.submit(request, caller)
        except InvalidValue as error:
            if error.member != _WHO:
                raise
            by = "" if order.agent else f"; the setting {AGENT_SETTING} names it"
            raise InvalidValue("Agent", f"{error.message.removeprefix(f'{_WHO}: ')}{by}") from None

    def _request(self, session: Session, key: UUID, order: JobOrder) -> JobRequest:
        module = late.find(session, (DIALECT, "job_type", str(order.kind.value)))
        if module is None:
            raise InvalidValue("JobType", f"no module has the alias {DIALECT}/job_type/{order.kind.value}")
        is_due = order.starts_at <= self._ports.now()
        return JobRequest(
            what=[WhatChoice(module, WhatKind.MODULE)],
            who=[self._agent(order)],
            when=When(is_due, None if is_due else order.starts_at),
            description=order.name,
            options={"inputs": inputs_of(key)},
            id=key,
        )

    def _agent(self, order: JobOrder) -> WhoChoice:
        name = order.agent or self._settings.current().text(AGENT_SETTING)
        if name:
            return WhoChoice.named(name, WhoKind.AGENT)
        local = self._local_agent.get()
        if local is None:
            raise InvalidValue(
                "Agent", f"is missing: there is no local agent, and the setting {AGENT_SETTING} is empty"
            )
        return WhoChoice([local], WhoKind.AGENT)

    def get(self, number: int, caller: Caller) -> ShownJob:
        """Return the job, with its results as far as there are some and the caller may read them.

        :raises RecordNotFound: if there is none with this number.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        with self._datastore.read() as session:
            record = records.find(session, _KINDS, number)
            if record.started_at is None or not caller.may(Right.READ, Node.RESULTS):
                return _shown(record)
            told = read(job_output.of_tasks(session, record.job_id))
        failures = self._results.failures(record.job_id, caller)
        return _shown(record, told, next(iter(failures.values()), ""))

    def page(self, listing: Listing, caller: Caller) -> Listed[ShownJob]:
        """Return the jobs that *listing* asks for, without their results."""
        caller.require(Right.READ, Node.SCHEDULING)
        with self._datastore.read() as session:
            found = records.page(session, _KINDS, listing)
        return Listed([_shown(record) for record in found.items], found.total, found.ends_early)


def _shown(record: Record, told: Told | None = None, failure: str = "") -> ShownJob:
    order = None if record.document is None else JobOrder.model_validate(record.document)
    results, remarks = ([], []) if told is None else (told.results, told.remarks)
    return ShownJob(record, order, results, remarks, failure)
