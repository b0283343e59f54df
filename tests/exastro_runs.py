"""Conductor runs whose steps are ended by the test, one by one: what the tests of runs share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from exastro_world import a_record, a_workspace, an_operation
from runbook_world import BOOK, World
from sqlalchemy import insert

from dispatcher.core.jobs import When
from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.datastore.exastro_ita import ITA_RUNS
from dispatcher.datastore.teams import TeamMember
from dispatcher.services.exastro_ita.rows import HOST, OPERATION
from dispatcher.services.exastro_ita.run_values import options_of
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

EN = "en"


@dataclass
class RunWorld(World):
    """A workspace with enrolled hosts; conductors are run books of ``runbook_world``."""

    workspace: Workspace = field(kw_only=True)
    ita: ExastroIta = field(kw_only=True)
    operation: UUID = field(kw_only=True)

    def run(self, *, what: UUID = BOOK, booked_for: datetime | None = None, workspace: Workspace | None = None) -> str:
        """Run the conductor *what* on all hosts, for the operation; return the id of the run."""
        when = When() if booked_for is None else When(immediate=False, starts_at=booked_for)
        options = options_of(self.operation)
        job = self.start(*self.agents, what=what, when=when, options=options)
        row = {
            "job_id": job.id,
            "workspace_id": (workspace or self.workspace).id,
            "number": job.number,
            "operation_id": self.operation,
            "operation_name": "op-1",
            "conductor_id": what,
            "conductor_name": job.what[0].name,
            "regular_id": None,
            "booked_for": booked_for,
            "details": {},
        }
        with self.hall.datastore.begin() as session:
            session.connection().execute(insert(ITA_RUNS), row)
        return str(job.id)

    def state(self, run: str, language: str = "ja") -> dict[str, Any]:
        """Return all that is shown of the run."""
        return self.ita.runs.state(self.workspace, run, SYSTEM, language)

    def status(self, run: str) -> str:
        """Return the id of the state of the run."""
        status: str = self.state(run)["conductor"]["status_id"]
        return status

    def nodes(self, run: str) -> list[tuple[str, str]]:
        """Return the kind and the id of the state of each node of the run, in the order of their numbers."""
        return [(node["node_type"], node["status_id"]) for node in self.state(run)["node"].values()]

    def release(self, run: str, node: str, caller: Caller = SYSTEM) -> None:
        """Let the run go on at *node*."""
        self.ita.run_actions.release(self.workspace, run, node, caller)


def a_run_world(hall: Hall, now: Callable[[], Any], enrol: Callable[..., UUID], hosts: int = 1) -> RunWorld:
    """Return a workspace with as many *hosts*, and an operation ``op-1`` that has a record for each of them."""
    workspace = a_workspace(hall.datastore, hosts=())
    agents = [enrol(f"h{number + 1}") for number in range(hosts)]
    with hall.datastore.begin() as session:
        session.add_all(TeamMember(team_id=workspace.team_id, agent_id=agent) for agent in agents)
    operation = an_operation(hall.datastore, workspace)
    for agent in agents:
        a_record(hall.datastore, workspace, "sheet_a", **{OPERATION: str(operation), HOST: str(agent)})
    return RunWorld(hall, now, agents, workspace=workspace, ita=build_exastro_ita(hall), operation=operation)
