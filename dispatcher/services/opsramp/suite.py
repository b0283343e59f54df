"""The suite: the services of the dialect by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.services.opsramp.categories import Categories
from dispatcher.services.opsramp.jobs import OpsRampJobs
from dispatcher.services.opsramp.outputs import ScriptOutputs
from dispatcher.services.opsramp.requests import Requests
from dispatcher.services.opsramp.resources import Resources
from dispatcher.services.opsramp.script_library import ScriptLibrary
from dispatcher.services.opsramp.tenants import Tenants

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall


@dataclass(frozen=True, slots=True)
class OpsRamp:
    """The services that only OpsRamp's clients call."""

    categories: Categories
    jobs: OpsRampJobs
    outputs: ScriptOutputs
    resources: Resources
    scripts: ScriptLibrary


def build_opsramp(hall: Hall) -> OpsRamp:
    """Return the services over those of the *hall*."""
    datastore, ports, tenants = hall.datastore, hall.ports, Tenants(hall.topology)
    jobs = OpsRampJobs(
        datastore,
        ports,
        tenants=tenants,
        requests=Requests(tenants, hall.plans),
        scheduling=hall.scheduling,
        schedules=hall.schedules,
        aborting=hall.aborting,
        on_demand=hall.on_demand,
        approvals=hall.approvals,
        submits=hall.submits,
    )
    categories = Categories(datastore, ports, tenants)
    resources = Resources(datastore, ports, tenants=tenants, credential_sets=hall.credential_sets, submits=hall.submits)
    scripts = ScriptLibrary(
        datastore, ports, hall.secrets, tenants=tenants, categories=categories, submits=hall.submits
    )
    return OpsRamp(
        categories=categories,
        jobs=jobs,
        outputs=ScriptOutputs(datastore, tenants),
        resources=resources,
        scripts=scripts,
    )
