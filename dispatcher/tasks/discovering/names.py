"""Names: the addresses of a name, and the name of an address, by the system's name service or a given name server."""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from dispatcher.core.computers import Way
from dispatcher.core.networks import Networks
from dispatcher.tasks.discovering import name_questions
from dispatcher.tasks.discovering.name_questions import Server
from dispatcher.tasks.discovering.probes import Answer, LibraryMissing, Threads, Waiting, together

#: The usual port of name servers.
DNS = 53
#: How many addresses of one name are asked.
MOST_ADDRESSES = 8


class Names:
    """The name service. With a *server* (address and port, allowed by the policy) nobody else is asked.

    Without one the system resolves names, as it is set up to (its file of hosts, DNS and so on). The names of addresses
    come from the name servers that the system uses, asked directly where the policy allows that: many at a time, and in
    the time there is. Otherwise the system asks them, in threads.

    :raises LibraryMissing: if there is a *server*, and no dnspython.
    """

    way = Way.DNS

    def __init__(self, threads: Threads, networks: Networks, server: Server | None = None) -> None:
        self._threads = threads
        self._server = server
        has_dns = importlib.util.find_spec("dns") is not None
        if server is not None and not has_dns:
            raise LibraryMissing("dnspython")
        servers = [server] if server is not None else _system_servers(networks) if has_dns else []
        self._servers: Sequence[Server] = servers

    async def addresses(self, name: str, waiting: Waiting) -> list[str]:
        """Return the addresses of *name*, in the order of the name service; so many that not all may be asked.

        There are none if nobody says so in time.
        """
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            pass
        if self._server is not None:
            both = await together(self._look_up(name, kind, waiting) for kind in ("A", "AAAA"))
            found = [address for some in both for address in some]
        else:
            found = await self._by_system(name, waiting)
        return list(dict.fromkeys(found))

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        """Return the name of *address* (see ``Probe``); it is the name service that is asked for it."""
        plain = ipaddress.ip_address(address.partition("%")[0])
        if self._server is None and plain.is_loopback:
            # No name server knows them (RFC 6303), and they are nobody's business.
            return Answer(dns_name="localhost") if plain in _LOCALHOST else None
        if self._servers:
            found = await self._look_up(plain.reverse_pointer, "PTR", waiting)
        else:
            found = await self._name_by_system(address, waiting)
        return Answer(dns_name=found[0].rstrip(".")) if found else None

    async def close(self) -> None:
        """Do nothing: every question has a socket of its own."""

    async def _look_up(self, name: str, kind: str, waiting: Waiting) -> list[str]:
        """Return what the records of a *kind* say."""
        found = await name_questions.records(name, kind, self._servers, waiting)
        return [record.to_text() for record in found]

    async def _by_system(self, name: str, waiting: Waiting) -> list[str]:
        def resolve() -> list[str]:
            if "\0" in name:  # the system would resolve what stands before it
                return []
            try:
                return [str(target[0]) for *_, target in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
            except (OSError, UnicodeError):
                return []

        return await _in_time(self._threads, resolve, waiting)

    async def _name_by_system(self, address: str, waiting: Waiting) -> list[str]:
        def resolve() -> list[str]:
            try:
                name, _ = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)
            except (OSError, UnicodeError):
                return []
            return [name]

        return await _in_time(self._threads, resolve, waiting)


_LOCALHOST = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}


async def _in_time(threads: Threads, resolve: Any, waiting: Waiting) -> list[str]:
    """Return what *resolve* gives; the system repeats its questions by itself."""
    try:
        async with asyncio.timeout(waiting.total_s):
            found: list[str] = await threads.run(resolve)
            return found
    except TimeoutError:
        return []


def _system_servers(networks: Networks) -> list[Server]:
    """Return the name servers that the system uses, if all of them may be asked: which is the first means something."""
    import dns.resolver

    try:
        servers = dns.resolver.Resolver().nameservers
    except (dns.resolver.NoResolverConfiguration, OSError):
        return []
    addresses = [server for server in servers if isinstance(server, str)]
    if len(addresses) < len(servers) or not all(networks.allows(address) for address in addresses):
        return []
    return [(address, DNS) for address in addresses]
