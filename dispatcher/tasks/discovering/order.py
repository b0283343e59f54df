"""Orders: what a discovery looks for, and how. The settings of the task, and what a job may give it instead."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dispatcher.tasks.types import TaskSettings, Text

#: How long an answer is waited for, in milliseconds, and how often a question is repeated, if a target does not say.
TIMEOUT_MS = 3_000
RETRY = 3
#: The TCP ports that are tried if nothing else is said: SSH, HTTP, RPC, NetBIOS, HTTPS, SMB, RDP, WinRM.
PORTS = (22, 80, 135, 139, 443, 445, 3389, 5985)
#: How many addresses are asked at a time.
PARALLEL = 128
#: How many are waited for at a time where an echo is all that is waited for, and how many requests for one
#: are sent in a second, with all that are repeated: together they need 6.4 minutes for a /16 where nobody answers.
PINGS = 2_048
PINGS_PER_S = 2_000
#: The input of a run that holds an order as JSON has it, in place of the settings of its task.
INPUT = "discovery"
#: The input that holds the password of ``username``.
PASSWORD_INPUT = "discovery.password"  # noqa: S105 - a name

_Name = Annotated[Text, Field(max_length=255)]


class Options(TaskSettings):
    """What is asked, beside whether there is a computer at all."""

    port_scan: bool = False
    icmp: bool = False
    dns_name: bool = False
    mac_address: bool = False
    netbios_name: bool = False
    snmp: bool = False
    verify_with_ping: bool = False  #: what does not answer a ping is asked nothing else
    windows: bool = False


class Patience(TaskSettings):
    """How long and how often each question is asked."""

    timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = TIMEOUT_MS
    retry: Annotated[int, Field(ge=0, le=100)] = RETRY


class AddressTarget(Patience):
    """One address, as numbers."""

    kind: Literal["address"] = "address"
    address: _Name


class RangeTarget(Patience):
    """All addresses from ``start`` to ``end``, of the same family."""

    kind: Literal["range"] = "range"
    start: _Name
    end: _Name


class NameTarget(Patience):
    """A computer by its name."""

    kind: Literal["name"] = "name"
    name: _Name


class DirectoryTarget(Patience):
    """The computers that an Active Directory, or another LDAP directory, knows."""

    kind: Literal["directory"] = "directory"
    domain: _Name = ""  #: such as ad.example; its controllers are found by it. Or the name of a controller, with a port
    canonical_name: _Name = ""  #: such as ad.example/Sites/Berlin
    organizational_unit: _Name = ""  #: such as Berlin/Servers, or OU=Servers,OU=Berlin
    username: _Name = ""
    password_input: _Name = ""  #: the input that holds the password


Target = Annotated[AddressTarget | RangeTarget | NameTarget | DirectoryTarget, Field(discriminator="kind")]


class DiscoveryOrder(TaskSettings):
    """What is looked for. An order without targets finds nothing."""

    options: Options = Options()
    targets: Annotated[list[Target], Field(max_length=100_000)] = []
    ports: Annotated[list[Annotated[int, Field(ge=1, le=65_535)]], Field(max_length=1_000)] = list(PORTS)
    communities: Annotated[list[_Name], Field(max_length=20)] = ["public"]  #: SNMP's, each is tried
    username: _Name = ""  #: as whom to log in to Windows
    nameserver: _Name = ""  #: whom names are asked of, an address; empty: as the system does
    dns_port: Annotated[int, Field(ge=1, le=65_535)] = 53  #: where that listens
    parallel: Annotated[int, Field(ge=1, le=1_024)] = PARALLEL  #: how many addresses are asked at a time
    pings: Annotated[int, Field(ge=1, le=8_192)] = PINGS  #: how many, where only a ping is waited for
    pings_per_s: Annotated[int, Field(ge=1, le=100_000)] = PINGS_PER_S  #: how many pings are sent in a second
