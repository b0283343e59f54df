"""Directory servers: the controllers of a domain and their addresses, which the policy must allow."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dispatcher.core.networks import Networks, RefusedByPolicy
from dispatcher.tasks import targets
from dispatcher.tasks.discovering import directory_names, name_questions
from dispatcher.tasks.discovering.directory_names import Controller
from dispatcher.tasks.discovering.name_questions import Server
from dispatcher.tasks.discovering.probes import Waiting
from dispatcher.tasks.work import TaskFailed

LDAP = 389
DNS = 53
#: How many controllers of a domain, and how many addresses in all, are tried.
MOST_CONTROLLERS, MOST_ADDRESSES = 4, 8
#: By which record a domain names its controllers ([MS-ADTS] 6.3.2.3).
_RECORD = "_ldap._tcp.dc._msdcs"


@dataclass(frozen=True, slots=True)
class Place:
    """An address of a controller that may be called."""

    host: str  #: the controller's name, which its certificate must have
    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it is this computer itself."""
        return ipaddress.ip_address(self.address.partition("%")[0]).is_loopback


def places(domain: str, networks: Networks, nameserver: Server | None, waiting: Waiting) -> list[Place]:
    """Return where to ask for the computers of *domain*, in the order of the name service. Not where a loop runs.

    :raises RefusedByPolicy: if no address may be called.
    :raises TaskFailed: if no address is known.
    """
    given = directory_names.controller(domain)
    service = _NameService(networks, nameserver, waiting)
    hosts = [given] if given else service.controllers(domain) or [Controller(domain)]
    found: list[Place] = []
    refused: RefusedByPolicy | None = None
    for host in hosts[:MOST_CONTROLLERS]:
        try:
            found += [Place(host.host, one, host.port or LDAP) for one in service.addresses(host.host)]
        except RefusedByPolicy as error:
            refused = refused or error
        except OSError:
            continue
    if not found:
        raise refused or TaskFailed(f"the address of {domain:.255} is not known")
    return found[:MOST_ADDRESSES]


class _NameService:
    """One name server that is asked for everything, or those of the system."""

    def __init__(self, networks: Networks, nameserver: Server | None, waiting: Waiting) -> None:
        self._networks = networks
        self._server = nameserver
        self._waiting = waiting
        if nameserver is not None and not networks.allows(nameserver[0]):
            raise RefusedByPolicy(nameserver[0], [nameserver[0]])

    def controllers(self, domain: str) -> list[Controller]:
        """Return the controllers that the records of *domain* name, the preferred first; none if nobody says so."""
        named = self._records(f"{_RECORD}.{domain.strip('.')}", "SRV")
        records = [record for record in named if record.target.to_text() != "."]  # that one says that there are none
        # RFC 2782: lower priorities first; the weight is a share, of which the largest comes first here.
        records.sort(key=lambda record: (record.priority, -record.weight))
        return [Controller(record.target.to_text(omit_final_dot=True), record.port) for record in records]

    def addresses(self, host: str) -> list[str]:
        """Return the addresses of *host* that may be called.

        :raises RefusedByPolicy: if none may.
        :raises OSError: if there are none.
        """
        if self._server is None or directory_names.controller(host):
            return targets.addresses(self._networks, host, LDAP)
        found = [record.address for kind in ("A", "AAAA") for record in self._records(host, kind)]
        if not found:
            raise OSError(f"{host} is not known")
        allowed = [address for address in dict.fromkeys(found) if self._networks.allows(address)]
        if not allowed:
            raise RefusedByPolicy(host, found)
        return allowed

    def _records(self, name: str, kind: str) -> list[Any]:
        """Return the records of *name*; none where no name server may be asked, or says nothing of use."""
        try:
            import dns  # noqa: F401
        except ImportError:
            return []
        servers = [self._server] if self._server else [*self._of_system()]
        return asyncio.run(name_questions.records(name, kind, servers, self._waiting))

    def _of_system(self) -> Iterator[Server]:
        """Give those of the system's name servers that may be asked."""
        import dns.resolver

        try:
            known = dns.resolver.Resolver().nameservers
        except (dns.resolver.NoResolverConfiguration, OSError):
            return
        yield from ((one, DNS) for one in known if isinstance(one, str) and self._networks.allows(one))
