"""Regular occurrences: what regular executions become when they are due, and what keeps them from that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from dispatcher.core.jobs import Invoker, WhatKind, Who
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.base import Row
from dispatcher.datastore.exastro_ita import ITA_DETAILS, ITA_RECORDS, ITA_RUNS, ItaWorkspace
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.exastro_ita.named_hosts import NamedHosts
from dispatcher.services.exastro_ita.operations import NAME
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.run_remarks import details_of
from dispatcher.services.exastro_ita.run_values import options_of
from dispatcher.services.exastro_ita.starting import asks
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.firing import Attention
from dispatcher.services.library.catalogue import Library
from dispatcher.services.starting import to_entry

#: The columns of a job.
J = TypeVar("J", bound=Row)

#: The REST name of the menu that regular executions are the records of.
MENU = "conductor_regularly_execution"


class Obstacle(StrEnum):
    """Why a regular execution does not run though it is due: the vendor's status ids."""

    NO_HOST = "5"
    CONDUCTOR = "7"
    OPERATION = "8"

    @property
    def reason(self) -> str:
        """What the ledger of the core says of it."""
        return {"5": "no host has values for the operation", "7": "the conductor is discarded"}.get(
            self.value, "the operation is discarded"
        )


@dataclass(frozen=True, slots=True)
class Regular:
    """A regular execution of a workspace: the recurring job ``id``, of which conductor, for which operation.

    Its runs are those of ``user``, who has registered or last updated it; empty if nobody has.
    """

    id: UUID
    workspace: Workspace
    conductor_id: UUID
    operation_id: UUID | None
    user: str = ""


class RegularOccurrences:
    """Attends to the occurrences of regular executions (``services.firing.Attendant``)."""

    def __init__(self, ports: Ports, *, library: Library, hosts: NamedHosts) -> None:
        self._ports = ports
        self._library = library
        self._hosts = hosts

    def attend(self, session: Session, patterns: Sequence[Row]) -> Attention:
        """Return what is known of those of the recurring jobs *patterns* that are regular executions."""
        return _Regulars(self, _regulars(session, patterns))

    def obstacles(
        self, session: Session, regulars: Sequence[Regular], hosts: Mapping[UUID, Sequence[Who]] | None = None
    ) -> dict[UUID, Obstacle]:
        """Return what keeps some of the *regulars* from running now, by their ids.

        *hosts* are those of ``hosts_of``, if that has been called.
        """
        if not regulars:
            return {}
        operations = _operation_names(session, [one.operation_id for one in regulars if one.operation_id])
        hosts = self.hosts_of(session, regulars) if hosts is None else hosts
        found: dict[UUID, Obstacle] = {}
        for one in regulars:
            entry = self._library.definition(session, WhatKind.RUNBOOK, one.conductor_id)
            if entry is None or not entry.enabled:
                found[one.id] = Obstacle.CONDUCTOR
            elif one.operation_id is None:
                continue
            elif one.operation_id not in operations:
                found[one.id] = Obstacle.OPERATION
            elif asks(entry.document) and not hosts.get(one.operation_id):
                found[one.id] = Obstacle.NO_HOST
        return found

    def hosts_of(self, session: Session, regulars: Sequence[Regular]) -> dict[UUID, list[Who]]:
        """Return the hosts that have values for the operations of *regulars* now, by operation."""
        by_workspace: defaultdict[Workspace, set[UUID]] = defaultdict(set)
        for one in regulars:
            if one.operation_id is not None:
                by_workspace[one.workspace].add(one.operation_id)
        found: dict[UUID, list[Who]] = {}
        for workspace, operations in by_workspace.items():
            scope = Scope(session, workspace, SYSTEM, self._ports.now())
            found |= self._hosts.of_all(scope, operations)
        return found


class _Regulars:
    """Regular executions that are due (``services.firing.Attention``)."""

    def __init__(self, occurrences: RegularOccurrences, regulars: Sequence[Regular]) -> None:
        self._occurrences = occurrences
        self._by_id = {one.id: one for one in regulars}

    def objections(self, session: Session) -> dict[UUID, str]:
        """Return why some of them must not occur now."""
        found = self._occurrences.obstacles(session, [*self._by_id.values()])
        return {key: obstacle.reason for key, obstacle in found.items()}

    def complete(self, session: Session, jobs: Sequence[dict[str, Any]]) -> None:
        """Let occurrences run on the hosts that have values for their operations now, and be of whom they are."""
        mine = self._of(jobs)
        named = self._occurrences.hosts_of(session, [*dict.fromkeys(regular for _, regular in mine)])
        for job, regular in mine:
            if regular.user and job["invoker"] == Invoker.RECURRENCE:
                job["invoker_info"] = regular.user
            if regular.operation_id is not None:
                job["options"] = {**(job["options"] or {}), **options_of(regular.operation_id)}
                job["who"] = [to_entry(one) for one in named.get(regular.operation_id, ())]

    def note(self, session: Session, jobs: Sequence[Row]) -> None:
        """Make the conductor runs that the stored occurrences are."""
        mine = self._of(jobs)
        if not mine:
            return
        query = select(JOBS.c.id, JOBS.c.number).where(JOBS.c.id.in_([job["id"] for job, _ in mine]))
        numbers = dict(session.execute(query).tuples().all())
        wanted = [regular.operation_id for _, regular in mine if regular.operation_id]
        names = _operation_names(session, wanted, only_live=False)
        details = details_of(session, {regular.conductor_id for _, regular in mine})
        rows = [
            {
                "job_id": job["id"],
                "workspace_id": regular.workspace.id,
                "number": numbers[job["id"]],
                "operation_id": regular.operation_id,
                "operation_name": names.get(regular.operation_id, ""),
                "conductor_id": regular.conductor_id,
                "conductor_name": job["what"][0]["name"],
                "regular_id": regular.id,
                "booked_for": job["starts_at"],
                "details": details[regular.conductor_id],
            }
            for job, regular in mine
        ]
        session.connection().execute(insert(ITA_RUNS), rows)

    def _of(self, jobs: Sequence[J]) -> list[tuple[J, Regular]]:
        """Return those of *jobs* that are occurrences of them, each with its own."""
        return [(job, self._by_id[job["recurring_id"]]) for job in jobs if job["recurring_id"] in self._by_id]


def _regulars(session: Session, patterns: Sequence[Row]) -> list[Regular]:
    """Return the regular executions among the recurring jobs *patterns*."""
    ids = {pattern["id"] for pattern in patterns if pattern["is_runbook"]}
    if not ids:
        return []
    query = (
        select(ITA_DETAILS.c.object_id, ITA_DETAILS.c["values"], ItaWorkspace)
        .join(ItaWorkspace, ItaWorkspace.id == ITA_DETAILS.c.workspace_id)
        .where(ITA_DETAILS.c.object_id.in_(ids), ITA_DETAILS.c.menu == MENU)
    )
    return [
        to_regular(job_id, Workspace(row.id, row.organization, row.name, row.team_id), values)
        for job_id, values, row in session.execute(query).tuples()
        if values.get("operation_name")  # all else belongs to no workspace, whoever has remarks on it
    ]


def to_regular(job_id: UUID, workspace: Workspace, values: Mapping[str, Any]) -> Regular:
    """Return the regular execution with these stored *values*."""
    operation = values.get("operation_name")
    key = UUID(operation) if operation else None
    return Regular(job_id, workspace, UUID(values["conductor_name"]), key, values.get("execution_user") or "")


def _operation_names(
    session: Session, operation_ids: Sequence[UUID], *, only_live: bool = True
) -> dict[UUID | None, str]:
    """Return the names of those of the operations that are there."""
    query = select(ITA_RECORDS.c.id, ITA_RECORDS.c["values"]).where(ITA_RECORDS.c.id.in_(set(operation_ids)))
    if only_live:
        query = query.where(ITA_RECORDS.c.is_discarded.is_(False))
    return {key: str(values.get(NAME, "")) for key, values in session.execute(query).tuples()}
