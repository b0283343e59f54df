"""The operations on resources and credential sets (contract section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.bindings.opsramp import contract, resource_contract, translate
from dispatcher.bindings.opsramp import translate_resources as resources
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

if TYPE_CHECKING:
    from dispatcher.services.opsramp.suite import OpsRamp

_TENANT = "/api/v2/tenants/<tenant>"


class ResourceOperations:
    """What clients may do with resources, and with the credential sets that jobs log in to them with."""

    TAG = "Resources"

    def __init__(self, suite: OpsRamp) -> None:
        self._resources = suite.resources

    @operation(f"GET {_TENANT}/resources/search", summary="Search resources")
    def search_resources(
        self, request: Request, tenant: str, query: contract.SearchWords
    ) -> contract.Page[resource_contract.FullResource]:
        """Return a page of the tenant's resources."""
        page = self._resources.search(tenant, translate.to_query(query), request.caller)
        return translate.to_wire_page(page, "res", resources.to_wire_resource)

    @operation(f"GET {_TENANT}/resources/minimal", summary="List resources in a few words")
    def get_minimal_resources(
        self, request: Request, tenant: str, query: contract.SearchWords
    ) -> list[resource_contract.MinimalResource]:
        """Return all resources of the tenant that are looked for, without pages."""
        found = self._resources.all(tenant, translate.to_query(query), request.caller)
        return [resources.to_minimal(resource) for resource in found]

    @operation(f"GET {_TENANT}/resources/<resource>", summary="Get a resource")
    def get_resource(self, request: Request, tenant: str, resource: str) -> resource_contract.FullResource:
        """Return a resource."""
        found = self._resources.get(tenant, resource, request.caller)
        return resources.to_wire_resource(found)

    @operation(f"POST {_TENANT}/resources", summary="Create a resource", takes_key=True)
    def create_resource(
        self, request: Request, tenant: str, body: resource_contract.ResourceBody
    ) -> resource_contract.CreatedResource:
        """Make a resource that has no agent yet."""
        new = resources.to_new_resource(body)
        made = self._resources.create(tenant, new, request.caller, SubmitKey.of(request.key, request.asked))
        return resource_contract.CreatedResource(resourceUUID=str(made.id), tenantID=made.client)

    @operation(f"GET {_TENANT}/credentialSets/minimal", summary="List the tenant's credential sets")
    def get_credential_sets(self, request: Request, tenant: str) -> list[resource_contract.CredentialSet]:
        """Return the credential sets of the tenant, without their secrets."""
        found = self._resources.accounts(tenant, request.caller)
        return [resources.to_wire_credential_set(one) for one in found]

    @operation(f"GET {_TENANT}/devices/<resource>/credentialSets/minimal", summary="List a resource's credential sets")
    def get_device_credential_sets(
        self, request: Request, tenant: str, resource: str
    ) -> list[resource_contract.CredentialSet]:
        """Return the credential sets of a resource, without their secrets."""
        found = self._resources.accounts_of(tenant, resource, request.caller)
        return [resources.to_wire_credential_set(one) for one in found]
