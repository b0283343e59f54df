"""The hall: all services of one dispatcher, bound to each other. Bindings, gateway and engine are given this."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta

from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import AccessTokens
from dispatcher.services.approvals import Approvals
from dispatcher.services.boots import Boots
from dispatcher.services.clockwork import Clockwork
from dispatcher.services.configurations import Configurations
from dispatcher.services.enrolment import Enrolment
from dispatcher.services.found_computers import FoundComputers
from dispatcher.services.gateways import Gateways
from dispatcher.services.gone_agents import GoneAgents
from dispatcher.services.ground import Ground, lay_ground
from dispatcher.services.holds import Holds
from dispatcher.services.leasing import Leasing
from dispatcher.services.local_agent import LocalAgentId
from dispatcher.services.memberships import Memberships
from dispatcher.services.occurrences import Occurrences
from dispatcher.services.on_demand import OnDemand
from dispatcher.services.output import Output
from dispatcher.services.passwords import Passwords
from dispatcher.services.queues import Queues
from dispatcher.services.recovery import Recovery
from dispatcher.services.relief import Relief
from dispatcher.services.removals import Removals
from dispatcher.services.reporting import Reporting
from dispatcher.services.rerun import Rerun
from dispatcher.services.results import Results
from dispatcher.services.retention import Retention
from dispatcher.services.run_orders import RunOrders
from dispatcher.services.runbook_jobs import RunBookJobs
from dispatcher.services.schedules import Schedules
from dispatcher.services.scheduling import Scheduling
from dispatcher.services.secrets import Secrets
from dispatcher.services.security import Security
from dispatcher.services.submits import Submits
from dispatcher.services.team_reports import TeamReports
from dispatcher.services.uploads import Uploads
from dispatcher.services.usage_reports import UsageReports
from dispatcher.services.waking import Waking


@dataclass(frozen=True, slots=True)
class Hall(Ground):
    """The services by name; those of one dialect alone are built from them by its ``suite``."""

    access_tokens: AccessTokens
    approvals: Approvals
    clockwork: Clockwork
    configurations: Configurations
    enrolment: Enrolment
    gone_agents: GoneAgents
    holds: Holds
    leasing: Leasing
    local_agent: LocalAgentId
    memberships: Memberships
    occurrences: Occurrences
    on_demand: OnDemand
    output: Output
    queues: Queues
    recovery: Recovery
    relief: Relief
    removals: Removals
    reporting: Reporting
    rerun: Rerun
    results: Results
    retention: Retention
    runbook_jobs: RunBookJobs
    schedules: Schedules
    scheduling: Scheduling
    security: Security
    submits: Submits
    team_reports: TeamReports
    uploads: Uploads
    usage_reports: UsageReports
    waking: Waking


def build_hall(
    datastore: Datastore,
    ports: Ports,
    secrets: Secrets,
    *,
    lease: timedelta,
    dispatcher: str = "",
    passwords: Passwords | None = None,
) -> Hall:
    """Return the services over *datastore*; a run may go *lease* without news.

    *dispatcher* is whose settings hold, *passwords* what checks those of logins, in the usual way if it is not given.
    """
    ground = lay_ground(datastore, ports, secrets, lease=lease, dispatcher=dispatcher)
    return _furnished(ground, Security(datastore, ports, passwords or Passwords(), ground.settings), lease)


def _furnished(ground: Ground, security: Security, lease: timedelta) -> Hall:
    datastore, ports, settings = ground.datastore, ground.ports, ground.settings
    activation, aborting, firing = ground.activation, ground.aborting, ground.firing
    leasing = _leasing(ground, lease)
    recovery = Recovery(datastore, ports, plans=ground.plans, activation=activation, lease=lease)
    removals = Removals(datastore, ports, topology=ground.topology, activation=activation)
    return Hall(
        **{part.name: getattr(ground, part.name) for part in fields(ground)},
        access_tokens=AccessTokens(datastore, ports, security, settings),
        approvals=_approvals(ground),
        clockwork=Clockwork(datastore, ports, activation=activation, aborting=aborting, settings=settings),
        configurations=Configurations(datastore, ground.secrets),
        enrolment=Enrolment(datastore, ports, ground.tokens, Boots(ports, ground.topology, firing), ground.topology),
        gone_agents=GoneAgents(datastore, removals),
        holds=Holds(datastore, ports),
        leasing=leasing,
        local_agent=LocalAgentId(),
        memberships=Memberships(datastore, ports, ground.topology),
        occurrences=Occurrences(datastore, ports, activation=activation, aborting=aborting, firing=firing),
        on_demand=OnDemand(datastore, ports, firing=firing, jobs=ground.jobs, runbook_who=ground.runbook_who),
        output=Output(datastore),
        queues=Queues(datastore, ports),
        recovery=recovery,
        relief=_relief(ground),
        removals=removals,
        reporting=_reporting(ground, leasing, recovery),
        rerun=_rerun(ground),
        results=Results(datastore, ground.plans, ground.jobs),
        retention=Retention(datastore, ports, settings),
        runbook_jobs=RunBookJobs(datastore, ground.jobs),
        schedules=Schedules(datastore, ports, ground.runbook_who),
        scheduling=_scheduling(ground),
        security=security,
        submits=Submits(datastore, ports, jobs=ground.jobs, dispatchers=ground.dispatchers),
        team_reports=TeamReports(datastore, ground.topology),
        uploads=Uploads(datastore, ports, ground.resources, settings),
        usage_reports=UsageReports(datastore, ports),
        waking=Waking(datastore, ports),
    )


def _reporting(ground: Ground, leasing: Leasing, recovery: Recovery) -> Reporting:
    return Reporting(
        ground.datastore,
        leasing=leasing,
        recovery=recovery,
        activation=ground.activation,
        outputs=ground.outputs,
        configurations=ground.keeping,
        found_computers=FoundComputers(ground.ports, ground.plans),
    )


def _leasing(ground: Ground, lease: timedelta) -> Leasing:
    return Leasing(
        ground.datastore,
        ground.ports,
        settings=ground.settings,
        topology=ground.topology,
        placing=ground.placing,
        run_orders=RunOrders(ground.plans, ground.credential_sets, ground.job_inputs),
        activation=ground.activation,
        lease=lease,
    )


def _relief(ground: Ground) -> Relief:
    return Relief(
        ground.datastore,
        ground.ports,
        topology=ground.topology,
        placing=ground.placing,
        gateways=Gateways(ground.plans, ground.topology, ground.placing),
    )


def _scheduling(ground: Ground) -> Scheduling:
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


def _rerun(ground: Ground) -> Rerun:
    return Rerun(
        ground.datastore,
        ground.ports,
        library=ground.library,
        activation=ground.activation,
        jobs=ground.jobs,
        runbook_who=ground.runbook_who,
        job_inputs=ground.job_inputs,
    )


def _approvals(ground: Ground) -> Approvals:
    return Approvals(
        ground.datastore,
        ground.ports,
        activation=ground.activation,
        batches=ground.batches,
        jobs=ground.jobs,
        runbook_who=ground.runbook_who,
        settings=ground.settings,
    )
