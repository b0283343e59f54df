"""Run orders: what runs that have been lent are to their agents: what they do, as whom, and with which values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from dispatcher.core.accounts import Account
from dispatcher.core.definitions import PlannedModule, PlannedRun
from dispatcher.core.errors import Unavailable
from dispatcher.core.inputs import Input
from dispatcher.core.parameters import Parameter
from dispatcher.datastore.base import Row
from dispatcher.services.credential_sets import CredentialSets
from dispatcher.services.job_inputs import JobInputs
from dispatcher.services.plans import Plans
from dispatcher.services.topology import Target


@dataclass(slots=True)
class LeasedRun:
    """A run that an agent shall do: its modules in order, with the values their tasks see, and the ``scopes`` of those.

    With a ``device`` it is done for that. ``account`` is for the tasks that log in to the computer it is for; with
    ``logs_in`` those do that need not, too. ``inputs`` are for the tasks that take such.

    ``scopes`` are as in ``core.definitions.PlannedRun``. Runs of one job may share both lists.
    """

    id: UUID
    job_id: UUID
    fence: int
    modules: list[PlannedModule]
    scopes: list[list[Parameter] | None] = field(default_factory=list)
    device: Target | None = None
    account: Account | None = None
    logs_in: bool = False
    inputs: list[Input] = field(default_factory=list)


#: What agents were lent, and which runs are to fail instead, and why.
Lent = tuple[dict[UUID, list[LeasedRun]], list[tuple[Row, str]]]


class RunOrders:
    """Finds out what runs are."""

    def __init__(self, plans: Plans, credential_sets: CredentialSets, job_inputs: JobInputs) -> None:
        self._plans = plans
        self._credential_sets = credential_sets
        self._job_inputs = job_inputs

    def plan(self, session: Session, rows: Sequence[Row], targets: Mapping[UUID, Target]) -> Lent:
        """Return what the runs, which have been lent as *rows*, are to the agents; and which of them are to fail."""
        leased: defaultdict[UUID, list[LeasedRun]] = defaultdict(list)
        ended: list[tuple[Row, str]] = []
        plans: dict[tuple[UUID, str], PlannedRun] = {}
        given = self._inputs(session, rows, targets)
        for row in rows:
            target = targets[row["id"]]
            try:
                planned = self._planned(session, row, target.os, plans)
                account = self._account(session, row, target)
                inputs = self._job_inputs.open(given.get(row["id"], ()))
            except Unavailable as error:
                ended.append((row, error.message))
            else:
                run = LeasedRun(row["id"], row["job_id"], row["fence"] + 1, planned.modules, planned.scopes)
                run.device, run.account = target if row["device"] else None, account
                run.logs_in, run.inputs = _logs_in(row), inputs
                leased[row["agent_id"]].append(run)
        return leased, ended

    def _inputs(
        self, session: Session, rows: Iterable[Row], targets: Mapping[UUID, Target]
    ) -> dict[UUID, Sequence[Input] | Unavailable]:
        """Return the inputs of those runs whose jobs have some and whose tasks take some, for their *targets*."""
        wanted = [
            (row["id"], row["options"]["inputs"], targets[row["id"]].id)
            for row in rows
            if row["options"] and "inputs" in row["options"] and self._plans.takes_inputs(session, row["what"])
        ]
        return self._job_inputs.find(session, wanted) if wanted else {}

    def _account(self, session: Session, row: Row, target: Target) -> Account | None:
        """Return as whom the run's tasks log in to *target*, if one of them does.

        :raises Unavailable: if its secrets cannot be opened.
        """
        if not self._plans.logs_in(session, row["what"], if_given=_logs_in(row)):
            return None
        options = row["options"] or {}
        named, team = (
            UUID(options[name]) if name in options else None for name in ("credential_set", "credential_team")
        )
        return self._credential_sets.account(session, target.id, named, team)

    def _planned(self, session: Session, row: Row, os: str, plans: dict[tuple[UUID, str], PlannedRun]) -> PlannedRun:
        """Return what the run does, for the agent; *plans* are those that have been made for runs of the same batch.

        :raises Unavailable: if its secrets cannot be opened.
        """
        planned = plans.get((row["job_id"], os))
        if planned is None:
            planned = self._plans.run(session, row["what"], row["parameters"], os)
            plans[row["job_id"], os] = planned
        return planned


def _logs_in(row: Row) -> bool:
    """Whether tasks of the run log in that need not: an agent does its own runs unless the job names an account."""
    return bool(row["device"]) or "credential_set" in (row["options"] or {})
