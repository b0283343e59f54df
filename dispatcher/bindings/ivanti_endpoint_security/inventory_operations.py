"""The operations on endpoints, groups, modules and policies."""

from __future__ import annotations

from dispatcher.bindings.ivanti_endpoint_security import inventory
from dispatcher.bindings.ivanti_endpoint_security import inventory_contract as contract
from dispatcher.bindings.ivanti_endpoint_security.keys import to_guid, to_number
from dispatcher.bindings.ivanti_endpoint_security.listings import to_endpoint_listing
from dispatcher.bindings.ivanti_endpoint_security.operations import BASE, context
from dispatcher.services.ivanti_endpoint_security.endpoints import Endpoint
from dispatcher.services.ivanti_endpoint_security.listing import Listed
from dispatcher.services.ivanti_endpoint_security.suite import IvantiEndpointSecurity
from dispatcher.wire.http import Request
from dispatcher.wire.json_api import odata
from dispatcher.wire.json_api.odata_entity import EntityWords
from dispatcher.wire.json_api.operations import operation

_ENDPOINTS, _GROUPS, _MODULES, _ENDPOINT_MODULES, _POLICIES = (
    odata.fields_of(model)
    for model in (contract.Endpoint, contract.Group, contract.Module, contract.EndpointModule, contract.AgentPolicy)
)


class Endpoints:
    """Shows endpoints."""

    TAG = "Endpoints"

    def __init__(self, suite: IvantiEndpointSecurity) -> None:
        self._endpoints = suite.endpoints

    @operation(f"GET {BASE}/Endpoints", summary="List endpoints")
    def list_endpoints(self, request: Request, query: odata.Words) -> odata.Listed[contract.Endpoint]:
        """Return the computers that have an agent, or that a discovery has found, by name."""
        wanted = query.query(_ENDPOINTS)
        found = self._endpoints.page(to_endpoint_listing(wanted), request.caller)
        return _listed(request, found, wanted)

    @operation(f"GET {BASE}/Endpoints(<endpoint>)", f"GET {BASE}/Endpoints/<endpoint>", summary="Get an endpoint")
    def get_endpoint(self, request: Request, endpoint: str, query: EntityWords) -> contract.EndpointEntity:
        """Return an endpoint."""
        found = self._endpoints.get(to_guid(endpoint, "endpoint"), request.caller)
        shown = inventory.to_wire_endpoint(found)
        return query.show(contract.EndpointEntity(context=context(request, "Endpoints/$entity"), **dict(shown)))

    @operation(
        f"GET {BASE}/Endpoints(<endpoint>)/EndpointModules",
        f"GET {BASE}/Endpoints/<endpoint>/EndpointModules",
        summary="List the modules of an endpoint",
    )
    def list_endpoint_modules(
        self, request: Request, endpoint: str, query: odata.Words
    ) -> odata.Listed[contract.EndpointModule]:
        """Return for each module whether the agent of the endpoint was installed for it."""
        wanted = query.query(_ENDPOINT_MODULES)
        found = self._endpoints.get(to_guid(endpoint, "endpoint"), request.caller)
        shown, total = wanted.apply(inventory.to_wire_modules(found))
        listed = odata.Listed[contract.EndpointModule]
        return listed.of(context(request, "EndpointModules"), shown, total, wanted)


class Groups:
    """Shows groups."""

    TAG = "Groups"

    def __init__(self, suite: IvantiEndpointSecurity) -> None:
        self._groups = suite.groups
        self._endpoints = suite.endpoints

    @operation(f"GET {BASE}/Groups", summary="List groups")
    def list_groups(self, request: Request, query: odata.Words) -> odata.Listed[contract.Group]:
        """Return the groups that are asked for, by their ids."""
        wanted = query.query(_GROUPS)
        shown, total = wanted.apply([inventory.to_wire_group(one) for one in self._groups.all(request.caller)])
        return odata.Listed[contract.Group].of(context(request, "Groups"), shown, total, wanted)

    @operation(f"GET {BASE}/Groups(<group>)", f"GET {BASE}/Groups/<group>", summary="Get a group")
    def get_group(self, request: Request, group: str, query: EntityWords) -> contract.GroupEntity:
        """Return a group."""
        shown = inventory.to_wire_group(self._groups.get(to_number(group, "group"), request.caller))
        return query.show(contract.GroupEntity(context=context(request, "Groups/$entity"), **dict(shown)))

    @operation(
        f"GET {BASE}/Groups(<group>)/Endpoints",
        f"GET {BASE}/Groups/<group>/Endpoints",
        summary="List the endpoints of a group",
    )
    def list_members(self, request: Request, group: str, query: odata.Words) -> odata.Listed[contract.Endpoint]:
        """Return the endpoints that belong to the group now, by name."""
        wanted = query.query(_ENDPOINTS)
        members = self._groups.members(to_number(group, "group"), request.caller)
        found = self._endpoints.page(to_endpoint_listing(wanted), request.caller, members)
        return _listed(request, found, wanted)


class Catalogue:
    """Shows modules and the policies of agents."""

    TAG = "Modules and policies"

    def __init__(self, suite: IvantiEndpointSecurity) -> None:
        self._policies = suite.policies

    @operation(f"GET {BASE}/Modules", summary="List modules")
    def list_modules(self, request: Request, query: odata.Words) -> odata.Listed[contract.Module]:
        """Return what agents may be installed for."""
        wanted = query.query(_MODULES)
        shown, total = wanted.apply([contract.Module(Id=key, Name=name) for key, name in inventory.MODULES.items()])
        return odata.Listed[contract.Module].of(context(request, "Modules"), shown, total, wanted)

    @operation(f"GET {BASE}/Policies", summary="List agent policies")
    def list_policies(self, request: Request, query: odata.Words) -> odata.Listed[contract.AgentPolicy]:
        """Return what users may do about notices that leave that to the policy of the agent, by name."""
        wanted = query.query(_POLICIES)
        shown, total = wanted.apply([inventory.to_wire_policy(one) for one in self._policies.all(request.caller)])
        return odata.Listed[contract.AgentPolicy].of(context(request, "Policies"), shown, total, wanted)


def _listed(request: Request, found: Listed[Endpoint], query: odata.Query) -> odata.Listed[contract.Endpoint]:
    shown = [inventory.to_wire_endpoint(one) for one in found.items]
    return odata.Listed[contract.Endpoint].of(context(request, "Endpoints"), shown, found.total or 0, query)
