"""Discovery: looks for computers: at addresses, in ranges, by names and in directories (``discovering.order``)."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from pydantic import ValidationError

from dispatcher.core.errors import InvalidValue
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.discovering.examining import Examiner
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.discovering.hardware import Neighbours
from dispatcher.tasks.discovering.icmp import Pinger
from dispatcher.tasks.discovering.name_questions import Server
from dispatcher.tasks.discovering.names import Names
from dispatcher.tasks.discovering.order import INPUT, PASSWORD_INPUT, DirectoryTarget, DiscoveryOrder
from dispatcher.tasks.discovering.policy import Policy
from dispatcher.tasks.discovering.probes import LibraryMissing, Probe, Threads
from dispatcher.tasks.discovering.sweep import Sweep
from dispatcher.tasks.discovering.tcp_ports import PortScan, connections
from dispatcher.tasks.work import TaskFailed, Tools, WorkType


class Discovery(WorkType[DiscoveryOrder]):
    """Discovers computers."""

    name = "discovery"
    Settings = DiscoveryOrder
    takes_inputs = True

    def summary(self, settings: DiscoveryOrder) -> str:
        """Return how many targets it has."""
        return f"{len(settings.targets)} targets" if settings.targets else "the targets of the job"

    def do(self, settings: DiscoveryOrder, tools: Tools) -> str:
        """Look for all targets; a line about each is the output. What is found is left to the tasks that follow.

        :raises TaskFailed: if the order cannot be understood.
        :raises RefusedByPolicy: if its name server may not be asked.
        :raises InvalidValue: if something it refers to has no value.
        """
        order = _order(settings, tools)
        begin = time.monotonic()
        tally = _until_terminated(_discover(order, tools))
        said = f"{tally}, in {time.monotonic() - begin:.1f} s"
        tools.say(f"# {said}")
        return said


def _order(settings: DiscoveryOrder, tools: Tools) -> DiscoveryOrder:
    """Return the order of the run's inputs, else *settings* with their references filled in.

    :raises TaskFailed: if it is none.
    """
    given = _input(tools, INPUT)
    try:
        if given is None:
            return DiscoveryOrder.model_validate(_filled(settings.model_dump(mode="json", exclude_unset=True), tools))
        return DiscoveryOrder.of_input(given)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise TaskFailed(f"the order of the discovery: {'; '.join(problems)}"[:1000]) from None
    except ValueError:
        raise TaskFailed("the order of the discovery is no JSON") from None


def _until_terminated(work: Coroutine[Any, Any, str]) -> str:
    """Return what *work* gives. SIGTERM cancels it, so that it can tell what it knows, and ends the process then.

    The usual way, an exception out of whatever runs at that moment, would leave all its tasks as they are.
    """

    async def run() -> str:
        doing = asyncio.current_task()
        assert doing is not None  # noqa: S101 - it runs in one
        with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, doing.cancel)
        return await work

    before = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, before)


def _input(tools: Tools, name: str) -> Any:
    return next((one.value for one in tools.inputs if one.name == name), None)


def _filled(value: Any, tools: Tools) -> Any:
    if isinstance(value, str):
        return tools.fill(value)
    if isinstance(value, dict):
        return {name: _filled(one, tools) for name, one in value.items()}
    return [_filled(one, tools) for one in value] if isinstance(value, list) else value


async def _discover(order: DiscoveryOrder, tools: Tools) -> str:
    """Do *order* and return what became of how many."""
    threads, server = Threads(), _server(order, tools)
    names = Names(threads, tools.networks, server)
    examiner = _examiner(order, tools, threads, names)
    sweep = Sweep(
        order,
        policy=Policy(tools.networks),
        names=names,
        examiner=examiner,
        directory=partial(_directory, tools, server),
        threads=threads,
        findings=Findings(tools.scratch),
        write=tools.say,
    )
    try:
        await sweep.run()
    finally:
        await examiner.close()
    return str(sweep.tally)


def _server(order: DiscoveryOrder, tools: Tools) -> Server | None:
    """Return the name server of *order*, if it has one.

    :raises InvalidValue: if it is no address.
    :raises RefusedByPolicy: if it may not be asked.
    """
    if not order.nameserver.strip():
        return None
    try:
        address = str(ipaddress.ip_address(order.nameserver.strip()))
    except ValueError:
        raise InvalidValue("nameserver", f"{order.nameserver!r:.60} is no IP address") from None
    if not tools.networks.allows(address):
        raise RefusedByPolicy(address, [address])
    return address, order.dns_port


def _examiner(order: DiscoveryOrder, tools: Tools, threads: Threads, names: Names) -> Examiner:
    options = order.options
    ports = PortScan(order.ports, connections(order.parallel))
    makers: list[tuple[bool, str, Callable[[], Probe]]] = [
        (options.netbios_name, "NetBIOS", _netbios),
        (options.snmp, "SNMP", partial(_snmp, order)),
        (options.windows, "Windows", partial(_windows, order, tools, threads)),
    ]
    probes: list[Probe] = [ports] if options.port_scan else []
    for is_wanted, label, make in makers:
        if is_wanted:
            try:
                probes.append(make())
            except LibraryMissing as error:
                tools.say(f"# {label}: not asked: {error.message}")
    describers: list[Probe] = [names] if options.dns_name else []
    return Examiner(
        ping=Pinger(per_s=order.pings_per_s) if options.icmp or options.verify_with_ping else None,
        must_ping=options.verify_with_ping,
        instead=ports,
        probes=probes,
        describers=[*describers, Neighbours()] if options.mac_address else describers,
        say=tools.say,
        at_a_time=order.parallel,
    )


def _netbios() -> Probe:
    from dispatcher.tasks.discovering.netbios import NetbiosProbe

    return NetbiosProbe()


def _snmp(order: DiscoveryOrder) -> Probe:
    from dispatcher.tasks.discovering.snmp import SnmpProbe

    return SnmpProbe(order.communities)


def _windows(order: DiscoveryOrder, tools: Tools, threads: Threads) -> Probe:
    from dispatcher.tasks.discovering.windows import WindowsProbe

    return WindowsProbe(order.username, str(_input(tools, PASSWORD_INPUT) or ""), threads)


def _directory(tools: Tools, server: Server | None, target: DirectoryTarget) -> Iterator[str]:
    """Give the names of the computers in the directory of *target*.

    :raises TaskFailed: if its password is missing.
    """
    from dispatcher.tasks.discovering import directory

    password = ""
    if target.password_input:
        found = _input(tools, target.password_input)
        if found is None:
            raise TaskFailed(f"there is no input {target.password_input}")
        password = str(found)
    return directory.computers(target, password, tools.networks, tools.say, nameserver=server)


TYPE = Discovery()
