"""The hall: all services of one dispatcher, bound to each other. Bindings, gateway and engine are given this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.aborting import Aborting
from dispatcher.services.activation import Activation
from dispatcher.services.clockwork import Clockwork
from dispatcher.services.enrolment import Enrolment
from dispatcher.services.jobs import Jobs
from dispatcher.services.leasing import Leasing
from dispatcher.services.library.catalogue import Library
from dispatcher.services.passwords import Passwords
from dispatcher.services.plans import Plans
from dispatcher.services.reporting import Reporting
from dispatcher.services.results import Results
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.secrets import Secrets
from dispatcher.services.security import Security
from dispatcher.services.settings import Settings
from dispatcher.services.starting import Starting
from dispatcher.services.steps import Steps
from dispatcher.services.tokens import Tokens
from dispatcher.services.topology import Topology


@dataclass(frozen=True, slots=True)
class Hall:
    """The services by name."""

    aborting: Aborting
    clockwork: Clockwork
    enrolment: Enrolment
    jobs: Jobs
    leasing: Leasing
    library: Library
    reporting: Reporting
    results: Results
    scheduling: Scheduling
    security: Security
    settings: Settings
    tokens: Tokens
    topology: Topology


def build_hall(datastore: Datastore, ports: Ports, secrets: Secrets, *, lease: timedelta) -> Hall:
    """Return the services over *datastore*; *lease* is how long a run may go without news of it."""
    tokens = Tokens(datastore, ports)
    settings = Settings(datastore, ports)
    library = Library(datastore, secrets)
    topology = Topology(datastore, ports)
    plans = Plans(secrets)
    jobs = Jobs(datastore, plans)
    starting = Starting(ports, plans, topology)
    activation = Activation(starting, Steps(ports, plans, topology, starting))
    leasing = Leasing(datastore, ports, plans=plans, activation=activation, lease=lease)
    return Hall(
        aborting=Aborting(datastore, ports, activation=activation, jobs=jobs),
        clockwork=Clockwork(datastore, ports, activation, settings),
        enrolment=Enrolment(datastore, ports, tokens),
        jobs=jobs,
        leasing=leasing,
        library=library,
        reporting=Reporting(datastore, leasing=leasing, activation=activation),
        results=Results(datastore, plans, jobs),
        scheduling=Scheduling(
            datastore, ports, library=library, topology=topology, plans=plans, activation=activation, jobs=jobs
        ),
        security=Security(datastore, ports, Passwords()),
        settings=settings,
        tokens=tokens,
        topology=topology,
    )
