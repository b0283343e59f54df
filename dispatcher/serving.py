"""Serving: one process with the web listener, the agents' listener, the engine and, beside it, the local agent."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from dispatcher import logs, memory
from dispatcher.addresses import Address
from dispatcher.agents import identity
from dispatcher.bootstrap import House, build_house
from dispatcher.config import Config
from dispatcher.core.errors import Unavailable
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore import schema
from dispatcher.datastore.exclusive import ServerLock
from dispatcher.datastore.transactions import Datastore
from dispatcher.local_agent import LocalAgent, command_line
from dispatcher.places import AGENTS, DIALECTS, WEB, Places
from dispatcher.services.key_checks import KeyDoesNotFit
from dispatcher.services.library import clear_texts
from dispatcher.services.secrets import Secrets, load_or_create_key
from dispatcher.traps import Traps
from dispatcher.web.app import Limits
from dispatcher.web.listeners import Listener, serve
from dispatcher.web.uploads import UploadLimits
from dispatcher.wire.quotas import Quotas

log = structlog.get_logger(__name__)


#: How often to look whether the local agent has done its work when the server ends, in seconds.
DRAIN_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running server can be reached; ``single`` are the addresses that serve one vendor API each."""

    web: str
    agents: str
    scheduling: str
    resource: str
    single: Mapping[str, str] = field(default_factory=dict)


Prepare = Callable[[House, Datastore, Secrets], None]
"""What is done before the first request, to load a demo library, say."""

Ready = Callable[[Addresses], None]
"""Called once both listeners accept connections."""


def run(config: Config, *, prepare: Prepare, ready: Ready, in_crew: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends the process at once, which loses nothing acknowledged.

    The schema is created or upgraded first, then *prepare* is called; *ready* once both listeners accept connections.
    With *in_crew* other processes may listen on them, too, and a second signal is for the parent to heed.

    :raises UnsafeListener: if it would listen off loopback without logins or with plain passwords, unasked.
    :raises ServedElsewhere: if another server has the SQLite file.
    :raises OSError: if an address cannot be listened on.
    """
    with ExitStack() as closing:
        memory.give_back()
        house = build(config, prepare, closing, in_crew=in_crew)
        memory.keep()
        _run_loop(_serve(config, house, ready, in_crew=in_crew))


def build(config: Config, prepare: Prepare, closing: ExitStack, *, in_crew: bool = False) -> House:
    """Return a dispatcher that is safe to open, with all that it needs; *closing* closes it.

    What is doubtful about its listeners is logged, *in_crew* by the parent alone.

    :raises UnsafeListener: as ``run`` does, and ``ServedElsewhere``.
    """
    logs.configure(config.log.level, config.log.format)
    datastore = Datastore(config.datastore_url)
    closing.callback(datastore.close)
    if datastore.traits.single_writer and datastore.url.database:
        closing.callback(ServerLock(Path(datastore.url.database)).release)
    schema.upgrade(datastore.engine)
    secrets = Secrets(load_or_create_key(config.key_file))
    config.upload_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    house = _build(config, datastore, secrets)
    closing.callback(house.web.close)
    Places(config, house, is_checked=in_crew).check()
    try:
        clear_texts.seal_all(datastore, house.ports, secrets)
    except KeyDoesNotFit as error:  # all that needs no password works
        log.error("secret.key_does_not_fit", error=error.message, key_file=str(config.key_file))
    prepare(house, datastore, secrets)
    return house


def _build(config: Config, datastore: Datastore, secrets: Secrets) -> House:
    limits = Limits(
        max_body_bytes=config.limits.max_body_bytes,
        deadline_s=config.limits.deadline_s,
        threads=config.limits.threads,
        max_waiting=config.limits.max_waiting,
        any_host=config.web.allow_no_login,
        uploads=UploadLimits(config.limits.max_upload_bytes, config.limits.max_uploads, config.upload_directory),
    )
    quotas = Quotas(
        message_bytes=config.limits.max_body_bytes,
        string_chars=config.limits.string_chars,
        xml_depth=config.limits.xml_depth,
        xml_attributes=config.limits.xml_attributes,
        xml_elements=config.limits.xml_elements,
        xml_name_chars=config.limits.xml_name_chars,
        json_depth=config.limits.json_depth,
        json_values=config.limits.json_values,
        json_integer_digits=config.limits.json_integer_digits,
    )
    lease = timedelta(seconds=config.engine.lease_s)
    return build_house(datastore, secrets, name=config.name, lease=lease, limits=limits, quotas=quotas)


async def _serve(config: Config, house: House, ready: Ready, *, in_crew: bool) -> None:
    places = Places(config, house, shared=in_crew, is_checked=True)
    first = places.first()
    addresses = _addresses(config, house, first)
    traps = _traps(config, house, shared=in_crew)
    await house.gateway.start()
    house.hall.local_agent.found_by(lambda: _local_id(config))
    # In a thread: it writes to the datastore before it returns.
    await asyncio.to_thread(house.open)
    agent = _local_agent(config, house, addresses.agents) if config.local_agent.enabled else None

    def started() -> None:
        if agent is not None:
            agent.start()
        if traps is not None:
            traps.start()
        log.info("server.ready", web=addresses.web, agents=addresses.agents, **addresses.single)
        ready(addresses)

    async def stopping() -> None:
        log.info("server.draining")
        await asyncio.to_thread(house.hall.dispatchers.drain)
        house.gateway.release()
        # The local agent has to report how its work ended while there is somebody to report to.
        if agent is not None:
            await asyncio.to_thread(_let_finish, house, config)
            await asyncio.to_thread(agent.stop)

    try:
        await serve(first, ready=started, stopping=stopping, meanwhile=places.follow, again_kills=not in_crew)
    finally:
        if traps is not None:
            await asyncio.to_thread(traps.stop)
        await asyncio.to_thread(house.close)
        await house.gateway.stop()


def _traps(config: Config, house: House, *, shared: bool) -> Traps | None:
    """Return what listens for traps, to be started; None if nothing shall. It may be *shared* with other processes.

    :raises OSError: if the address cannot be listened on.
    """
    if not config.snmp.listen:
        return None
    return Traps(
        config.snmp.listen.host,
        config.snmp.listen.port,
        communities=config.snmp.communities,
        ids=config.snmp.change_traps,
        changed=house.change_triggers.changed,
        steady=house.ports.steady,
        shared=shared,
    )


def _let_finish(house: House, config: Config) -> None:
    """Wait until the local agent has nothing left to do, but no longer than ``drain_s``."""
    deadline = time.monotonic() + config.engine.drain_s
    try:
        known = identity.load(config.agent_home)
        while known is not None and time.monotonic() < deadline and house.hall.recovery.is_holding(known.agent_id):
            time.sleep(DRAIN_TICK_S)
    except (ValueError, Unavailable) as error:
        log.warning("server.not_drained", error=str(error))


def _addresses(config: Config, house: House, listeners: Mapping[tuple[str, int], Listener]) -> Addresses:
    settings = house.hall.settings.known()
    web = {port: _url(config.web.listen, listener) for (side, port), listener in listeners.items() if side == WEB}
    agents = next(listener for (side, _), listener in listeners.items() if side == AGENTS)
    single = {
        side: _url(getattr(config.listeners, side), listener)
        for (side, _), listener in listeners.items()
        if side in DIALECTS
    }
    scheduling, resource = (
        web[settings.number(f"webapi.{service}_port") or config.web.listen.port]
        + settings.text(f"webapi.{service}_base_path")
        for service in ("scheduling", "resource")
    )
    return Addresses(next(iter(web.values())), _url(config.agents.listen, agents), scheduling, resource, single)


def _url(address: Address, listener: Listener) -> str:
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(address.host, address.host)  # noqa: S104 - to show, not to bind
    scheme = "http" if listener.tls is None else "https"
    return f"{scheme}://{Address(host, listener.socket.getsockname()[1])}"


def _local_agent(config: Config, house: House, url: str) -> LocalAgent:
    return LocalAgent(
        command_line(
            url,
            config.agent_home,
            config.local_agent.slots,
            config.web.tls_cert,
            config.network.allowed_targets,
            config.log.level,
            config.log.format,
        ),
        config.agent_home,
        new_token=lambda: house.hall.tokens.create_enrol_token(SYSTEM, once=True, hours=1),
    )


def _local_id(config: Config) -> UUID | None:
    try:
        known = identity.load(config.agent_home) if config.local_agent.enabled else None
    except (OSError, ValueError) as error:
        log.warning("local_agent.unknown", error=str(error))
        return None
    return None if known is None else known.agent_id


def _run_loop(main: Coroutine[Any, Any, None]) -> None:
    if sys.platform == "win32":
        asyncio.run(main)
    else:
        import uvloop

        uvloop.run(main)
