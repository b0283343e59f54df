"""The suite: all that the Symantec CCS dialect does over the services of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.core.ports import Ports
from dispatcher.services.settings import Settings
from dispatcher.services.symantec_ccs.inventory import Inventory
from dispatcher.services.symantec_ccs.jobs import CcsJobs
from dispatcher.services.symantec_ccs.orders import Present
from dispatcher.services.symantec_ccs.results import Evaluations
from dispatcher.services.symantec_ccs.runs import CcsRuns

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall


@dataclass(frozen=True, slots=True)
class SymantecCcs:
    """The services of the dialect by name."""

    ports: Ports
    settings: Settings
    jobs: CcsJobs
    runs: CcsRuns
    inventory: Inventory
    evaluations: Evaluations

    def present(self) -> Present:
        """Return this moment, and the zone of the site."""
        return Present(self.ports.now(), self.settings.site_zone())

    def wraps_status(self) -> bool:
        """Whether the answer to an execution has the run within another member."""
        return self.settings.current().text("symantec_ccs.job_status_info") == "WRAPPED"


def build_symantec_ccs(hall: Hall) -> SymantecCcs:
    """Return the services over those of the *hall*."""
    datastore, ports = hall.datastore, hall.ports
    inventory = Inventory(datastore, topology=hall.topology, library=hall.library)
    runs = CcsRuns(datastore, on_demand=hall.on_demand, aborting=hall.aborting, submits=hall.submits)
    jobs = CcsJobs(
        datastore,
        ports,
        scheduling=hall.scheduling,
        aborting=hall.aborting,
        inventory=inventory,
        runs=runs,
        submits=hall.submits,
    )
    return SymantecCcs(ports, hall.settings, jobs, runs, inventory, Evaluations(datastore, hall.results))
