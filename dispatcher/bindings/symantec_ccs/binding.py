"""The front door of Symantec Control Compliance Suite."""

from __future__ import annotations

from dispatcher.bindings.symantec_ccs.errors import STATUSES, to_error
from dispatcher.bindings.symantec_ccs.lookups import Lookups
from dispatcher.bindings.symantec_ccs.operations import BASE, DIALECT, Jobs, Tokens
from dispatcher.services.hall import Hall
from dispatcher.services.symantec_ccs.suite import build_symantec_ccs
from dispatcher.wire.faults import Log
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.json_api.forms import FormStyle
from dispatcher.wire.quotas import Quotas


def build(hall: Hall, *, log: Log, quotas: Quotas) -> JsonApi:
    """Return the dialect over *hall*."""
    suite = build_symantec_ccs(hall)
    return JsonApi(
        dialect=DIALECT,
        title="Symantec Control Compliance Suite",
        version="1.0",
        prefixes=(BASE,),
        handlers=[Tokens(hall.access_tokens), Jobs(suite), Lookups(suite)],
        to_error=to_error,
        any_case=True,
        latin_1=True,  # the published scripts send texts, which http.client under older requests encodes so
        form_style=FormStyle.RAW,
        statuses=STATUSES,
        log=log,
        quotas=quotas,
    )
