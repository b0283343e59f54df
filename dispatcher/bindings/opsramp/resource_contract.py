"""The messages about resources and credential sets, in OpsRamp's own words. Answers keep the order of declaration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dispatcher.bindings.opsramp.contract import MAX_LISTED
from dispatcher.wire.json_api.models import LaxText, Model


class CredentialSet(Model):
    """A credential set. Its secrets are never shown."""

    uniqueId: str
    name: str
    type: str
    secure: bool = False
    port: int
    description: str
    transportType: str
    userName: str
    universal: bool = False
    timeoutMs: int


class NetworkInterface(Model):
    """An address of a resource."""

    ipAddress: LaxText | None = None
    macAddress: LaxText | None = None


class ResourceBody(Model):
    """A resource to be made."""

    name: LaxText | None = None
    hostName: LaxText | None = None
    resourceName: LaxText | None = None
    resourceType: LaxText | None = None
    aliasName: LaxText | None = None
    extResourceId: LaxText | None = None
    type: LaxText | None = None
    host: LaxText | None = None
    ipAddress: LaxText | None = None
    macAddress: LaxText | None = None
    resourceNetworkInterface: Annotated[list[NetworkInterface], Field(max_length=MAX_LISTED)] | None = None


class MinimalResource(Model):
    """A resource in a few words."""

    id: str
    name: str
    hostName: str
    ipAddress: str
    aliasName: str
    resourceName: str
    resourceType: str


class FullResource(Model):
    """A resource in all words that there are for agents."""

    id: str
    hostName: str
    ipAddress: str
    dnsName: str
    updatedDate: str
    deviceType: str
    type: str
    state: str
    macAddress: str | None = None
    osName: str
    agentInstalled: bool
    aliasName: str
    name: str
    resourceName: str
    resourceType: str
    clientUniqueId: str
    extResourceId: str | None = None


class CreatedResource(Model):
    """A resource that has been made."""

    resourceUUID: str
    tenantID: str
