"""Translation of resources and credential sets: pure and total."""

from __future__ import annotations

import re
from ipaddress import ip_address

from dispatcher.bindings.opsramp import resource_contract
from dispatcher.bindings.opsramp.schedule import to_wire_moment
from dispatcher.core.errors import InvalidValue
from dispatcher.services.credential_sets import CredentialSet
from dispatcher.services.opsramp.resources import NewResource, Resource

#: What is kept of a new resource as it was said.
_DETAILS = ("resourceName", "resourceType", "aliasName", "extResourceId", "type")
_MAX_NAME, _MAX_ADDRESS = 255, 64
#: A name that no IPv4 address can be taken for: its last part has more than digits.
_HOST = re.compile(r"(?:[\w-]+\.)*[\w-]*[^\W\d][\w-]*\.?")
_MAC = re.compile(r"[0-9A-Fa-f]{12}")


def to_new_resource(body: resource_contract.ResourceBody) -> NewResource:
    """Return the resource that *body* describes.

    :raises InvalidValue: if a member is impossible.
    """
    name = (body.hostName or body.name or body.resourceName or body.host or "").strip()
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise InvalidValue("hostName", f"must be a name of 1 to {_MAX_NAME} characters")
    interfaces = body.resourceNetworkInterface or []
    addresses = [body.ipAddress, *(one.ipAddress for one in interfaces), body.host]
    address = next((one.strip() for one in addresses if one and one.strip()), "")
    if address and not _is_address(address):
        raise InvalidValue("ipAddress", f"must be an IP address or a host name of at most {_MAX_ADDRESS} characters")
    details = {member: value for member in _DETAILS if (value := getattr(body, member))}
    macs = [_mac(one) for one in [body.macAddress, *(one.macAddress for one in interfaces)] if one]
    return NewResource(name, address, macs, details)


def _is_address(text: str) -> bool:
    if len(text) > _MAX_ADDRESS:
        return False
    if _HOST.fullmatch(text):
        return True
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _mac(text: str) -> str:
    digits = re.sub("[:.-]", "", text)
    if not _MAC.fullmatch(digits):
        raise InvalidValue("macAddress", "must be a MAC address such as 00:11:22:33:44:55")
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2)).lower()


def to_wire_resource(resource: Resource) -> resource_contract.FullResource:
    """Return *resource* in all words."""
    return resource_contract.FullResource(
        id=str(resource.id),
        hostName=resource.host,
        ipAddress=resource.address,
        dnsName=resource.host,
        updatedDate=to_wire_moment(resource.updated_at),
        deviceType=resource.resource_type,
        type=resource.type,
        state="active",
        macAddress=resource.macs[0].upper() if resource.macs else None,
        osName=resource.os,
        agentInstalled=resource.has_agent,
        aliasName=resource.alias,
        name=resource.name,
        resourceName=resource.resource_name,
        resourceType=resource.resource_type,
        clientUniqueId=resource.client,
        extResourceId=resource.details.get("extResourceId"),
    )


def to_minimal(resource: Resource) -> resource_contract.MinimalResource:
    """Return *resource* in a few words."""
    return resource_contract.MinimalResource(
        id=str(resource.id),
        name=resource.name,
        hostName=resource.host,
        ipAddress=resource.address,
        aliasName=resource.alias,
        resourceName=resource.resource_name,
        resourceType=resource.resource_type,
    )


def to_wire_credential_set(one: CredentialSet) -> resource_contract.CredentialSet:
    """Return the credential set."""
    return resource_contract.CredentialSet(
        uniqueId=str(one.id),
        name=one.name,
        type=one.type,
        port=one.port,
        description=one.description,
        transportType=one.transport,
        userName=one.user_name,
        timeoutMs=one.timeout_ms,
    )
