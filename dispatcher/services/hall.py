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
from dispatcher.services.holds import Holds
from dispatcher.services.jobs import Jobs
from dispatcher.services.launch_windows import LaunchWindows
from dispatcher.services.leasing import Leasing
from dispatcher.services.library.catalogue import Library
from dispatcher.services.occurrences import Occurrences
from dispatcher.services.output import Output
from dispatcher.services.outputs import Outputs
from dispatcher.services.passwords import Passwords
from dispatcher.services.placing import Placing
from dispatcher.services.plans import Plans
from dispatcher.services.reporting import Reporting
from dispatcher.services.rerun import Rerun
from dispatcher.services.resources import Resources
from dispatcher.services.results import Results
from dispatcher.services.retention import Retention
from dispatcher.services.schedules import Schedules
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.secrets import Secrets
from dispatcher.services.security import Security
from dispatcher.services.settings import Settings
from dispatcher.services.starting import Starting
from dispatcher.services.steps import Steps
from dispatcher.services.submits import Submits
from dispatcher.services.tokens import Tokens
from dispatcher.services.topology import Topology
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
    occurrences: Occurrences
    output: Output
    reporting: Reporting
    rerun: Rerun
    resources: Resources
    results: Results
    retention: Retention
    schedules: Schedules
    scheduling: Scheduling
    security: Security
    settings: Settings
    submits: Submits
    tokens: Tokens
    topology: Topology
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


def build_hall(datastore: Datastore, ports: Ports, secrets: Secrets, *, lease: timedelta) -> Hall:
    """Return the services over *datastore*; *lease* is how long a run may go without news of it."""
    ground = _lay(datastore, ports, secrets)
    activation, jobs, settings = ground.activation, ground.jobs, ground.settings
    tokens = Tokens(datastore, ports)
    dispatchers = Dispatchers(datastore, ports)
    leasing = _leasing(ground, lease)
    aborting = Aborting(datastore, ports, activation=activation, jobs=jobs)
    firing = Firing(ports, ground.starting, activation)
    return Hall(
        aborting=aborting,
        clockwork=Clockwork(datastore, ports, activation=activation, aborting=aborting, settings=settings),
        dispatchers=dispatchers,
        enrolment=Enrolment(datastore, ports, tokens, Boots(ports, ground.topology, firing)),
        holds=Holds(datastore, ports),
        jobs=jobs,
        leasing=leasing,
        library=ground.library,
        occurrences=Occurrences(datastore, ports, activation=activation, aborting=aborting, firing=firing),
        output=Output(datastore),
        reporting=Reporting(datastore, leasing=leasing, activation=activation, outputs=ground.outputs),
        rerun=Rerun(datastore, ports, library=ground.library, activation=activation, jobs=jobs),
        resources=Resources(datastore, ports),
        results=Results(datastore, ground.plans, jobs),
        retention=Retention(datastore, ports, settings),
        schedules=Schedules(datastore, ports),
        scheduling=_scheduling(ground),
        security=Security(datastore, ports, Passwords()),
        settings=settings,
        submits=Submits(datastore, ports, jobs=jobs, dispatchers=dispatchers),
        tokens=tokens,
        topology=ground.topology,
        waking=Waking(datastore, ports),
    )


def _lay(datastore: Datastore, ports: Ports, secrets: Secrets) -> _Ground:
    settings = Settings(datastore, ports)
    topology = Topology(datastore, ports)
    plans = Plans(secrets)
    outputs = Outputs(plans)
    placing = Placing(ports, LaunchWindows(settings))
    starting = Starting(ports, plans, topology, placing)
    steps = Steps(ports, plans, topology, starting)
    return _Ground(
        datastore=datastore,
        ports=ports,
        settings=settings,
        library=Library(datastore, secrets),
        topology=topology,
        plans=plans,
        outputs=outputs,
        jobs=Jobs(datastore, plans),
        placing=placing,
        starting=starting,
        activation=Activation(starting, steps, Batches(ports, topology, placing), outputs),
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
    )
