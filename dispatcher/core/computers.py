"""Computers: what a discovery finds, whether or not there is an agent on them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from uuid import UUID


class Way(StrEnum):
    """How something was learned about a computer."""

    ICMP = "icmp"
    PORTS = "ports"
    DNS = "dns"
    MAC = "mac"
    NETBIOS = "netbios"
    SNMP = "snmp"
    WINDOWS = "windows"
    DIRECTORY = "directory"


class AgentChange(StrEnum):
    """What was done about Dispatcher's agent on a computer."""

    INSTALLED = "installed"
    REPLACED = "replaced"  #: another one was removed first
    KEPT = "kept"  #: there was one, and it was not to be overwritten
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class FoundComputer:
    """A computer that answered, or that a directory knows. What is not known is empty."""

    address: str = ""  #: as numbers
    name: str = ""  #: the best of the names that it has
    dns_name: str = ""
    netbios_name: str = ""
    mac: str = ""  #: such as ``00:11:22:33:44:55``
    os: str = ""  #: linux, windows, macos
    description: str = ""  #: what it says of itself, such as SNMP's sysDescr
    ports: tuple[int, ...] = ()  #: TCP ports that are open, ascending
    ways: tuple[Way, ...] = ()  #: by what it was found and described, in the order of ``Way``
    change: AgentChange | None = None  #: what was done about an agent there
    agent_id: UUID | None = None  #: the agent that is there now, if that is known
    gone_agent_id: UUID | None = None  #: the agent that was there before it was removed or replaced
    #: That the computer has, or had, the secrets of these agents (``proof``): the ids alone anybody may tell.
    agent_proof: str = ""
    gone_agent_proof: str = ""


def proof(secret_hash: bytes) -> str:
    """Return what a computer shows to prove that an agent is on it, whose secret has the SHA-256 *secret_hash*.

    Only who has the secret can make it, and nobody who sees it is the agent by that.
    """
    return sha256(b"agent here:" + secret_hash).hexdigest()
