"""Listings: what a query means to the services that find jobs, deployments and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.bindings.ivanti_endpoint_security.translate import STATUSES
from dispatcher.core.errors import InvalidValue
from dispatcher.services.ivanti_endpoint_security.listing import Listing, Term
from dispatcher.wire.json_api.odata import Query
from dispatcher.wire.json_api.odata_filter import Operator

#: The members that jobs and deployments may be filtered and sorted by, with what the services call them.
MEMBERS: Mapping[str, str] = {
    "Id": "number",
    "Name": "name",
    "JobType": "kind",
    "StartTime": "starts_at",
    "Status": "state",
    "CreatedBy": "created_by",
    "CreatedTime": "created_at",
}
#: What they show that is not of their orders.
_HEADS = {*MEMBERS, "StartedTime", "CompletedTime", "StatusDetail"}
#: How many are shown at most.
MAX_TOP = 1_000
#: The same of endpoints.
OF_ENDPOINTS: Mapping[str, str] = {
    "Guid": "id",
    "Name": "name",
    "IpAddress": "address",
    "DnsName": "dns_name",
    "NetbiosName": "netbios_name",
    "OperatingSystem": "os",
    "OperatingSystemVersion": "os_version",
    "Description": "description",
    "HasAgent": "has_agent",
    "AgentVersion": "agent_version",
    "IsOnline": "is_online",
    "LastContactTime": "last_contact",
    "EnrolledTime": "enrolled_at",
    "DiscoveredTime": "found_at",
}

#: The states in the order of what they are called.
_RANKS = {state: sorted(set(STATUSES.values())).index(text) for state, text in STATUSES.items()}


def to_listing(query: Query) -> Listing:
    """Return what *query* asks for.

    :raises InvalidValue: if it names a member that nothing can be found by.
    """
    order = query.order
    order_by = "number" if order is None else _member("$orderby", order.field)
    return Listing(
        terms=[_to_term(term.field, term.operator, term.value) for term in query.terms],
        order_by=order_by,
        ranks=_RANKS if order_by == "state" else None,
        descending=order is not None and order.is_descending,
        skip=query.skip,
        top=MAX_TOP if query.top is None else min(query.top, MAX_TOP),
        counts=query.is_counted,
        with_orders=not query.select or not _HEADS.issuperset(query.select),
    )


def to_endpoint_listing(query: Query) -> Listing:
    """Return what *query* asks for of endpoints."""
    order = query.order
    return Listing(
        terms=[Term(OF_ENDPOINTS[one.field], one.value, one.operator is Operator.CONTAINS) for one in query.terms],
        order_by="name" if order is None else OF_ENDPOINTS[order.field],
        descending=order is not None and order.is_descending,
        skip=query.skip,
        top=query.top,
        counts=query.is_counted,
    )


def _to_term(field: str, operator: Operator, value: Any) -> Term:
    name, is_part = _member("$filter", field), operator is Operator.CONTAINS
    if name != "state":
        return Term(name, value, is_part)
    wanted = str(value).casefold()
    texts = {state: text.casefold() for state, text in STATUSES.items()}
    return Term(name, [one for one, text in texts.items() if text == wanted or (is_part and wanted in text)])


def _member(word: str, field: str) -> str:
    name = MEMBERS.get(field)
    if name is None:
        raise InvalidValue(word, f"{field} cannot be asked for: only {', '.join(MEMBERS)}")
    return name
