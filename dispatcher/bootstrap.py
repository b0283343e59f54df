"""The composition root: the one place that knows which part is given which."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import psutil
import structlog

from dispatcher import __version__
from dispatcher.agents.gateway import Gateway
from dispatcher.agents.lookout import Lookout
from dispatcher.bindings.exastro_ita import binding as exastro_ita
from dispatcher.bindings.ivanti_automation import binding as ivanti_automation
from dispatcher.bindings.ivanti_automation import resource_service
from dispatcher.bindings.ivanti_endpoint_security import binding as ivanti_endpoint_security
from dispatcher.bindings.opsramp import binding as opsramp
from dispatcher.bindings.symantec_ccs import binding as symantec_ccs
from dispatcher.core.errors import Unavailable
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.engine.clock import LONGEST_SLEEP, Clock
from dispatcher.engine.duties import duties_of
from dispatcher.engine.notifications import Notifications
from dispatcher.real_ports import new_id, now, steady
from dispatcher.services.change_triggers import ChangeTriggers
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.secrets import Secrets
from dispatcher.web.agents import AgentsApp
from dispatcher.web.api_docs import ApiDocs
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.http import Binding
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.quotas import Quotas

log = structlog.get_logger(__name__)

#: How often to look for what other dispatchers have made, where nothing tells of it, in seconds.
LOOK_EVERY_S = 0.5
#: The same where they tell, but a message may be lost with its connection.
LOOK_AGAIN_EVERY_S = 5.0


class Bell:
    """The wake-up of a serving process: rings at the gateway, at the engine and at other dispatchers', once there."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None
        self.clock: Clock | None = None
        self.others: Notifications | None = None

    def agents(self, agent_ids: Collection[UUID]) -> None:
        """Let the polls of *agent_ids* look for orders, wherever they wait."""
        gateway = self.gateway
        if gateway is None:
            return
        gateway.wake(agent_ids)
        if self.others is not None:
            elsewhere = [agent_id for agent_id in agent_ids if not gateway.is_waiting(agent_id)]
            if elsewhere:
                self.others.agents(elsewhere)

    def slot(self, agent_id: UUID) -> Callable[[UUID], None] | None:
        """Take the free slot of the agent, if its poll waits here; return how to tell it which run it was lent."""
        return None if self.gateway is None else self.gateway.slot(agent_id)

    def engine(self) -> None:
        """Let the engine look for what is due."""
        if self.clock is not None:
            self.clock.wake()
        if self.others is not None:
            # This process may end before it has done what it knows of.
            self.others.engine()


@dataclass(slots=True)
class House:
    """A dispatcher that is put together and not yet started. ``open`` and the listeners bring it to life."""

    ports: Ports
    hall: Hall
    gateway: Gateway
    clock: Clock
    web: WebApp
    agents: AgentsApp
    change_triggers: ChangeTriggers
    lookout: Lookout | None = None
    notifications: Notifications | None = None

    def open(self) -> None:
        """Start the engine, and listen for other dispatchers."""
        self.clock.start()
        for thread in (self.notifications, self.lookout):
            if thread is not None:
                thread.start()

    def close(self) -> None:
        """End what ``open`` has started."""
        for thread in (self.lookout, self.notifications, self.clock):
            if thread is not None:
                thread.stop()
        # With the datastore away others notice by our silence.
        with suppress(Unavailable):
            self.hall.dispatchers.leave()


def build_house(
    datastore: Datastore, secrets: Secrets, *, name: str, lease: timedelta, limits: Limits, quotas: Quotas
) -> House:
    """Return the dispatcher *name* over *datastore*, whose schema must be current."""
    bell = Bell()
    ports = Ports(now, steady, new_id, bell)
    hall = build_hall(datastore, ports, secrets, lease=lease, dispatcher=name)
    bell.gateway = gateway = Gateway(hall, now)
    bell.others = notifications = _notifications(datastore, bell)
    can_wait = datastore.traits.single_writer or notifications is not None
    bell.clock = clock = Clock(
        duties_of(hall),
        now,
        first=lambda: _arrive(hall, name, lease),
        longest_sleep=LONGEST_SLEEP if can_wait else timedelta(seconds=LOOK_EVERY_S),
        resumed=lambda: hall.recovery.extend_all(2 * lease),
    )
    web = WebApp(
        build_bindings(hall, quotas, limits),
        hall.security,
        hall.access_tokens,
        Health(hall),
        new_id,
        limits,
        look_again=hall.settings.current,
        single_writer=datastore if datastore.traits.single_writer else None,
    )
    lookout = None if datastore.traits.single_writer else _lookout(hall, gateway, is_told=notifications is not None)
    triggers = ChangeTriggers(datastore, topology=hall.topology, on_demand=hall.on_demand)
    return House(ports, hall, gateway, clock, web, AgentsApp(gateway), triggers, lookout, notifications)


def _arrive(hall: Hall, name: str, lease: timedelta) -> None:
    """Join the dispatchers; the first of them gives agents time to come back."""
    host = platform.node()
    if not hall.dispatchers.are_others_alive(host, lambda pid: pid != os.getpid() and psutil.pid_exists(pid)):
        # Leases may have run out while no server was there. Two leases: an agent whose call fails waits up to one
        # before it tries again.
        hall.recovery.extend_all(2 * lease)
    hall.dispatchers.announce(name, host, os.getpid(), __version__)


def _notifications(datastore: Datastore, bell: Bell) -> Notifications | None:
    # Other drivers than this one would have to be listened to in another way: looking serves them, too.
    if not datastore.traits.notifies or datastore.engine.dialect.driver != "psycopg":
        return None

    def agents(agent_ids: Collection[UUID]) -> None:
        if bell.gateway is not None:
            bell.gateway.wake(agent_ids)

    def engine() -> None:
        if bell.clock is not None:
            bell.clock.wake()

    def everybody() -> None:
        if bell.gateway is not None:
            bell.gateway.wake_all()
        engine()

    return Notifications(datastore.url, uuid4().hex, agents=agents, engine=engine, everybody=everybody)


def _lookout(hall: Hall, gateway: Gateway, *, is_told: bool) -> Lookout:
    return Lookout(
        LOOK_AGAIN_EVERY_S if is_told else LOOK_EVERY_S,
        waiting=gateway.waiting,
        has_orders=hall.leasing.has_orders,
        wake=gateway.wake,
        is_needless=lambda: hall.dispatchers.is_alone,
    )


def build_bindings(hall: Hall, quotas: Quotas, limits: Limits) -> list[Binding]:
    """Return all front doors over *hall*: those of every dialect, and the one to the documentation of the JSON APIs."""
    bindings = [binding for build in DIALECTS.values() for binding in build(hall, quotas, limits)]
    return [*bindings, ApiDocs(binding for binding in bindings if isinstance(binding, JsonApi))]


def _ivanti_automation(hall: Hall, quotas: Quotas, limits: Limits) -> list[Binding]:
    scheduling = ivanti_automation.build(hall, log=log.exception, quotas=quotas)
    resources = resource_service.build(hall, log=log.exception, max_upload_bytes=limits.uploads.max_bytes)
    return [scheduling, resources]


def _json_api(build: Callable[..., JsonApi]) -> Callable[[Hall, Quotas, Limits], list[Binding]]:
    return lambda hall, quotas, _: [build(hall, log=log.exception, quotas=quotas)]


#: The front doors of each dialect, by its name.
DIALECTS: Mapping[str, Callable[[Hall, Quotas, Limits], list[Binding]]] = {
    "ivanti_automation": _ivanti_automation,
    "opsramp": _json_api(opsramp.build),
    "ivanti_endpoint_security": _json_api(ivanti_endpoint_security.build),
    "symantec_ccs": _json_api(symantec_ccs.build),
    # The last one: below /api there are others, too.
    "exastro_ita": _json_api(exastro_ita.build),
}
