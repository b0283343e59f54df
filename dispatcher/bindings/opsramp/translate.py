"""Translation of OpsRamp's jobs: pure, total, in two directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dispatcher.bindings.opsramp import contract
from dispatcher.bindings.opsramp.schedule import to_timing, to_wire_schedule
from dispatcher.core.errors import InvalidValue
from dispatcher.services.opsramp.job_types import CUSTOM, find_job_type
from dispatcher.services.opsramp.jobs import ShownJob
from dispatcher.services.opsramp.orders import Entity, Order, Value
from dispatcher.services.opsramp.queries import MAX_PAGE_SIZE, Query, SortedPage, parse_filters
from dispatcher.services.opsramp.resources import Resource
from dispatcher.services.opsramp.scripts import Script

T = TypeVar("T")
Item = TypeVar("Item")
_VERSIONS = ("ALL_VERSIONS", "VERSION_WITH_CHANGES")
_MAX_NAME = 255


def to_order(body: contract.JobBody, job_id: str = "") -> Order:
    """Return the job that *body* orders; it may repeat the *job_id* of a job that is to be changed.

    :raises InvalidValue: if a member is impossible.
    """
    if job_id and body.id and body.id.strip().lower() != job_id.lower():
        raise InvalidValue("id", "is not the one in the address")
    script, name = body.script, (body.name or "").strip()
    if len(name) > _MAX_NAME:
        raise InvalidValue("name", f"is longer than {_MAX_NAME} characters")
    values_at = "parameters" if body.parameters and not script.parameters else "script.parameters"
    values = _agreed("parameters", script.parameters, body.parameters)
    return Order(
        name=name,
        queued=bool(body.jobQueued),
        entities=tuple(Entity(id=one.resource.id.strip(), type=one.resource.type) for one in body.entities or ()),
        job_type=_job_type(script),
        config=_config(script.configParams),
        approval=_approval(script.approvalType),
        script=script.customScript.id if script.customScript else None,
        user_type=_agreed(
            "userType", _user_type(script.userType, "script.userType"), _user_type(body.userType, "userType")
        ),
        credential_set=_agreed("credentialSet.uniqueId", _unique_id(script), _unique_id(body)),
        values=None if values is None else _values(values, values_at),
        values_at=values_at,
        timing=None if body.schedule is None else to_timing(body.schedule),
    )


def _job_type(script: contract.ScriptBody) -> str:
    if script.jobType is None:
        if script.customScript is None:
            raise InvalidValue("script.jobType", "is missing")
        return CUSTOM
    found = find_job_type(script.jobType.strip())
    if found is None:
        raise InvalidValue("script.jobType", f"no job type {script.jobType[:100]}")
    return found


def _config(words: contract.ConfigParamsBody | None) -> dict[str, Any] | None:
    if words is None:
        return None
    said = words.model_dump(exclude_none=True)
    alert = said.pop("runConfigAlert", None)
    if alert is not None and said.setdefault("runtimeConfigAlert", alert) != alert:
        raise InvalidValue("script.configParams.runConfigAlert", "is not what runtimeConfigAlert is")
    if "versionsSaved" in said:
        said["versionsSaved"] = said["versionsSaved"].strip().upper()
        if said["versionsSaved"] not in _VERSIONS:
            raise InvalidValue("script.configParams.versionsSaved", f"must be {' or '.join(_VERSIONS)}")
    return said


def _approval(words: contract.ApprovalType | None) -> dict[str, Any] | None:
    if words is None:
        return None
    if words.approvalType not in (0, 1):
        raise InvalidValue("script.approvalType.approvalType", "must be 0 or 1")
    return words.model_dump(exclude_none=True)


def _user_type(number: int | None, member: str) -> int | None:
    if number not in (None, 1, 2):
        raise InvalidValue(member, "must be 1 or 2")
    return number


def _unique_id(words: contract.ScriptBody | contract.JobBody) -> str | None:
    return None if words.credentialSet is None else words.credentialSet.uniqueId


def _agreed(member: str, inside: T | None, beside: T | None) -> T | None:
    """Return what is said in the script or, as *member*, beside it.

    :raises InvalidValue: if both is said, and differs.
    """
    if inside and beside and inside != beside:
        raise InvalidValue(member, f"is not what script.{member} is")
    return inside or beside or (beside if inside is None else inside)


def _values(given: Sequence[contract.ParameterBody], member: str) -> tuple[Value, ...]:
    said: dict[int, contract.ParameterBody] = {}
    for place, one in enumerate(given):
        if one.itopMacro is not None:
            raise InvalidValue(f"{member}[{place}].itopMacro", f"no macro {one.itopMacro.id}: there are none here")
        if said.setdefault(one.paramId, one) != one:
            raise InvalidValue(f"{member}[{place}].paramId", f"{one.paramId} is there twice, with different values")
    return tuple(Value(number=number, value=one.value) for number, one in said.items())


def to_wire_job(job: ShownJob, *, details: bool = False) -> contract.Job:
    """Return *job* as answers show it; with *details* of its resources if asked for alone."""
    order = job.order
    assert order.timing is not None  # noqa: S101 - a stored job has one
    pairs = zip(order.entities, job.resources, strict=True)
    return contract.Job(
        name=order.name,
        entities=[_entity(entity, resource, details=details) for entity, resource in pairs],
        schedule=to_wire_schedule(order.timing),
        jobQueued=order.queued,
        script=_script(order, job.script),
        credentialSet=_credential_set(order),
        id=str(job.id),
    )


def to_wire_item(job: ShownJob) -> contract.Job:
    """Return *job* as lists show it: without entities, and without the parameters of a script."""
    order = job.order.model_copy(update={"entities": (), "values": None})
    return to_wire_job(ShownJob(job.id, order, (), job.script)).model_copy(update={"entities": None})


def to_wire_page(page: SortedPage[T], noun: str, to_wire: Callable[[T], Item]) -> contract.Page[Item]:
    """Return *page* of a list of *noun*, each of its items as *to_wire* shows it."""
    return contract.Page(
        results=[to_wire(item) for item in page.items],
        totalResults=page.total,
        orderBy=f"{noun}.{page.sort}",
        pageNo=page.page,
        pageSize=page.page_size,
        totalPages=page.page_count,
        nextPage=page.page < page.page_count,
        previousPageNo=page.page - 1,
        descendingOrder=page.descending,
    )


def to_number(text: str) -> int | None:
    """Return the number in an address; None if it is none."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def to_query(words: contract.SearchWords) -> Query:
    """Return what a search asks for."""
    return Query(
        page=words.pageNo,
        page_size=min(words.pageSize, MAX_PAGE_SIZE),
        descending=words.isDescendingOrder.strip().lower() != "false",
        sort=words.sortName.strip().removeprefix("job."),
        filters=parse_filters(words.queryString),
    )


def to_general_info(resource: Resource, *, details: bool = False) -> contract.GeneralInfo:
    """Return what is known of *resource*."""
    info = contract.GeneralInfo(ipAddresses=resource.address, hostName=resource.host)
    if details:
        info.resourceType, info.aliasName = resource.resource_type, resource.alias
        info.resourceName = resource.resource_name
    return info


def _entity(entity: Entity, resource: Resource | None, *, details: bool) -> contract.Entity:
    shown = contract.EntityResource(id=entity.id, type=entity.type)
    if resource is not None:
        shown.generalInfo = to_general_info(resource, details=details)
        shown.clientUniqueId = resource.client
    return contract.Entity(resource=shown)


def _script(order: Order, script: Script | None) -> contract.Script:
    return contract.Script(
        jobType=None if order.job_type == CUSTOM else order.job_type,
        configParams=None if order.config is None else contract.ConfigParams.model_validate(order.config),
        approvalType=None if order.approval is None else contract.ApprovalType.model_validate(order.approval),
        customScript=_custom_script(order, script),
        parameters=None if order.values is None else [_parameter(value) for value in order.values],
        userType=order.user_type,
    )


def _custom_script(order: Order, script: Script | None) -> contract.CustomScript | None:
    if order.script is None:
        return None
    if script is None:  # it is no longer there
        return contract.CustomScript(id=order.script)
    return contract.CustomScript(
        id=order.script, name=script.name, description=script.description, platforms=list(script.platforms)
    )


def _parameter(value: Value) -> contract.Parameter:
    return contract.Parameter(paramId=value.number, name=value.name, value=value.value)


def _credential_set(order: Order) -> contract.CredentialSetChoice | None:
    return None if order.credential_set is None else contract.CredentialSetChoice(uniqueId=order.credential_set)
