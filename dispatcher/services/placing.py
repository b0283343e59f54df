"""Placing: where the runs of a job stand when it starts: free, held for a while, or over already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dispatcher.core import holds, local_time
from dispatcher.core.holds import Hold
from dispatcher.core.jobs import Options
from dispatcher.core.options import REQUIRED
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State
from dispatcher.core.windows import Action
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.base import Row
from dispatcher.datastore.runs import RUNS
from dispatcher.services.launch_windows import LaunchWindows
from dispatcher.services.topology import Target, is_online

#: How many agents are asked about in one query.
_MANY = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands: what it has in these columns."""

    state: State = State.PENDING
    hold: Hold | None = None
    due_at: datetime | None = None
    reason: str = ""


FREE = Place()
#: At the end of the queue of its resource (``services.queues``).
QUEUED = Place(hold=Hold.QUEUE)
_BEHIND = Place(hold=Hold.BATCH)


class Placing:
    """Decides whether runs may be fetched at once. Nothing is stored here."""

    def __init__(self, ports: Ports, windows: LaunchWindows) -> None:
        self._ports = ports
        self.windows = windows

    def best(self, session: Session, targets: Sequence[Target]) -> Target:
        """Return the one of *targets* that a job for one agent only is given to.

        That is one that is online rather than one that is not, then the one with the fewest unfinished runs, then the
        first by name. For one that another agent works for that one counts.
        """
        workers = [target.worker_id or target.id for target in targets]
        offline = self.offline(session, workers)
        busy: dict[UUID, int] = {}
        for ids in _in_parts(workers):
            query = select(RUNS.c.agent_id, func.count()).where(RUNS.c.agent_id.in_(ids), _UNFINISHED)
            busy |= dict(session.execute(query.group_by(RUNS.c.agent_id)).tuples().all())

        def rank(target: Target) -> tuple[bool, int, str, UUID]:
            worker = target.worker_id or target.id
            return worker in offline, busy.get(worker, 0), target.name, target.id

        return min(targets, key=rank)

    def at_start(self, session: Session, job: Row, targets: Sequence[Target]) -> list[Place]:
        """Return where the new runs of *job* on *targets* stand, in the same order."""
        if not job.get("options") and not self.windows.concern(targets):
            return [FREE] * len(targets)
        size = holds.batch_size(job.get("options"), len(targets)) or max(len(targets), 1)
        places, reason = self.next_batch(session, job, targets, size, {})
        behind = Place(State.CANCELLED, reason=reason) if reason else _BEHIND
        return places + [behind] * (len(targets) - len(places))

    def next_batch(
        self, session: Session, job: Row, targets: Sequence[Target], size: int, ended: Mapping[State, int]
    ) -> tuple[list[Place], str]:
        """Return where the runs of the next batch of *job* stand, and why no other batch may follow, if so.

        *targets* are those of all batches to come, *size* each; *ended* says how many runs have ended in which state.
        A batch that is over before it has begun leads to the next one: their runs are given together.
        """
        counts, places = Counter(ended), list[Place]()
        for start in range(0, len(targets), size):
            batch = self._in_turn(session, job, targets[start : start + size])
            places += batch
            if any(place.state is State.PENDING for place in batch):
                break
            counts.update(place.state for place in batch)
            if reason := holds.stop_reason(job.get("options") or {}, counts):
                return places, reason
        return places, ""

    def begins_at(
        self, options: Options, targets: Sequence[Target] | None, due_at: Iterable[datetime | None]
    ) -> datetime:
        """Return when work can have begun on all of *targets* of a job that starts now, for its time limit.

        Then the local time has come to all of them, and what its runs are held until, *due_at*.
        """
        moments = [self._ports.now(), self.local_moment(options, targets), *due_at]
        return max(moment for moment in moments if moment is not None)

    def local_moment(self, options: Options, targets: Sequence[Target] | None) -> datetime | None:
        """Return when the local time of a job has come to all of *targets*, or everywhere if they are not known.

        None if it has no local time.
        """
        text = options.get("local_time")
        if text is None:
            return None
        moments = [local_time.moment_in(text, self.windows.zone_of(target)) for target in targets or ()]
        return max(moments, default=local_time.last_moment(text))

    def _in_turn(self, session: Session, job: Row, targets: Sequence[Target]) -> list[Place]:
        """Return where the runs of *job* on *targets* stand now that no batch is before them, in the same order."""
        options: Options = job.get("options") or {}
        waking = self._await_boot(session, options, targets)
        return [self._place(job, options, target, target.id in waking) for target in targets]

    def _place(self, job: Row, options: Options, target: Target, awaits_boot: bool) -> Place:
        now = self._ports.now()
        if options.get("boot") and target.worker_id is not None:
            return Place(State.FAILED, reason=f"{target.name} has no agent that could tell of its boot")
        if options.get("approval") == REQUIRED:
            return Place(hold=Hold.APPROVAL)
        if "local_time" in options:
            due_at = local_time.moment_in(options["local_time"], self.windows.zone_of(target))
            if due_at > now:
                return Place(hold=Hold.MOMENT, due_at=due_at)
        if awaits_boot:
            return Place(hold=Hold.BOOT)
        place = self.in_window(job, target, now)
        return QUEUED if place == FREE and options.get("queued") else place

    def in_window(self, job: Row, target: Target, now: datetime) -> Place:
        """Return where a run of *job* stands that nothing but the launch window of *target* can hold *now*."""
        decision = self.windows.decide(target, job["outside_launch_window"], now)
        if decision.action is Action.FAIL:
            return Place(State.FAILED, reason=decision.reason)
        if decision.action is Action.WAIT:
            return Place(hold=Hold.WINDOW, due_at=decision.until)
        return FREE

    def _await_boot(self, session: Session, options: Options, targets: Sequence[Target]) -> Collection[UUID]:
        """Return which of *targets* are to be booted before their run begins; none that another agent works for."""
        own = [target.id for target in targets if target.worker_id is None]
        if options.get("boot"):
            return set(own)
        return self.offline(session, own) if options.get("offline_agents_next_boot") else ()

    def offline(self, session: Session, agent_ids: Sequence[UUID]) -> set[UUID]:
        """Return which of the agents are not connected, as far as anybody can know."""
        now = self._ports.now()
        offline = set(agent_ids)
        for ids in _in_parts(agent_ids):
            agents = session.scalars(select(Agent).where(Agent.id.in_(ids)))
            offline -= {agent.id for agent in agents if is_online(agent, now)}
        return offline


_UNFINISHED = RUNS.c.state.in_(sorted(set(State) - FINISHED))


def _in_parts(ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [ids[start : start + _MANY] for start in range(0, len(ids), _MANY)]
