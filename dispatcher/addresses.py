"""Addresses: where listeners listen, as settings write that."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens. Port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def to_address(value: object) -> Address:
    """Return the address that *value* is, such as ``127.0.0.1:8080``.

    :raises ValueError: if it is none.
    """
    if isinstance(value, Address):
        return value
    host, colon, port = str(value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not port.isdecimal() or int(port) > 65535 or (":" in host and "[" not in str(value)):
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return Address(host, int(port))


def to_optional_address(value: object) -> object:
    """Return the address that *value* is; what is empty is none.

    :raises ValueError: as ``to_address``.
    """
    return to_address(value) if value else ""


def with_port(port: int) -> Callable[[object], object]:
    """Return what reads an optional address whose port is *port* if it has none."""

    def read(value: object) -> object:
        has_port = not isinstance(value, str) or ":" in value.rpartition("]")[2]
        return to_optional_address(value if has_port or not value else f"{value}:{port}")

    return read
