"""The hall: all services of one dispatcher, bound to each other. Bindings, gateway and engine are given this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.aborting import Aborting
from dispatcher.services.activation import Activation
from dispatcher.services.batches import Batches
from dispatcher.services.boots import Boots
from dispatcher.services.clockwork import Clockwork
from dispatcher.services.dispatchers import Dispatchers
from dispatcher.services.enrolment import Enrolment
from dispatcher.services.firing import Firing
from dispatcher.services.handover import Handover
from dispatcher.services.holds import Holds
from dispatcher.services.jobs import Jobs
from dispatcher.services.launch_windows import LaunchWindows
from dispatcher.services.leasing import Leasing
from dispatcher.services.library.catalogue import Library
from dispatcher.services.memberships import Memberships
from dispatcher.services.occurrences import Occurrences
from dispatcher.services.output import Output
from dispatcher.services.outputs import Outputs
from dispatcher.services.passwords import Passwords
from dispatcher.services.placing import Placing
from dispatcher.services.plans import Plans
from dispatcher.services.recovery import Recovery
from dispatcher.services.removals import Removals
from dispatcher.services.reporting import Reporting
from dispatcher.services.rerun import Rerun
from dispatcher.services.resources import Resources
from dispatcher.services.results import Results
from dispatcher.services.retention import Retention
from dispatcher.services.runbook_jobs import RunBookJobs
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.schedules import Schedules
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.secrets import Secrets
from dispatcher.services.security import Security
from dispatcher.services.settings import Settings
from dispatcher.services.starting import Starting
from dispatcher.services.steps import Steps
from dispatcher.services.submits import Submits
from dispatcher.services.team_reports import TeamReports
from dispatcher.services.tokens import Tokens
from dispatcher.services.topology import Topology
from dispatcher.services.uploads import Uploads
from dispatcher.services.usage_reports import UsageReports
from dispatcher.services.waking import Waking


@dataclass(frozen=True, slots=True)
class Hall:
    """The services by name."""

    aborting: Aborting
    clockwork: Clockwork
    dispatchers: Dispatchers
    enrolment: Enrolment
    holds: Holds
    jobs: Jobs
    leasing: Leasing
    library: Library
    memberships: Memberships
    occurrences: Occurrences
    output: Output
    recovery: Recovery
    removals: Removals
    reporting: Reporting
    rerun: Rerun
    resources: Resources
    results: Results
    retention: Retention
    runbook_jobs: RunBookJobs
    schedules: Schedules
    scheduling: Scheduling
    security: Security
    settings: Settings
    submits: Submits
    team_reports: TeamReports
    tokens: Tokens
    topology: Topology
    uploads: Uploads
    usage_reports: UsageReports
    waking: Waking


@dataclass(frozen=True, slots=True)
class _Ground:
    """What most services stand on."""

    datastore: Datastore
    ports: Ports
    settings: Settings
    library: Library
    topology: Topology
    plans: Plans
    outputs: Outputs
    jobs: Jobs
    placing: Placing
    starting: Starting
    activation: Activation
    aborting: Aborting
    firing: Firing
    dispatchers: Dispatchers
    resources: Resources
    runbook_who: RunBookWho
    tokens: Tokens


def build_hall(datastore: Datastore, ports: Ports, secrets: Secrets, *, lease: timedelta, dispatcher: str = "") -> Hall:
    """Return the services over *datastore*; a run may go *lease* without news. *dispatcher* is whose settings hold."""
    ground = _lay(datastore, ports, secrets, lease, Settings(datastore, ports, dispatcher))
    activation, aborting, firing = ground.activation, ground.aborting, ground.firing
    jobs, settings, topology = ground.jobs, ground.settings, ground.topology
    leasing = _leasing(ground, lease)
    recovery = Recovery(datastore, ports, plans=ground.plans, activation=activation, lease=lease)
    return Hall(
        aborting=aborting,
        clockwork=Clockwork(datastore, ports, activation=activation, aborting=aborting, settings=settings),
        dispatchers=ground.dispatchers,
        enrolment=Enrolment(datastore, ports, ground.tokens, Boots(ports, topology, firing)),
        holds=Holds(datastore, ports),
        jobs=jobs,
        leasing=leasing,
        library=ground.library,
        memberships=Memberships(datastore, ports, topology),
        occurrences=Occurrences(datastore, ports, activation=activation, aborting=aborting, firing=firing),
        output=Output(datastore),
        recovery=recovery,
        removals=Removals(datastore, ports, topology=topology, activation=activation),
        reporting=_reporting(ground, leasing, recovery),
        rerun=_rerun(ground),
        resources=ground.resources,
        results=Results(datastore, ground.plans, jobs),
        retention=Retention(datastore, ports, settings),
        runbook_jobs=RunBookJobs(datastore, jobs),
        schedules=Schedules(datastore, ports, ground.runbook_who),
        scheduling=_scheduling(ground),
        security=Security(datastore, ports, Passwords()),
        settings=settings,
        submits=Submits(datastore, ports, jobs=jobs, dispatchers=ground.dispatchers),
        team_reports=TeamReports(datastore, topology),
        tokens=ground.tokens,
        topology=topology,
        uploads=Uploads(datastore, ports, ground.resources, settings),
        usage_reports=UsageReports(datastore, ports),
        waking=Waking(datastore, ports),
    )


def _lay(datastore: Datastore, ports: Ports, secrets: Secrets, lease: timedelta, settings: Settings) -> _Ground:
    topology = Topology(datastore, ports)
    plans = Plans(secrets)
    outputs = Outputs(plans)
    placing = Placing(ports, LaunchWindows(settings))
    handover = Handover(datastore, ports, settings=settings, lease=lease)
    starting = Starting(ports, plans=plans, topology=topology, placing=placing, handover=handover)
    jobs = Jobs(datastore, plans)
    runbook_who = RunBookWho(plans, topology)
    steps = Steps(ports, plans, topology, starting)
    activation = Activation(starting, steps, Batches(ports, topology, placing), outputs)
    return _Ground(
        datastore=datastore,
        ports=ports,
        settings=settings,
        library=Library(datastore, secrets),
        topology=topology,
        plans=plans,
        outputs=outputs,
        jobs=jobs,
        placing=placing,
        starting=starting,
        activation=activation,
        aborting=Aborting(datastore, ports, activation=activation, jobs=jobs, runbook_who=runbook_who),
        firing=Firing(ports, starting, activation),
        dispatchers=Dispatchers(datastore, ports),
        resources=Resources(datastore, ports),
        runbook_who=runbook_who,
        tokens=Tokens(datastore, ports),
    )


def _reporting(ground: _Ground, leasing: Leasing, recovery: Recovery) -> Reporting:
    return Reporting(
        ground.datastore, leasing=leasing, recovery=recovery, activation=ground.activation, outputs=ground.outputs
    )


def _leasing(ground: _Ground, lease: timedelta) -> Leasing:
    return Leasing(
        ground.datastore,
        ground.ports,
        settings=ground.settings,
        topology=ground.topology,
        placing=ground.placing,
        plans=ground.plans,
        activation=ground.activation,
        lease=lease,
    )


def _scheduling(ground: _Ground) -> Scheduling:
    return Scheduling(
        ground.datastore,
        ground.ports,
        library=ground.library,
        topology=ground.topology,
        plans=ground.plans,
        activation=ground.activation,
        jobs=ground.jobs,
        settings=ground.settings,
        runbook_who=ground.runbook_who,
    )


def _rerun(ground: _Ground) -> Rerun:
    return Rerun(
        ground.datastore,
        ground.ports,
        library=ground.library,
        activation=ground.activation,
        jobs=ground.jobs,
        runbook_who=ground.runbook_who,
    )
