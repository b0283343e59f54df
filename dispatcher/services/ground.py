"""The ground: the services that most others stand on, bound to each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.aborting import Aborting
from dispatcher.services.activation import Activation
from dispatcher.services.alerts import Alerts
from dispatcher.services.batches import Batches
from dispatcher.services.configuration_keeping import ConfigurationKeeping
from dispatcher.services.credential_sets import CredentialSets
from dispatcher.services.dispatchers import Dispatchers
from dispatcher.services.firing import Firing
from dispatcher.services.handover import Handover
from dispatcher.services.job_inputs import JobInputs
from dispatcher.services.jobs import Jobs
from dispatcher.services.launch_windows import LaunchWindows
from dispatcher.services.library.catalogue import Library
from dispatcher.services.outputs import Outputs
from dispatcher.services.placing import Placing
from dispatcher.services.plans import Plans
from dispatcher.services.resources import Resources
from dispatcher.services.runbook_who import RunBookWho
from dispatcher.services.secrets import Secrets
from dispatcher.services.settings import Settings
from dispatcher.services.starting import Starting
from dispatcher.services.steps import Steps
from dispatcher.services.tokens import Tokens
from dispatcher.services.topology import Topology


@dataclass(frozen=True, slots=True)
class Ground:
    """What most services stand on, those of dialects too."""

    datastore: Datastore
    ports: Ports
    secrets: Secrets
    settings: Settings
    library: Library
    topology: Topology
    plans: Plans
    outputs: Outputs
    jobs: Jobs
    placing: Placing
    activation: Activation
    aborting: Aborting
    firing: Firing
    dispatchers: Dispatchers
    resources: Resources
    runbook_who: RunBookWho
    tokens: Tokens
    credential_sets: CredentialSets
    alerts: Alerts
    keeping: ConfigurationKeeping
    batches: Batches
    job_inputs: JobInputs


def lay_ground(datastore: Datastore, ports: Ports, secrets: Secrets, *, lease: timedelta, dispatcher: str) -> Ground:
    """Return the ground over *datastore*; arguments as of ``build_hall``."""
    settings = Settings(datastore, ports, dispatcher)
    topology = Topology(datastore, ports)
    plans = Plans(secrets)
    outputs = Outputs(plans)
    placing = Placing(ports, LaunchWindows(settings))
    alerts = Alerts(datastore, ports)
    handover = Handover(datastore, ports, settings=settings, lease=lease)
    starting = Starting(ports, plans=plans, topology=topology, placing=placing, handover=handover, alerts=alerts)
    jobs = Jobs(datastore, plans)
    runbook_who = RunBookWho(plans, topology)
    batches = Batches(ports, topology, placing)
    job_inputs = JobInputs(secrets)
    steps = Steps(ports, plans, topology, starting, job_inputs)
    activation = Activation(starting, steps, batches, outputs)
    return Ground(
        datastore=datastore,
        ports=ports,
        secrets=secrets,
        settings=settings,
        library=Library(datastore, secrets),
        topology=topology,
        plans=plans,
        outputs=outputs,
        jobs=jobs,
        placing=placing,
        activation=activation,
        aborting=Aborting(datastore, ports, activation=activation, jobs=jobs, runbook_who=runbook_who),
        firing=Firing(ports, starting, activation),
        dispatchers=Dispatchers(datastore, ports),
        resources=Resources(datastore, ports),
        runbook_who=runbook_who,
        tokens=Tokens(datastore, ports),
        credential_sets=CredentialSets(datastore, secrets),
        alerts=alerts,
        batches=batches,
        job_inputs=job_inputs,
        keeping=ConfigurationKeeping(ports, secrets, plans=plans, alerts=alerts, settings=settings),
    )
