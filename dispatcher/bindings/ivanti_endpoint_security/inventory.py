"""Translation between the messages about endpoints, groups, modules and policies and the services, total and pure."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.bindings.ivanti_endpoint_security import inventory_contract as contract
from dispatcher.bindings.ivanti_endpoint_security.contract import JobModules
from dispatcher.services.ivanti_endpoint_security.endpoints import Endpoint
from dispatcher.services.ivanti_endpoint_security.groups import Group
from dispatcher.services.ivanti_endpoint_security.policies import NamedPolicy

#: The modules of the vendor's agent (seed, Modules).
MODULES: Mapping[str, str] = {name: str(field.description) for name, field in JobModules.model_fields.items()}


def to_wire_endpoint(endpoint: Endpoint) -> contract.Endpoint:
    """Return *endpoint* as it is shown."""
    return contract.Endpoint(
        Guid=endpoint.id,
        Name=endpoint.name,
        IpAddress=endpoint.address,
        DnsName=endpoint.dns_name,
        NetbiosName=endpoint.netbios_name,
        MacAddresses=list(endpoint.macs),
        OperatingSystem=endpoint.os,
        OperatingSystemVersion=endpoint.os_version,
        Description=endpoint.description,
        HasAgent=endpoint.has_agent,
        AgentVersion=endpoint.agent_version,
        IsOnline=endpoint.is_online,
        LastContactTime=endpoint.last_contact,
        EnrolledTime=endpoint.enrolled_at,
        Modules=list(endpoint.modules),
        DiscoveredTime=endpoint.found_at,
        DiscoveredBy=list(endpoint.ways),
        OpenPorts=list(endpoint.ports),
    )


def to_wire_modules(endpoint: Endpoint) -> list[contract.EndpointModule]:
    """Return for each module whether the agent of *endpoint* was installed for it."""
    has = {name.upper() for name in endpoint.modules}
    return [contract.EndpointModule(Id=key, Name=name, IsInstalled=key in has) for key, name in MODULES.items()]


def to_wire_group(group: Group) -> contract.Group:
    """Return *group* as it is shown."""
    return contract.Group(
        Id=group.number,
        Guid=group.id,
        Name=group.name,
        Path=group.path,
        Description=group.description,
        ModifiedTime=group.changed_at,
    )


def to_wire_policy(policy: NamedPolicy) -> contract.AgentPolicy:
    """Return *policy* as it is shown."""
    return contract.AgentPolicy(
        Name=policy.name,
        GroupId=policy.group,
        AllowCancel=policy.policy.allow_cancel,
        AllowSnooze=policy.policy.allow_snooze,
        NotificationOnTop=policy.policy.on_top,
    )
