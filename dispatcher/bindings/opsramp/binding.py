"""The binding: OpsRamp's front door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.bindings.opsramp.errors import to_error
from dispatcher.bindings.opsramp.operations import Operations
from dispatcher.bindings.opsramp.resource_operations import ResourceOperations
from dispatcher.bindings.opsramp.script_operations import ScriptOperations
from dispatcher.services.opsramp.suite import build_opsramp
from dispatcher.wire.faults import Log
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.quotas import Quotas

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall


def build(hall: Hall, *, log: Log, quotas: Quotas) -> JsonApi:
    """Return the dialect over the services of *hall*; *log* takes an event and its context with the exception."""
    suite = build_opsramp(hall)
    return JsonApi(
        dialect="opsramp",
        title="OpsRamp",
        version="2",
        prefixes=("/api/v2/tenants", "/auth/oauth", "/tenancy/auth/oauth"),
        handlers=[Operations(suite, hall.access_tokens), ScriptOperations(suite), ResourceOperations(suite)],
        to_error=to_error,
        omit_none=True,
        log=log,
        quotas=quotas,
    )
