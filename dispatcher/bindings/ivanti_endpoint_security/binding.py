"""The front door of Ivanti Endpoint Security."""

from __future__ import annotations

from dispatcher.bindings.ivanti_endpoint_security.errors import to_error
from dispatcher.bindings.ivanti_endpoint_security.inventory_operations import Catalogue, Endpoints, Groups
from dispatcher.bindings.ivanti_endpoint_security.operations import (
    BASE,
    CustomPatchLists,
    DeploymentGroups,
    Jobs,
    Tokens,
)
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security.numbers import DIALECT
from dispatcher.services.ivanti_endpoint_security.suite import build_ivanti_endpoint_security
from dispatcher.services.signed_tokens import SignedTokens
from dispatcher.wire.faults import Log
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.quotas import Quotas


def build(hall: Hall, *, log: Log, quotas: Quotas) -> JsonApi:
    """Return the dialect over *hall*."""
    suite = build_ivanti_endpoint_security(hall)
    return JsonApi(
        dialect=DIALECT,
        title="Ivanti Endpoint Security",
        version="2",
        prefixes=(BASE,),
        handlers=[
            Tokens(hall.access_tokens, SignedTokens(DIALECT, hall.secrets)),
            Jobs(suite),
            DeploymentGroups(suite),
            CustomPatchLists(suite),
            Endpoints(suite),
            Groups(suite),
            Catalogue(suite),
        ],
        to_error=to_error,
        any_case=True,
        last_wins=True,
        public_address=lambda: hall.settings.current().text("webapi.public_address"),
        log=log,
        quotas=quotas,
    )
