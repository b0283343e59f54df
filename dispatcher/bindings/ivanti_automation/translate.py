"""Translation between the contract's types and the core's, both ways. Total and pure.

The wire's values arrive decoded but unchecked: any member may be None. What is missing takes the default that
contract sections 1 and 2 give it; what makes no sense raises ``InvalidValue`` naming the member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.options import to_options, to_wire_options
from dispatcher.bindings.ivanti_automation.recurrence import to_recurrence, to_wire_recurrence
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import (
    WHAT_KINDS,
    WHO_KINDS,
    GivenSet,
    Invoker,
    Job,
    JobPage,
    JobRequest,
    ParameterSet,
    Shared,
    Stage,
    What,
    WhatChoice,
    WhatKind,
    When,
    Who,
    WhoChoice,
    WhoKind,
)
from dispatcher.core.parameters import Parameter
from dispatcher.core.states import State
from dispatcher.wire.guids import NO_GUID, find_guid, format_guid, parse_guid
from dispatcher.wire.once import GAP, Blanks, Filled, Once
from dispatcher.wire.types import blank, new

if TYPE_CHECKING:
    from dispatcher.services.output import OutputRange

_Item = TypeVar("_Item")

#: Contract section 2.2: what LUCD sends.
DEFAULT_PAGE_SIZE = 500
#: How much output a client gets that does not say how much it wants: what it can get at most.
DEFAULT_OUTPUT_BYTES = 1 << 20
#: The states that a caller may put a job into (contract section 2.4).
WANTED_STATES = (State.ABORTING, State.DISABLED, State.SCHEDULED)


class PageQuery(NamedTuple):
    """The query of a list of jobs, with defaults in place."""

    stage: Stage
    runbook_jobs: bool
    recurring_jobs: bool
    page: int
    page_size: int


class WhoQuery(NamedTuple):
    """The query of a list of agents and teams, with defaults in place."""

    agents: bool
    teams: bool
    online: bool
    licensed: bool
    search: str


def to_job_request(job: Any) -> JobRequest:
    """Return what a ``Job`` asks for; only what contract section 2.1 names is looked at.

    :raises InvalidValue: if there is no job, or a What, Who or When in it is malformed; whether they are enough
        is for the service to say.
    """
    if job is None:
        raise InvalidValue("job", "is missing")
    # In place, as in ``to_when``: names of arguments cost more than the values.
    return JobRequest(
        [to_what_choice(item, f"What[{position}]") for position, item in enumerate(_items(job.What))],
        [to_who_choice(item, f"Who[{position}]") for position, item in enumerate(_items(job.Who))],
        to_when(job.When),
        job.Description or "",
        [to_given_set(container) for container in job.Parameters or ()],
        bool(job.ScheduleInParallel),
        job.OutsideLaunchWindow,
        job.Tags,
        to_options(job),
    )


def to_wire_job(job: Job) -> Any:
    """Return *job* as a ``Job``; StartDateTime is never null, because LUCD compares it (contract section 3.3)."""
    wire = blank(contract.Job)
    wire.Description = job.description
    wire.IsRecurring = job.is_recurring
    # Jobs of steps, too: contract sections 2.2 and 9.
    wire.IsRunBookJob = job.is_runbook or job.invoker is Invoker.RUNBOOK
    wire.JobID = format_guid(job.id)
    wire.Options = to_wire_options(job.options)
    wire.OutputParameters = _all(job.outputs, to_wire_parameter_set)
    wire.OutsideLaunchWindow = job.outside_launch_window
    wire.Parameters = _parameter_sets(job)
    wire.Reason = job.reason
    wire.RecurringJobID = format_guid(job.recurring_id) if job.recurring_id else None
    wire.ScheduleInParallel = job.in_parallel
    wire.Status = to_wire_status(job)
    wire.Tags = job.tags
    wire.What = _all(job.what, to_wire_what)
    wire.When = to_wire_when(job)
    wire.Who = _all(job.who, to_wire_who)
    return wire


def to_kept_job(job: Job) -> Any:
    """Return what ``to_wire_job`` does, made and written once for as long as *job* is kept."""
    kept = job.views.get(contract.Job)
    if kept is None:
        kept = job.views[contract.Job] = Once(to_wire_job(job))
    return kept


def to_wire_page(page: JobPage) -> Any:
    """Return *page* as a ``JobPage`` that echoes the page asked for: LUCD stops only beyond the last one."""
    return new(
        contract.JobPage,
        CurrentPage=page.page,
        Items=[to_kept_job(job) for job in page.items],
        PageCount=page.page_count,
        PageSize=page.page_size,
        TotalCount=page.total,
    )


def to_wanted_state(status: Any) -> State:
    """Return the state that a ``JobStatus`` asks for; every member but ``Type`` is ignored (contract section 2.4).

    :raises InvalidValue: if a caller cannot put a job into that state.
    """
    if status is None or status.Type is None:
        raise InvalidValue("status/Type", "is missing")
    wanted = State(status.Type)
    if wanted not in WANTED_STATES:
        raise InvalidValue("status/Type", f"{wanted.text} is not a state that a job can be put into")
    return wanted


def to_wire_status(job: Job) -> Any:
    """Return where *job* stands as a ``JobStatus``."""
    wire = blank(contract.JobStatus)
    wire.JobInvoker = job.invoker
    wire.JobInvokerInfo = job.invoker_info
    wire.StartDateTime = job.started_at
    wire.StopDateTime = job.stopped_at
    wire.Type = job.state
    return wire


def to_when(when: Any) -> When:
    """Return when a ``JobWhen`` starts a job; without any word about it, at once.

    :raises InvalidValue: if its recurrence makes no sense.
    """
    if when is None:
        return When()
    starts_at = when.ScheduledDateTime
    immediate = starts_at is None if when.Immediate is None else when.Immediate
    return When(
        immediate,
        None if immediate else starts_at,
        bool(when.IsLocalTime),
        bool(when.UseWakeOnLAN),
        to_recurrence(when),
    )


def to_wire_when(job: Job) -> Any:
    """Return when *job* starts as a ``JobWhen``; an immediate job shows its actual start."""
    when, options = job.when, job.options or {}
    recurrence = when.recurrence
    wire = blank(contract.JobWhen)
    wire.Immediate = when.immediate
    wire.IsLocalTime = when.is_local_time
    wire.NextBoot = options.get("boot") == "next"
    wire.OfflineAgentsNextBoot = bool(options.get("offline_agents_next_boot"))
    wire.Recurrence = None if recurrence is None else to_wire_recurrence(recurrence)
    wire.RecurringSchedule = None if recurrence is None else recurrence.rule
    wire.ScheduledDateTime = when.starts_at or job.started_at
    wire.UseWakeOnLAN = when.use_wake_on_lan
    return wire


def to_what_choice(what: Any, member: str) -> WhatChoice:
    """Return the choice that a ``JobWhat`` makes: by its ID alone, because clients send any text as its Name.

    :raises InvalidValue: if the ID is missing or no GUID; names *member*.
    """
    return WhatChoice(parse_guid(what.ID, f"{member}/ID"), to_what_kind(what.Type))


def to_wire_what(what: What) -> Any:
    """Return *what* as a ``JobWhat``."""
    return new(
        contract.JobWhat,
        Description=what.description,
        FolderName=what.folder,
        ID=format_guid(what.id),
        Name=what.name,
        Type=int(what.kind),
    )


def to_what_kind(number: int | None) -> WhatKind:
    """Return the kind of a ``JobWhatType``; a missing one is that of the number 0, as in DataContract."""
    return WHAT_KINDS[number or 0]


def to_who_choice(who: Any, member: str) -> WhoChoice:
    """Return the choice that a ``JobWho`` makes: ID as a GUID, then as a name, then Name (contract section 2.1).

    :raises InvalidValue: if it has neither; names *member*.
    """
    return to_choice(who.ID, who.Name, WHO_KINDS[who.Type or 0], f"{member}/ID")


def to_choice(identifier: str | None, name: str | None, kind: WhoKind, member: str) -> WhoChoice:
    """Return the choice of the agent or team with this *identifier*, a GUID or a name, else with this *name*.

    :raises InvalidValue: if both are missing; names *member*.
    """
    text, name = (identifier or "").strip(), (name or "").strip()
    identifiers = [find_guid(text) or text] if text else []
    if name and name not in identifiers:
        identifiers.append(name)
    if not identifiers:
        raise InvalidValue(member, "is missing")
    return WhoChoice(identifiers, kind)


def to_wire_who(who: Who) -> Any:
    """Return *who* as a ``JobWho``."""
    return new(
        contract.JobWho,
        ID=format_guid(who.id),
        IsLicensed=bool(who.is_licensed),
        IsOnline=bool(who.is_online),
        Name=who.name,
        Type=int(who.kind),
    )


def to_given_set(container: Any) -> GivenSet:
    """Return the values in a ``ParameterContainer``; one without a usable GUID is matched by its position.

    None keeps its place: ITM sends ``[null]`` for nothing (contract section 2.1).
    """
    if container is None:
        return GivenSet(None, ())
    what_id = find_guid(container.TaskContainerGuid or "")
    # Only their names and values count (contract section 3.7).
    sent = container.JobParameters or ()
    values = [(one.Name, one.Value1, one.Value2) for one in sent if one is not None and one.Name]
    return GivenSet(what_id, values)


def to_wire_parameter_set(parameters: ParameterSet) -> Any:
    """Return *parameters* as a ``ParameterContainer``; JobGuid is all zeros before scheduling (contract 3.6).

    If jobs share all but the values, that is written once.
    """
    declared = parameters.declared
    job_guid = format_guid(parameters.job_id) if parameters.job_id else NO_GUID
    if not isinstance(declared, Shared):
        return _parameter_set(parameters, [to_wire_parameter(one) for one in parameters.parameters], job_guid)
    blanks: Any = declared.views.get(to_wire_parameter_set)
    if blanks is None:
        around = [to_wire_parameter(one) for one in declared]
        for one in around:
            one.Value1 = GAP
        blanks = declared.views[to_wire_parameter_set] = Blanks(_parameter_set(parameters, around, GAP))
    return Filled(blanks, [job_guid, *parameters.values])


def _parameter_sets(job: Job) -> Any:
    """Return the parameters of *job*; those of a run book's step name it (contract section 3.6)."""
    if job.invoker is not Invoker.RUNBOOK:
        return _all(job.parameters, to_wire_parameter_set)
    return [to_wire_parameter_set(replace(one, job_id=job.id)) for one in job.parameters]


def _parameter_set(parameters: ParameterSet, wire_parameters: list[Any], job_guid: str) -> Any:
    return new(
        contract.ParameterContainer,
        Identifier=format_guid(parameters.identifier) if parameters.identifier else "",
        JobGuid=job_guid,
        JobName=parameters.job_name,
        JobParameters=wire_parameters,
        TaskContainerGuid=format_guid(parameters.what.id),
        TaskContainerName=parameters.what.name,
        Type=int(parameters.what.kind),
    )


def to_wire_parameter(parameter: Parameter) -> Any:
    """Return *parameter* as a ``JobParameter``, secrets empty; only lists have a Value2, or ITM refuses the value."""
    shown = parameter.masked()
    is_list = bool(shown.choices)
    return new(
        contract.JobParameter,
        Description=shown.description,
        Hint=shown.hint,
        Name=shown.name,
        Selection="",
        Type=int(shown.type),
        Value1=shown.value1,
        Value2=shown.value2 if is_list else "",
        Value3=shown.value3 if is_list else "",
    )


def to_wire_results(document: bytes) -> Any:
    """Return a result *document* as ``JobResults``."""
    return new(contract.JobResults, Xml=document)


def to_wire_output(found: OutputRange) -> Any:
    """Return *found* as a ``TaskOutput``."""
    return new(
        contract.TaskOutput, Data=found.data, IsComplete=found.is_complete, Offset=found.offset, Total=found.total
    )


def to_page_query(
    stage: int | None, runbook_jobs: bool | None, recurring_jobs: bool | None, page: int | None, page_size: int | None
) -> PageQuery:
    """Return the query of GetJobs with the defaults of contract section 2.2 in place."""
    return PageQuery(
        Stage.ALL if stage is None else Stage(stage),
        bool(runbook_jobs),
        bool(recurring_jobs),
        *to_paging(page, page_size),
    )


def to_paging(page: int | None, page_size: int | None) -> tuple[int, int]:
    """Return the page and its size, with the defaults of contract section 2.2 in place."""
    return 1 if page is None else page, DEFAULT_PAGE_SIZE if page_size is None else page_size


def to_who_query(
    agents: bool | None, teams: bool | None, online: bool | None, licensed: bool | None, search: str | None
) -> WhoQuery:
    """Return the query of GetWho with the defaults of contract section 2.9 in place."""
    return WhoQuery(
        agents=agents is None or agents,
        teams=teams is None or teams,
        online=bool(online),
        licensed=bool(licensed),
        search=search or "",
    )


def _all(items: list[_Item], to_wire: Callable[[_Item], Any]) -> Any:
    """Return all *items* as *to_wire* has them: if jobs share them, made and written once for all of these."""
    if not isinstance(items, Shared):
        return [*map(to_wire, items)]
    kept = items.views.get(to_wire)
    if kept is None:
        kept = items.views[to_wire] = Once([to_wire(item) for item in items])
    return kept


def _items(wire_list: Iterable[Any] | None) -> list[Any]:
    """Return the items of a list that may be missing; ITM sends ``[null]`` for an empty one (contract 2.1)."""
    return [item for item in wire_list or () if item is not None]
