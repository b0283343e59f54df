"""Networks: which addresses an agent's tasks may call (``[network] allowed_targets``)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.core.errors import DispatcherError, InvalidValue

#: Loopback and the private ranges. Link-local addresses are left out: clouds keep secrets at one of them.
PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")

#: What stands for no network where a list cannot be empty.
NO_NETWORK = "none"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RefusedByPolicy(DispatcherError):
    """A task was about to call an address that the policy of this computer does not allow."""

    code = "network.refused"

    def __init__(self, host: str, addresses: Iterable[str]) -> None:
        listed = ", ".join(dict.fromkeys(addresses))
        where = host if host == listed else f"{host} ({listed})"
        super().__init__(f"refused by policy: {where} is not among allowed_targets", host=host)


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks that may be called."""

    networks: tuple[_Network, ...]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Networks:
        """Return the networks in *texts*, such as ``10.0.0.0/8``; a single address is a network of its own.

        :raises InvalidValue: for the first that is none.
        """
        found: list[_Network] = []
        for text in texts:
            try:
                found.append(ipaddress.ip_network(text.strip()))
            except ValueError:
                problem = f"{text!r:.60} is no network, such as 10.0.0.0/8 or fc00::/7"
                raise InvalidValue("allowed_targets", problem) from None
        return cls(tuple(found))

    def allows(self, address: str) -> bool:
        """Return whether *address* (no name) may be called. An IPv4 address inside an IPv6 one counts as IPv4."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(plain in network for network in self.networks)
