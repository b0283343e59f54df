"""Results: what the checks of a standard have found on an asset: the tasks of a module in a run on an agent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Forbidden, InvalidValue, NotFound
from dispatcher.core.jobs import WhatKind, Who, WhoKind
from dispatcher.core.permissions import Caller, Right
from dispatcher.core.results import TaskResult
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.targets import runs_for
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access import require_what, require_who
from dispatcher.services.results import Results
from dispatcher.services.symantec_ccs import names, rights
from dispatcher.services.symantec_ccs.rights import require

#: How many runs of an asset are looked through for the latest one of a standard.
MAX_LOOKED_AT = 1_000


class ResultNotFound(NotFound):
    """The standard has not been evaluated on the asset, or not in that run."""

    code = "evaluation_result.not_found"
    kind = "evaluation result of"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What has become of the checks of a standard on an asset, in their order."""

    standard: str
    version: int
    asset: str
    run_id: UUID
    state: State
    at: datetime | None
    checks: tuple[TaskResult, ...]


class Evaluations:
    """Shows the results."""

    def __init__(self, datastore: Datastore, results: Results) -> None:
        self._datastore = datastore
        self._results = results

    def get(
        self, asset: str, standard: str, caller: Caller, *, run_id: UUID | None = None, version: int | None = None
    ) -> Evaluation:
        """Return the result of the standard on the asset: of one run, else of the latest that is over.

        With *version* only runs of that version of the standard count.

        :raises InvalidValue: if the asset or the standard is nobody's id.
        :raises ResultNotFound: if there is no such result, or *caller* may not see the asset or the standard.
        """
        require(caller, rights.LOOK_AT_RESULTS)
        with self._datastore.read() as session:
            agent_id = names.find(session, names.ASSET, asset)
            module_id = names.find(session, names.STANDARD, standard)
            if agent_id is None:
                raise InvalidValue("AssetID", f"no asset {asset[:100]}")
            if module_id is None:
                raise InvalidValue("StandardID", f"no standard {standard[:100]}")
            if self._may_see(session, agent_id, module_id, caller):
                for found, name, frozen in self._evaluated(session, agent_id, module_id, run_id, version):
                    return self._evaluation(found, agent_id, module_id, name, frozen, caller)
        raise ResultNotFound(f"{standard[:100]} on {asset[:100]}")

    def _may_see(self, session: Session, agent_id: UUID, module_id: UUID, caller: Caller) -> bool:
        try:
            require_who(session, Right.READ, [Who(agent_id, "", WhoKind.AGENT)], caller)
            require_what(session, [{"kind": WhatKind.MODULE, "id": str(module_id)}], caller)
        except Forbidden:
            return False
        return True

    def _evaluation(
        self, job_id: UUID, agent_id: UUID, module_id: UUID, name: str, version: int, caller: Caller
    ) -> Evaluation:
        result = self._results.of_agent(job_id, agent_id, caller)
        if result is None:  # it has been removed meanwhile
            raise ResultNotFound(name)
        checks = tuple(task for task in result.tasks if task.module.id == module_id)
        at = result.stopped_at or result.started_at
        return Evaluation(name, version, result.agent.name, job_id, result.state, at, checks)

    def _evaluated(
        self, session: Session, agent_id: UUID, module_id: UUID, run_id: UUID | None, version: int | None
    ) -> Iterator[tuple[UUID, str, int]]:
        """Give the runs of the module on the agent, latest first, with its name and version then."""
        # It may have worked itself, or another agent for it, see ``datastore.runs``.
        agent = session.execute(select(AGENTS.c.id, AGENTS.c.number).where(AGENTS.c.id == agent_id)).one_or_none()
        if agent is None:
            return
        query = select(JOBS.c.id, JOBS.c.what).join(RUNS, RUNS.c.job_id == JOBS.c.id).where(or_(*runs_for(agent)))
        query = query.where(RUNS.c.state.in_(FINISHED)) if run_id is None else query.where(JOBS.c.id == run_id)
        rows = session.connection().execute(query.order_by(RUNS.c.id.desc()).limit(MAX_LOOKED_AT)).tuples().all()
        versions: dict[str, int] = {}  # most runs are of the same few
        for job_id, what in rows:
            for entry in what:
                if entry["id"] != str(module_id):
                    continue
                definition = entry["definition"]
                if definition not in versions:
                    frozen = select(Definition.version).where(Definition.id == UUID(definition))
                    versions[definition] = session.scalar(frozen) or 0
                if version in (None, versions[definition]):
                    yield job_id, entry["name"], versions[definition]
