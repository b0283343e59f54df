"""The messages about jobs, word for word (seed, "POST/api/v2/Jobs"; contract 1.3). Names count in any letter case."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dispatcher.bindings.ivanti_endpoint_security.scalars import (
    Address,
    Filled,
    Flag,
    Line,
    Moment,
    Secret,
    Within,
    default_if_null,
)
from dispatcher.services.ivanti_endpoint_security.orders import RETRY, TIMEOUT_MS, Kind
from dispatcher.wire.json_api.models import Digits, LastWins, Model
from dispatcher.wire.json_api.odata_entity import Entity

#: How many targets one job may name.
MAX_TARGETS = 10_000

#: What state a job or a deployment is in.
StatusText = Annotated[
    str,
    Field(
        examples=["Scheduled"],
        description="Scheduled, In Progress, On Hold, Canceling, Canceled, Completed, Completed with errors, Skipped "
        "or Failed.",
    ),
]

_Timeout = Annotated[Digits, Within(1, 600_000), default_if_null(TIMEOUT_MS)]
_Retry = Annotated[Digits, Within(0, 100), default_if_null(RETRY)]
_JobType = Annotated[Digits, Within(1, 3)]
_T = TypeVar("_T")
# The length stands at the list itself, so that it is looked at before the entries are.
_Targets = Annotated[list[_T], Field(max_length=MAX_TARGETS), default_if_null(())]


#: A job as the documentation shows it (contract 1.6; the address is one of loopback).
_EXAMPLE: dict[str, Any] = {
    "Name": "lab sweep",
    "JobType": 2,
    "StartTime": "2031-05-01T06:00:00.000Z",
    "Credentials": {"Username": "root", "Password": "pw"},
    "Modules": {"AV": True},
    "DiscoveryOptions": {"IcmpDiscovery": True},
    "DiscoveryTargets": {"SingleIpTargets": [{"Ip": "127.0.0.4", "Retry": 5}]},
}


class LoginForm(LastWins):
    """Who logs in."""

    Username: Line = Field(description="The name of a login.")
    Password: Secret = Field(default="", repr=False)
    model_config = ConfigDict(json_schema_extra={"example": {"Username": "ops", "Password": "pw"}})


class LoginAnswer(Model):
    """A token, to be sent as ``Authorization: Bearer``; it is good for 15 minutes unless a setting says otherwise."""

    Jwt: str


class JobCredentials(LastWins):
    """As whom to log in to the computers."""

    Username: Line = ""
    Password: Secret = Field(default="", repr=False)


class JobModules(LastWins):
    """What a new agent is to be able to do: those that are not listed are false."""

    AC: Flag = Field(False, description="Application Control")
    AV: Flag = Field(False, description="AntiVirus")
    DC: Flag = Field(False, description="Device Control")
    PR: Flag = Field(False, description="Patch and Remediation")


class JobDiscoveryOptions(LastWins):
    """How computers are looked for: those that are not listed are false. Without this object all are true."""

    PortScanDiscovery: Flag = Field(False, description="TCP ports; one that refuses shows a computer, too.")
    IcmpDiscovery: Flag = Field(False, description="Pings.")
    ResolveDnsName: Flag = Field(False, description="The name that the name service knows for the address.")
    ResolveMacAddress: Flag = Field(False, description="The MAC address, as far as the agent's network tells it.")
    ResolveNetbiosName: Flag = Field(False, description="The name by NetBIOS (UDP 137).")
    SnmpDiscovery: Flag = Field(False, description="Name and description by SNMP (UDP 161).")
    VerifyWithPing: Flag = Field(False, description="What does not answer a ping is asked nothing else.")
    WindowsDiscovery: Flag = Field(False, description="Name and version by SMB (TCP 445), with the Credentials if any.")


class _Target(LastWins):
    Timeout: _Timeout = Field(TIMEOUT_MS, description="How long an answer is waited for, in milliseconds.")
    Retry: _Retry = Field(RETRY, description="How often a question is repeated.")


class SingleIpTarget(_Target):
    """One address."""

    Ip: Address = Field(examples=["127.0.0.4"])


class RangeIpTarget(_Target):
    """All addresses from ``StartIp`` to ``EndIp``."""

    StartIp: Address = Field(examples=["127.0.0.1"])
    EndIp: Address = Field(examples=["127.0.0.9"], description="Not before StartIp; both IPv4, or both IPv6.")

    @model_validator(mode="after")
    def _in_order(self) -> RangeIpTarget:
        start, end = ipaddress.ip_address(self.StartIp), ipaddress.ip_address(self.EndIp)
        if start.version != end.version or _is_mapped(start) != _is_mapped(end):
            raise PydanticCustomError("range", "StartIp and EndIp must both be IPv4, or both IPv6")
        if getattr(start, "scope_id", None) != getattr(end, "scope_id", None):
            raise PydanticCustomError("range", "StartIp and EndIp must have the same zone")
        if int(start) > int(end):
            raise PydanticCustomError("range", "StartIp comes after EndIp")
        return self


def _is_mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether *address* is an IPv6 one that stands for one of IPv4."""
    return getattr(address, "ipv4_mapped", None) is not None


class ComputerNameTarget(_Target):
    """A computer by its name."""

    ComputerName: Filled = Field(examples=["my pc"], description="As the name service knows it.")


class ActiveDirectoryTarget(_Target):
    """The computers that a directory knows. ``Domain`` or ``CanonicalName`` is needed."""

    CanonicalName: Line = Field("", examples=["ad.example/Sites/Berlin"], description="Where in it to look.")
    OrganizationalUnit: Line = Field("", examples=["Berlin/Servers"], description="Which unit, below that.")
    Domain: Line = Field("", examples=["ad.example"])
    Username: Line = Field("", description="As whom to log in to the directory.")
    Password: Secret = Field(default="", repr=False)

    @model_validator(mode="after")
    def _named(self) -> ActiveDirectoryTarget:
        if not self.Domain and not self.CanonicalName:
            raise PydanticCustomError("directory", "Domain or CanonicalName is needed")
        return self


class JobDiscoveryTargets(LastWins):
    """Which computers are looked for: at least one, of any kind."""

    SingleIpTargets: _Targets[SingleIpTarget] = []
    RangeIpTargets: _Targets[RangeIpTarget] = []
    ComputerNameTargets: _Targets[ComputerNameTarget] = []
    ActiveDirectoryTargets: _Targets[ActiveDirectoryTarget] = []

    @model_validator(mode="after")
    def _not_empty(self) -> JobDiscoveryTargets:
        lists = (self.SingleIpTargets, self.RangeIpTargets, self.ComputerNameTargets, self.ActiveDirectoryTargets)
        count = sum(len(one) for one in lists)
        if not count:
            raise PydanticCustomError("targets", "at least one target is required")
        if count > MAX_TARGETS:
            raise PydanticCustomError("targets", f"more than {MAX_TARGETS} targets")
        return self


class NewJob(LastWins):
    """A job to be made. A ``StartTime`` in the past starts it at once."""

    Name: Filled
    JobType: _JobType = Field(description="1 discovers; 2 discovers and installs agents; 3 discovers and uninstalls.")
    StartTime: Moment
    OverwriteExistingAgents: Flag = Field(
        False, description="Whether agents that are there are replaced: they lose their history and their groups."
    )
    Credentials: JobCredentials | None = Field(
        None, description="As whom to log in. Without them agents are neither installed nor uninstalled: Access Denied."
    )
    Modules: JobModules | None = Field(None, description="What new agents are to be able to do; of job type 2 only.")
    DiscoveryOptions: JobDiscoveryOptions | None = Field(None, description="Without them all are true.")
    DiscoveryTargets: JobDiscoveryTargets
    Agent: Line = Field("", description="The agent that does it, by its id or name: an addition of Dispatcher.")
    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    @field_validator("Modules", mode="before")
    @classmethod
    def _only_to_install(cls, modules: Any, told: ValidationInfo) -> Any:
        """Leave out modules that nobody looks at, whatever they are (contract 1.9)."""
        return modules if told.data.get("JobType") == Kind.INSTALL.value else None


class ShownCredentials(Model):
    """As whom to log in; a password is never shown."""

    Username: str


class ShownDirectoryTarget(Model):
    """A directory; a password is never shown."""

    CanonicalName: str
    OrganizationalUnit: str
    Domain: str
    Username: str
    Timeout: int
    Retry: int


class ShownTargets(Model):
    """Which computers are looked for."""

    SingleIpTargets: list[SingleIpTarget]
    RangeIpTargets: list[RangeIpTarget]
    ComputerNameTargets: list[ComputerNameTarget]
    ActiveDirectoryTargets: list[ShownDirectoryTarget]


class TargetResult(Model):
    """What has become of a target: an address, several of them, or a name."""

    Target: str = Field(examples=["127.0.0.4"])
    Status: str = Field(
        examples=["Found"],
        description="Found, No answer, Refused by policy, Not resolved or Failed; "
        "of agents Installed, Replaced, Already installed, Uninstalled, No agent, Access Denied or Failed.",
    )
    Detail: str = Field(examples=["localhost; by icmp, ports, dns"])


class Job(Model):
    """A job, with every default filled in."""

    Id: int
    Name: str
    JobType: int
    StartTime: datetime
    Status: StatusText
    OverwriteExistingAgents: bool
    Credentials: ShownCredentials | None
    Modules: JobModules
    DiscoveryOptions: JobDiscoveryOptions
    DiscoveryTargets: ShownTargets
    Agent: str
    CreatedBy: str
    CreatedTime: datetime
    StartedTime: datetime | None
    CompletedTime: datetime | None
    StatusDetail: str


class JobEntity(Job, Entity):
    """A job that is shown alone, with what has become of its targets."""

    Results: list[TargetResult]
    Remarks: list[str] = Field(
        examples=[["SNMP: not asked: pysnmp is missing: install dispatcher[discovery]"]],
        description="What was not asked, and why, and how much was found: an addition of Dispatcher.",
    )
