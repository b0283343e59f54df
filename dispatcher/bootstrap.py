"""The composition root: the one place that knows which part is given which."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from dispatcher.agents.gateway import Gateway
from dispatcher.bindings.ivanti_automation import binding as ivanti_automation
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.engine.clock import Clock
from dispatcher.engine.duties import duties_of
from dispatcher.real_ports import new_id, now
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.secrets import Secrets
from dispatcher.web.agents import AgentsApp
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.http import Binding
from dispatcher.wire.quotas import Quotas

log = structlog.get_logger(__name__)


class Bell:
    """The wake-up of a serving process: rings at the gateway and at the engine, once they are there."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None
        self.clock: Clock | None = None

    def agents(self, agent_ids: Collection[UUID]) -> None:
        """Let the polls of *agent_ids* look for orders."""
        if self.gateway is not None:
            self.gateway.wake(agent_ids)

    def engine(self) -> None:
        """Let the engine look for what is due."""
        if self.clock is not None:
            self.clock.wake()


@dataclass(slots=True)
class House:
    """A dispatcher that is put together and not yet started. ``clock.start`` and the listeners bring it to life."""

    ports: Ports
    hall: Hall
    gateway: Gateway
    clock: Clock
    web: WebApp
    agents: AgentsApp


def build_house(datastore: Datastore, secrets: Secrets, *, lease: timedelta, limits: Limits, quotas: Quotas) -> House:
    """Return a dispatcher over *datastore*, whose schema must be current."""
    bell = Bell()
    ports = Ports(now, new_id, bell)
    hall = build_hall(datastore, ports, secrets, lease=lease)
    bell.gateway = gateway = Gateway(hall, now)
    # Leases may have run out while no server was there. Two leases: an agent whose call fails waits up to one before
    # it tries again.
    bell.clock = clock = Clock(duties_of(hall), now, first=lambda: hall.leasing.extend_all(2 * lease))
    bindings = [_ivanti_automation(hall, quotas)]
    web = WebApp(bindings, hall.security, Health(hall), new_id, limits)
    return House(ports, hall, gateway, clock, web, AgentsApp(gateway))


def _ivanti_automation(hall: Hall, quotas: Quotas) -> Binding:
    settings = hall.settings.current()
    return ivanti_automation.build(
        hall,
        log=log.exception,
        base_path=settings.text("webapi.scheduling_base_path"),
        realm=settings.text("webapi.realm"),
        quotas=quotas,
    )
