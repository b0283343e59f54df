"""The messages about endpoints, groups, modules and policies (contract 1.1; members are ours, for none are public)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from dispatcher.wire.json_api.models import Model
from dispatcher.wire.json_api.odata_entity import Entity


class Endpoint(Model):
    """A computer with an agent, or one that a discovery has found."""

    Guid: UUID
    Name: str
    IpAddress: str
    DnsName: str
    NetbiosName: str
    MacAddresses: list[str]
    OperatingSystem: str
    OperatingSystemVersion: str
    Description: str
    HasAgent: bool
    AgentVersion: str
    IsOnline: bool
    LastContactTime: datetime | None
    EnrolledTime: datetime | None
    Modules: list[str]
    DiscoveredTime: datetime | None
    DiscoveredBy: list[str]
    OpenPorts: list[int]


class EndpointModule(Model):
    """Whether the agent of an endpoint was installed for a module."""

    Id: str
    Name: str
    IsInstalled: bool


class Group(Model):
    """A group of endpoints; ``Path`` is where it stands."""

    Id: int
    Guid: UUID
    Name: str
    Path: str
    Description: str
    ModifiedTime: datetime


class Module(Model):
    """What agents may be installed for."""

    Id: str
    Name: str


class AgentPolicy(Model):
    """What users may do about notices that leave that to the policy; without a group it is for all agents."""

    Name: str
    GroupId: int | None
    AllowCancel: bool
    AllowSnooze: bool
    NotificationOnTop: bool


class EndpointEntity(Endpoint, Entity):
    """An endpoint that is shown alone."""


class GroupEntity(Group, Entity):
    """A group that is shown alone."""
