"""Run book jobs: the job of a run book together with the jobs of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from dispatcher.core.errors import JobNotFound
from dispatcher.core.jobs import Job
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.jobs import Jobs


class RunBookJobNotFound(JobNotFound):
    """The job with this id is none of a run book."""

    kind = "run book job"


@dataclass(frozen=True, slots=True)
class RunBookJob:
    """A job of a run book. ``steps`` are the jobs of the steps that have been started, in their order.

    A step that is a run book itself is one job here: its own steps are asked for by its id.
    """

    job: Job
    steps: list[Job]


class RunBookJobs:
    """Shows run book jobs."""

    def __init__(self, datastore: Datastore, jobs: Jobs) -> None:
        self._datastore = datastore
        self._jobs = jobs

    def get(self, job_id: UUID, caller: Caller) -> RunBookJob:
        """Return the run book job and its steps, all as they were at one moment.

        :raises JobNotFound: if there is no job with this id, or it is none of a run book.
        """
        caller.require(Right.READ, Node.SCHEDULING)
        with self._datastore.read() as session:
            job = self._jobs.get_in(session, job_id)
            if not job.is_runbook:
                raise RunBookJobNotFound(job_id)
            return RunBookJob(job, self._jobs.children(session, job_id))
