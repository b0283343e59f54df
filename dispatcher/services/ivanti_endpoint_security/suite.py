"""The suite: the services of the dialect by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.services.ivanti_endpoint_security.deployments import Deployments
from dispatcher.services.ivanti_endpoint_security.endpoints import Endpoints
from dispatcher.services.ivanti_endpoint_security.groups import Groups
from dispatcher.services.ivanti_endpoint_security.jobs import IesJobs
from dispatcher.services.ivanti_endpoint_security.new_patch_lists import NewPatchLists
from dispatcher.services.ivanti_endpoint_security.patch_lists import PatchLists
from dispatcher.services.ivanti_endpoint_security.policies import Policies
from dispatcher.services.ivanti_endpoint_security.run_inputs import PROVIDER, RunInputs

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall


@dataclass(frozen=True, slots=True)
class IvantiEndpointSecurity:
    """The services that only clients of Ivanti Endpoint Security call."""

    jobs: IesJobs
    deployments: Deployments
    endpoints: Endpoints
    groups: Groups
    patch_lists: PatchLists
    new_patch_lists: NewPatchLists
    policies: Policies


def build_ivanti_endpoint_security(hall: Hall) -> IvantiEndpointSecurity:
    """Return the services over those of the *hall*."""
    policies = Policies(hall.datastore, hall.topology)
    inputs = RunInputs(hall.secrets, settings=hall.settings, tokens=hall.tokens, policies=policies)
    hall.job_inputs.provide(PROVIDER, inputs)
    jobs = IesJobs(
        hall.datastore,
        hall.ports,
        hall.secrets,
        scheduling=hall.scheduling,
        submits=hall.submits,
        settings=hall.settings,
        local_agent=hall.local_agent,
        results=hall.results,
    )
    patch_lists = PatchLists(hall.datastore, hall.library)
    deployments = Deployments(
        hall.datastore,
        hall.ports,
        scheduling=hall.scheduling,
        submits=hall.submits,
        results=hall.results,
        patch_lists=patch_lists,
        topology=hall.topology,
    )
    return IvantiEndpointSecurity(
        jobs=jobs,
        deployments=deployments,
        endpoints=Endpoints(hall.datastore, hall.ports),
        groups=Groups(hall.datastore, hall.topology),
        patch_lists=patch_lists,
        new_patch_lists=NewPatchLists(hall.datastore, hall.ports, hall.secrets, hall.submits),
        policies=policies,
    )
