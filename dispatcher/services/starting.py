"""Starting: a job that is due becomes runs, one on each of its agents, free or held for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from dispatcher.core.ids import id_of, text_of
from dispatcher.core.jobs import WHAT_KINDS, WHO_KINDS, Options, What, Who, WhoKind
from dispatcher.core.options import REQUIRED
from dispatcher.core.ports import Ports
from dispatcher.core.states import Event, State, move, outcome
from dispatcher.datastore import revisions
from dispatcher.datastore.base import Row
from dispatcher.datastore.inserting import Inserting
from dispatcher.datastore.jobs import JOBS, UNTIMED
from dispatcher.datastore.queues import QUEUED
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.transactions import after_commit
from dispatcher.services import late
from dispatcher.services.alerts import Alerts
from dispatcher.services.devices import served
from dispatcher.services.gateways import Gateways
from dispatcher.services.handover import Handover
from dispatcher.services.lasting import Lasting
from dispatcher.services.placing import Place, Placing
from dispatcher.services.plans import Plans
from dispatcher.services.topology import Target, Topology

NEW_JOBS = Inserting(JOBS)
_NEW_RUNS = Inserting(RUNS)
_ENQUEUE = insert(QUEUED)
#: What a new job has in its columns where nothing else is said; the number comes from the database.
NEW_JOB: dict[str, Any] = {
    **{column: None for column in JOBS.columns.keys() if column != "number"},  # noqa: SIM118
    "state": State.SCHEDULED,
    "reason": "",
    "is_local_time": False,
    "is_recurring": False,
    "open_runs": 0,
}
#: What a job that is made of another one has as that one has it: the same definitions, whatever came later, and values,
#: which stay sealed.
SAME = (
    "description",
    "is_runbook",
    "what",
    "who",
    "parameters",
    "use_wake_on_lan",
    "in_parallel",
    "outside_launch_window",
    "tags",
)
#: How many times it is kept whom jobs reach; when there are more, all are forgotten.
KEPT = 1_000
#: Of jobs of more things, or for more agents, it is not kept.
FEW = 20

_Items = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Reach:
    """The agents that a job is for, by name. What is kept is shared: nothing in one may be changed."""

    targets: Sequence[Target]
    fitting: Sequence[Target]  #: those for whose platform something is there
    devices: Sequence[Target]  #: those of these that others may work for


class Starting:
    """Starts jobs that are no run books. Every method works inside the caller's transaction."""

    def __init__(
        self,
        ports: Ports,
        *,
        plans: Plans,
        topology: Topology,
        placing: Placing,
        handover: Handover,
        alerts: Alerts,
    ) -> None:
        self._ports = ports
        self._gateways = Gateways(plans, topology, placing)
        self._alerts = alerts
        self._handover = handover
        self._plans = plans
        self._topology = topology
        self._placing = placing
        self._reached = Lasting[dict[Any, _Reach]](dict, revisions.TOPOLOGY)

    def insert(self, session: Session, job: Mapping[str, Any]) -> int:
        """Insert the new *job* (its columns) as it is; return its number."""
        number = NEW_JOBS.one(session, job)
        if job.get("options"):
            after_commit(session, self._ports.wakeup.engine)  # some of them end by themselves
        return number

    def wake_engine(self, session: Session) -> None:
        """Let the engine look for what is to be done, once this transaction is committed."""
        after_commit(session, self._ports.wakeup.engine)

    def insert_started(self, session: Session, job: dict[str, Any], *, is_last: bool = False) -> int:
        """Start the new *job* (its columns) and insert it; complete *job* with what that changed; return its number.

        If it *is_last*, the transaction changes nothing after that: an agent that waits may be lent its run at once.
        """
        runs, changes = self.begin(session, job)
        if is_last:
            self._handover.lend(session, runs)
        job.update(changes)
        number = self.insert(session, job)
        self.insert_runs(session, runs)
        return number

    def insert_runs(self, session: Session, runs: Sequence[dict[str, Any]]) -> None:
        """Insert the new *runs* (their columns), and wake the agents that may fetch one; the engine for those held."""
        queued = [{"run_id": run["id"], "resource": run.pop("queue")} for run in runs if "queue" in run]
        # In order of agents: MariaDB locks each of them, for the foreign key, and so do those that lend runs.
        _NEW_RUNS.all(session, sorted(runs, key=lambda run: run["agent_id"]))
        if queued:
            session.connection().execute(_ENQUEUE, queued)
            after_commit(session, self._ports.wakeup.engine)
        pending = State.PENDING
        free = [run for run in runs if run["state"] is pending and run["hold"] is None and run["leased_until"] is None]
        if free:
            woken = [run["agent_id"] for run in free]
            after_commit(session, lambda: self._ports.wakeup.agents(woken))
        if [run for run in runs if run["due_at"] is not None]:
            after_commit(session, self._ports.wakeup.engine)

    def started(
        self, job: Row, targets: Sequence[Target] | None = None, runs: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        """Return what changes in *job* (its columns) when it starts now, on *targets* if they are known, with *runs*.

        Its time begins when the local time has come to all of them, and the launch windows that *runs* wait for are
        open: nobody can work before that.
        """
        now = self._ports.now()
        changes = {"state": move(job["state"], Event.ACTIVATE), "started_at": now, "sorted_at": now}
        options: Options = job.get("options") or {}
        if "timeout_s" in options and options.get("approval") != REQUIRED:
            begins_at = self._placing.begins_at(options, targets, [run["due_at"] for run in runs])
            changes["ends_by"] = begins_at + timedelta(seconds=options["timeout_s"])
        if "launch_timeout_s" in options:
            changes["fetch_by"] = now + timedelta(seconds=options["launch_timeout_s"])
        return changes

    def begin(self, session: Session, job: Row) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the runs of *job*, and how its start changes it; without any run to do it is over at once."""
        what = late.bound(session, job["what"])
        is_late = what is not job["what"]
        if is_late:
            pairs = zip(job["parameters"], job["what"], what, strict=True)
            values = [self._plans.refit(session, given, old, new) for given, old, new in pairs]
            job = {**job, "what": what, "parameters": values}
        reach = self._reach(session, what, job["who"])
        runs = self._runs(session, job, reach)
        changes = self.started(job, reach.targets, runs)
        if is_late:
            changes |= {"what": what, "parameters": values}
        pending = State.PENDING
        changes["open_runs"] = sum([run["state"] is pending for run in runs])
        if not changes["open_runs"]:
            named = f": {', '.join(who['name'] for who in job['who'])} has no members" if job["who"] else ""
            reason = "" if reach.targets else f"no agent{named}"
            ended = outcome(run["state"] for run in runs)
            changes |= {"state": ended, "stopped_at": changes["started_at"], "reason": reason, **UNTIMED}
        self._tell(session, job, changes)
        return runs, changes

    def _tell(self, session: Session, job: Row, changes: Mapping[str, Any]) -> None:
        """Raise the alerts that belong to the start of *job*, which has these *changes*."""
        options: Options = job.get("options") or {}
        if options.get("alert"):
            started = f"{job['description']}: started on {changes['open_runs']} computers"
            self._alerts.put(session, "job.started", started, job_id=job["id"])
        if options.get("approval") == REQUIRED and changes["open_runs"]:
            self._alerts.put(session, "job.awaits_approval", f"{job['description']}: awaits approval", job_id=job["id"])

    def tell_end(self, session: Session, job: Row, state: State) -> None:
        """Raise the alert that belongs to the end of *job*, if one does."""
        if (job["options"] or {}).get("alert"):
            self._alerts.put(session, "job.ended", f"{job['description']}: {state.text}", job_id=job["id"])

    def _reach(self, session: Session, what: _Items, who: _Items) -> _Reach:
        """Return whom a job reaches now that runs the stored *what* on the stored *who*."""
        key = _key(what, who)
        reached = self._reached.of(session) if key else {}
        reach = reached.get(key)
        if reach is None:
            targets = self._topology.targets_of(session, [to_who(entry) for entry in who])
            systems = {os for os in {target.os for target in targets} if self._plans.outline(session, what, os)}
            fitting = [target for target in targets if target.os in systems]
            if len(reached) >= KEPT:
                reached.clear()
            reach = reached[key] = _Reach(targets, fitting, self._gateways.devices(session, what, fitting))
        return reach

    def _runs(self, session: Session, job: Row, reach: _Reach) -> list[dict[str, Any]]:
        """Return a new run for each target of *job*, in order; one for whose platform nothing is there is skipped.

        With ``select_one`` there is one run only, on one of those whose platform fits.
        """
        targets, fitting = reach.targets, reach.fitting
        able, options = fitting, job.get("options") or {}
        workers = self._gateways.workers(session, job["what"], reach.devices) if reach.devices else {}
        if workers:
            able = [served(one, workers.get(one.id)) for one in fitting if workers.get(one.id, one) is not None]
        if targets and options.get("select_one"):
            targets = [self._placing.best(session, able or fitting or targets)]
            able = able and [*targets]
            fitting = fitting and [*targets]
        places = self._placing.at_start(session, job, able)
        if len(able) == len(targets):  # the same, in the same order
            return [self._run(job, target, place) for target, place in zip(able, places, strict=True)]
        placed = {target.id: (target, place) for target, place in zip(able, places, strict=True)}
        for target in fitting:
            if target.id not in placed:
                nobody = Place(State.FAILED, reason=f"no agent is there that could work for {target.name}")
                placed[target.id] = target, nobody
        return [self._run(job, *placed.get(target.id, (target, None))) for target in targets]

    def _run(self, job: Row, target: Target, place: Place | None) -> dict[str, Any]:
        """Return a new run; without a *place* there is nothing to do."""
        if place is None:
            place = Place(State.SKIPPED, reason=f"nothing in this job is for {target.os}")
        is_pending = place.state is State.PENDING
        run = {
            "id": self._ports.new_id(),
            "job_id": job["id"],
            "agent_id": target.worker_id or target.id,
            "device": target.number if target.worker_id else 0,
            "state": place.state,
            "reason": place.reason,
            "attempt": 0,
            "fence": 0,
            "leased_until": None,
            "begun": False,
            "stopped_at": None if is_pending else self._ports.now(),
            "hold": place.hold,
            "due_at": place.due_at,
        }
        options = job.get("options")
        if options and is_pending and options.get("queued"):
            run["queue"] = target.number
        return run


def _key(what: _Items, who: _Items) -> Any:
    """Return what decides whom a job reaches until the topology changes; None if that does not, or if it is much.

    What a definition says never changes. The members of a team may be others at any moment.
    """
    if len(what) > FEW or len(who) > FEW:
        return None
    agents = tuple([entry["id"] for entry in who if entry["kind"] == WhoKind.AGENT])
    if len(agents) < len(who):
        return None
    return agents, tuple([(item["definition"], *item.get("path", ())) for item in what])


def to_entry(who: Who) -> dict[str, Any]:
    """Return *who* as a job stores it."""
    return {"kind": who.kind, "id": text_of(who.id), "name": who.name}


def to_what(entry: Mapping[str, Any]) -> What:
    """Return the stored *entry* as it was when the job was scheduled."""
    return What(id_of(entry["id"]), entry["name"], WHAT_KINDS[entry["kind"]])


def to_who(entry: Mapping[str, Any]) -> Who:
    """Return the stored *entry* as it was when the job was scheduled; its flags are not known."""
    return Who(id_of(entry["id"]), entry["name"], WHO_KINDS[entry["kind"]])
