"""Reporting: what agents tell of their runs, stored once, whatever they repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dispatcher.core.computers import FoundComputer
from dispatcher.core.parameters import Parameter
from dispatcher.core.states import FINISHED, Event, State
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import progress, standings
from dispatcher.services.activation import Activation
from dispatcher.services.configuration_keeping import ConfigurationKeeping, FetchedText
from dispatcher.services.found_computers import FoundComputers
from dispatcher.services.leasing import Leasing
from dispatcher.services.locking import lock_jobs
from dispatcher.services.outputs import Outputs
from dispatcher.services.progress import Progress
from dispatcher.services.recovery import Recovery
from dispatcher.services.standings import Held, Standing

log = structlog.get_logger(__name__)

_JOBS_OF = select(RUNS.c.job_id).where(RUNS.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(slots=True)
class RunStarted:
    """The agent starts the run."""

    at: datetime


@dataclass(slots=True)
class TaskStarted:
    """The agent has recorded the start of the task at ``position``."""

    position: int
    at: datetime


@dataclass(slots=True)
class Output:
    """Bytes that the task wrote, at ``offset``."""

    position: int
    offset: int
    data: bytes


@dataclass(slots=True)
class Fetched:
    """Bytes of a text that the task has fetched, at ``offset``, to be kept as they are and shown in no result."""

    position: int
    offset: int
    data: bytes


@dataclass(slots=True)
class Found:
    """Computers that the task has found."""

    position: int
    computers: list[FoundComputer]


@dataclass(slots=True)
class TaskFinished:
    """The task has ended; nothing of it is left running. It may never have started (a condition)."""

    position: int
    at: datetime
    event: Event
    exit_code: int | None = None
    message: str = ""
    killed: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    attempts: int = 1


@dataclass(slots=True)
class RunFinished:
    """The run has ended. ``outputs`` are the output parameters that were set, by object of the job, secrets open.

    ``fetched`` are the texts that were sent in parts.
    """

    at: datetime
    event: Event
    reason: str = ""
    outputs: list[list[Parameter]] = field(default_factory=list)
    fetched: list[FetchedText] = field(default_factory=list)


RunEvent = RunStarted | TaskStarted | Output | Fetched | Found | TaskFinished | RunFinished


@dataclass(slots=True)
class News:
    """An event of a run, with the fencing number of the lease it happened under."""

    run_id: UUID
    fence: int
    event: RunEvent


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent tells: its news, in order, and which runs it still holds."""

    agent_id: UUID
    news: Sequence[News]
    held: Held


class Reporting:
    """Stores the news of agents."""

    def __init__(
        self,
        datastore: Datastore,
        *,
        leasing: Leasing,
        recovery: Recovery,
        activation: Activation,
        outputs: Outputs,
        configurations: ConfigurationKeeping,
        found_computers: FoundComputers,
    ) -> None:
        self._datastore = datastore
        self._leasing = leasing
        self._recovery = recovery
        self._activation = activation
        self._outputs = outputs
        self._configurations = configurations
        self._found_computers = found_computers

    def report(self, agent_id: UUID, news: Sequence[News], held: Held) -> Standing:
        """Store *news* in order, renew the leases of *held*, and return what has become of those runs.

        Durable when it returns. News of another agent's run, of a lost lease or of a finished run change nothing,
        and neither does news that was stored before.
        """
        return self.report_all([Report(agent_id, news, held)])[0]

    def report_all(self, reports: Sequence[Report]) -> list[Standing]:
        """Do for each of *reports*, in order, what ``report`` does: all in one transaction, by a few statements."""
        news = [(report.agent_id, one) for report in reports for one in report.news]
        ending = [(agent_id, one.run_id) for agent_id, one in news if isinstance(one.event, RunFinished)]
        with self._datastore.begin() as session:
            if ending and not self._datastore.traits.single_writer:
                lock_jobs(session, set(session.scalars(_JOBS_OF, {"ids": [run_id for _, run_id in ending]})))
            runs = self._read(session, reports)
            ended = [
                (runs[one.run_id], one.event)
                for agent_id, one in news
                if self._take(session, _own(runs, agent_id, one.run_id), one)
            ]
            lost = [self._renew(runs, report) for report in reports]
            progress.store(session, runs.values())
            self._configurations.take(session, _fetched(ended))
            for job_id, count in sorted(Counter(run.job_id for run, _ in ended).items()):
                self._activation.run_ended(session, job_id, count)
            for agent_id in {agent_id for agent_id, _ in ending}:
                self._leasing.slot_freed(session, agent_id)
            aborts = standings.aborting(session, {report.agent_id for report in reports})
        return [Standing(aborts.get(report.agent_id, []), gone) for report, gone in zip(reports, lost, strict=True)]

    def _read(self, session: Session, reports: Sequence[Report]) -> dict[UUID, Progress]:
        """Lock all runs that *reports* name, and return those of their agents by their ids."""
        told = {one.run_id for report in reports for one in report.news}
        positions = {
            one.event.position
            for report in reports
            for one in report.news
            if not isinstance(one.event, (RunStarted, RunFinished))
        }
        # At once, in order of ids: two transactions that lock some runs and then others wait for each other.
        named = told.union(run_id for report in reports for run_id, _ in report.held)
        return progress.read(session, {report.agent_id for report in reports}, named, told, positions)

    def _renew(self, runs: Mapping[UUID, Progress], report: Report) -> list[UUID]:
        """Renew the leases of what the agent holds, and return which of these runs are not its own any more."""
        lost = []
        for run_id, fence in report.held:
            run = _own(runs, report.agent_id, run_id)
            # Also one whose lease was over before it had begun: as long as its fence stands, nobody else has it.
            if run is None or run.fence != fence or run.state in FINISHED:
                lost.append(run_id)
            else:
                run.renew(self._leasing.until())
        return lost

    def _take(self, session: Session, run: Progress | None, news: News) -> bool:
        """Take *news* of *run* in; return whether it has ended by that, so that its job has to hear of it."""
        if run is None or run.fence != news.fence:
            # All that is kept of it: who it was and what it said, as evidence for people.
            log.warning("run.late_news", run_id=str(news.run_id), fence=news.fence, news=type(news.event).__name__)
        elif run.state not in FINISHED:
            if isinstance(news.event, RunFinished):
                return self._finish(session, run, news.event)
            self._note(session, run, news.event)
        return False

    def _note(
        self, session: Session, run: Progress, event: RunStarted | TaskStarted | Output | Fetched | Found | TaskFinished
    ) -> None:
        match event:
            case RunStarted():
                run.start(event.at, self._leasing.until())
            case TaskStarted():
                run.start(event.at, self._leasing.until())
                run.start_task(event.position, event.at)
            case Output():
                run.append(event.position, event.offset, event.data)
            case Fetched():
                self._configurations.hold(session, run.id, run.fence, event.position, event.offset, event.data)
            case Found():
                self._found_computers.store(session, run.id, event.position, event.computers)
            case TaskFinished():
                if event.message:  # it gets a row, even if it never started
                    run.start(event.at, self._leasing.until())
                run.end_task(
                    event.position,
                    event.event,
                    exit_code=event.exit_code,
                    message=event.message,
                    killed=event.killed,
                    outputs=event.outputs,
                    attempts=event.attempts,
                    stopped_at=event.at,
                )

    def _finish(self, session: Session, run: Progress, event: RunFinished) -> bool:
        """Let *run* end, as ``_take`` does."""
        run.start(event.at, self._leasing.until())
        if event.event is Event.CONFIRM_ABORT and run.state is not State.ABORTING:
            # Nobody aborted it: its agent was stopped and took it along.
            progress.store(session, [run])
            row = session.execute(select(RUNS).where(RUNS.c.id == run.id)).one()
            self._recovery.give_up(session, row, event.reason or "its agent was stopped")
            run.read_again(session)
            return False
        outputs = None
        if any(event.outputs):
            what = session.scalars(select(JOBS.c.what).where(JOBS.c.id == run.job_id)).one()
            outputs = self._outputs.of_run(session, what, event.outputs)
        run.end(event.event, event.at, event.reason, outputs)
        return True


def _fetched(ended: Iterable[tuple[Progress, RunEvent]]) -> dict[UUID, Sequence[FetchedText]]:
    """Return what was fetched by the runs that have *ended*, but for those by which nothing was."""
    return {run.id: event.fetched for run, event in ended if isinstance(event, RunFinished) and event.fetched}


def _own(runs: Mapping[UUID, Progress], agent_id: UUID, run_id: UUID) -> Progress | None:
    """Return the run, if it is the agent's: an agent may name any."""
    run = runs.get(run_id)
    return run if run is not None and run.agent_id == agent_id else None
