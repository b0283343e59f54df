"""Firing: due times of recurring jobs become jobs, many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from dispatcher.core.errors import DispatcherError
from dispatcher.core.jobs import Invoker
from dispatcher.core.ports import Ports
from dispatcher.core.states import State
from dispatcher.datastore.base import Row
from dispatcher.datastore.transactions import OUT_OF_ORDER, after_commit
from dispatcher.services.activation import Activation
from dispatcher.services.starting import NEW_JOB, NEW_JOBS, SAME, Starting

log = structlog.get_logger(__name__)

#: What an occurrence has as its recurring job has it.
_SAME = (*SAME, "invoker_info", "options")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An occurrence to be: of the recurring job *pattern* (its columns), on the stored *who* instead of its own."""

    pattern: Row
    due_at: datetime
    who: Sequence[Mapping[str, Any]] | None = None
    invoker: Invoker = Invoker.RECURRENCE


class Attention(Protocol):
    """What an attendant knows of some recurring jobs, in one transaction."""

    def objections(self, session: Session) -> Mapping[UUID, str]:
        """Return why some of the recurring jobs must not occur now, by their ids."""

    def complete(self, session: Session, jobs: Sequence[dict[str, Any]]) -> None:
        """Complete new occurrences (their columns), which are not stored yet."""

    def note(self, session: Session, jobs: Sequence[Row]) -> None:
        """Note the new occurrences *jobs* (their columns), which are stored now."""


class Attendant(Protocol):
    """Looks after the occurrences of recurring jobs that a dialect knows more of. Works in the caller's transaction."""

    def attend(self, session: Session, patterns: Sequence[Row]) -> Attention:
        """Return what is known of the recurring jobs *patterns* (their columns), by one query at most."""


class _All:
    """What several attendants know, as one ``Attention``."""

    def __init__(self, attentions: Sequence[Attention]) -> None:
        self._attentions = attentions

    def objections(self, session: Session) -> dict[UUID, str]:
        found: dict[UUID, str] = {}
        for one in self._attentions:
            found |= one.objections(session)
        return found

    def complete(self, session: Session, jobs: Sequence[dict[str, Any]]) -> None:
        for one in self._attentions:
            one.complete(session, jobs)

    def note(self, session: Session, jobs: Sequence[Row]) -> None:
        for one in self._attentions:
            one.note(session, jobs)


class Firing:
    """Makes the jobs of occurrences. Works inside the caller's transaction."""

    def __init__(self, ports: Ports, starting: Starting, activation: Activation) -> None:
        self._ports = ports
        self._starting = starting
        self._activation = activation
        self._attendants: dict[str, Attendant] = {}

    def attend(self, name: str, attendant: Attendant) -> None:
        """Ask *attendant* from now on about every occurrence, in place of the one that was given under this name."""
        self._attendants[name] = attendant

    def attention(self, session: Session, patterns: Sequence[Row]) -> Attention:
        """Return what all attendants know of the recurring jobs *patterns* (their columns), for this transaction."""
        return _All([attendant.attend(session, patterns) for attendant in self._attendants.values()])

    def fire(self, session: Session, wanted: Sequence[Wanted], attention: Attention | None = None) -> list[UUID]:
        """Insert a job for each of *wanted*, started, and return their ids in order.

        One that cannot be started is there all the same: it has failed, and says why. *attention* is that for the
        recurring jobs, if the caller has asked for it already.
        """
        if attention is None:
            attention = self.attention(session, [one.pattern for one in wanted])
        jobs = [self._job(one) for one in wanted]
        attention.complete(session, jobs)
        plain: list[dict[str, Any]] = []
        runs: list[dict[str, Any]] = []
        for job in jobs:
            if job["is_runbook"]:
                self._fire_runbook(session, job)
            else:
                runs += self._begin(session, job)
                plain.append(job)
        if plain:
            NEW_JOBS.all(session, plain)
            self._starting.insert_runs(session, runs)
        if any(job["options"] for job in plain):
            after_commit(session, self._ports.wakeup.engine)  # some of them end by themselves
        attention.note(session, jobs)
        return [job["id"] for job in jobs]

    def _job(self, wanted: Wanted) -> dict[str, Any]:
        """Return the columns of the new job, not started."""
        pattern = wanted.pattern
        return {
            **NEW_JOB,
            **{name: pattern[name] for name in _SAME},
            "id": self._ports.new_id(),
            "who": pattern["who"] if wanted.who is None else wanted.who,
            "invoker": wanted.invoker,
            "immediate": False,
            "starts_at": wanted.due_at,
            "created_at": self._ports.now(),
            "sorted_at": wanted.due_at,
            "recurring_id": pattern["id"],
        }

    def _begin(self, session: Session, job: dict[str, Any]) -> list[dict[str, Any]]:
        """Start *job*, which is not stored yet; return its runs."""
        try:
            runs, changes = self._starting.begin(session, job)
        except OUT_OF_ORDER:
            raise  # all due times are looked at again
        except Exception as error:  # a defect in one job must not keep the others
            job.update(self._failed(job, error))
            return []
        job.update(changes)
        return runs

    def _fire_runbook(self, session: Session, job: dict[str, Any]) -> None:
        try:
            with session.connection().begin_nested():
                self._activation.insert_and_activate(session, dict(job))
        except OUT_OF_ORDER:
            raise
        except Exception as error:  # as above
            job.update(self._failed(job, error))
            NEW_JOBS.one(session, job)

    def _failed(self, job: Row, error: Exception) -> dict[str, Any]:
        """Return how *error* changes *job*."""
        if isinstance(error, DispatcherError):  # the job says it all
            reason = error.message
            log.warning("job.not_started", job_id=str(job["id"]), reason=reason)
        else:
            reason = "it could not be started: see the log"
            log.error("job.not_started", job_id=str(job["id"]), exc_info=error)
        now = self._ports.now()
        return {"state": State.FAILED, "started_at": now, "stopped_at": now, "sorted_at": now, "reason": reason}
