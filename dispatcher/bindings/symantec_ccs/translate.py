"""Between the wire and the services: jobs and job runs. Total and pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from dispatcher.bindings.symantec_ccs import contract
from dispatcher.bindings.symantec_ccs.schedule import to_timing
from dispatcher.core.errors import InvalidValue
from dispatcher.core.options import MAX_TIME_S
from dispatcher.core.schedules import DEMAND, RecurrenceRequest
from dispatcher.core.states import State
from dispatcher.services.symantec_ccs.names import to_key
from dispatcher.services.symantec_ccs.orders import CcsJobView, JobOrder, JobRun, Present
from dispatcher.services.symantec_ccs.terms import Term

#: What .NET writes for a moment that there is none of.
NO_MOMENT = "0001-01-01T00:00:00"
_CATEGORIES = {
    contract.JobType.COLLECTION_EVALUATION: "Collection-Evaluation-Reporting",
    contract.JobType.COLLECTION: "Data Collection",
    contract.JobType.EVALUATION: "Evaluation",
}
#: The status of a run that is in this state, and its text; that of Active depends on what its agents do.
STATUSES: dict[State, tuple[int, str]] = {
    State.DISABLED: (3, ""),
    State.SCHEDULED: (1, ""),
    State.ACTIVE: (2, ""),
    State.ABORTING: (2, "Aborting"),
    State.ABORTED: (7, ""),
    State.COMPLETED: (4, ""),
    State.FAILED: (5, ""),
    State.STOPPED: (5, ""),
    State.CANCELLED: (7, ""),
    State.COMPLETED_WITH_ERRORS: (6, "Completed with errors"),
    State.SKIPPED: (6, "Skipped"),
    State.PENDING: (1, ""),
    State.TIMED_OUT: (5, ""),
}
PENDING, EXECUTING = 1, 2
#: The type and the category of jobs that other dialects have made.
_OTHER = "Other"
#: The statuses by the words that searches may use for them.
STATUS_NAMES = ("None", "Pending", "Executing", "Idle", "Completed", "Faulted", "Custom", "Aborted")
#: The members of a schedule that make a job run, those that say when it begins, and all that say when it runs.
_ORDERS = ("RunNow", "RunOnce", "RunPeriodically")
_BEGINNINGS = frozenset({"RunOnce", "RunPeriodically", "StartDate"})
_TIMES = frozenset(contract.Schedule.model_fields) - {
    "RunNow",
    "EndJobRunConfigured",
    "EndJobRunTimeInterval",
    "SubScheduleRepeatDays",
    "SubScheduleRepeatPeriodDays",
}
_FAULTED = (State.FAILED, State.STOPPED, State.TIMED_OUT)


def to_order(body: contract.NewJob, present: Present) -> JobOrder:
    """Return the job that *body* asks for.

    :raises InvalidValue: if a member is missing or impossible.
    """
    return _order(body.JobDetails, str(body.JobType), present)


def to_change(body: contract.ChangedJob, present: Present) -> Callable[[CcsJobView], JobOrder]:
    """Return what makes of a job as it stands the one that *body* asks for: what it does not say stays.

    That holds for each member of the schedule, too: one that is as it was says nothing. The job is run at once only if
    the message says when it begins, and RunNow is an order beside the schedule: the job goes on to run when it did.

    :raises InvalidValue: as ``to_order``, of what it returns.
    """
    given = {} if body.JobDetails is None else _dumped(body.JobDetails)
    schedule = given.get("Schedule", {})
    is_ordered = schedule.pop("RunNow", False)

    def change(job: CcsJobView) -> JobOrder:
        merged = {**job.details, **given}
        stored = job.details.get("Schedule", {})
        if "Schedule" in given:
            merged["Schedule"] = {**stored, "RunNow": False, **schedule}
        details = contract.JobDetails.model_validate(merged)
        # What clients have read and send back; some of them fill in false and 0.
        changed = {name for name, value in schedule.items() if (value or None) != (stored.get(name) or None)}
        has_times = not _TIMES.isdisjoint(changed)
        order = _order(details, str(body.JobType or job.job_type), present, with_times=has_times)
        recurrence = order.recurrence if has_times else None
        if is_ordered and schedule.get("RunOnce") and not schedule.get("RunPeriodically"):
            recurrence = RecurrenceRequest(DEMAND)  # that once is now
        begins = order.runs_now and not _BEGINNINGS.isdisjoint(changed)
        return replace(order, recurrence=recurrence, runs_now=is_ordered or begins)

    return change


def _order(details: contract.JobDetails, job_type: str, present: Present, *, with_times: bool = True) -> JobOrder:
    """Return the order for a job with *details*; without times only the limit of its schedule counts."""
    schedule = details.Schedule
    if schedule is not None and schedule.RunPeriodically and not (schedule.StartDate or "").strip():
        # Kept, so that a later change of something else does not move the days.
        start = present.now.astimezone(present.site_zone).isoformat(timespec="seconds")
        schedule = schedule.model_copy(update={"StartDate": start})
        details = details.model_copy(update={"Schedule": schedule})
    if schedule is not None and not with_times:
        schedule = schedule.model_copy(update=dict.fromkeys(_ORDERS))
    timing = None if schedule is None else to_timing(schedule, present.now, present.site_zone)
    return JobOrder(
        name=details.JobName or "",
        job_type=job_type,
        standards=details.Standards or (),
        targets=[one.Id for one in details.AssetsResolutionInfo or ()],
        recurrence=None if timing is None else timing.recurrence,
        runs_now=timing is not None and timing.runs_now,
        timeout_s=_seconds(details, None if timing is None else timing.limit),
        values={
            "JobType": job_type,
            "IsIncremental": str(bool(details.IsIncremental)).lower(),
            "IncrementalPeriod": str(details.IncrementalPeriod or 0),
        },
        details=_stored(details),
        since=present.now,
    )


def _seconds(details: contract.JobDetails, limit: timedelta | None) -> float | None:
    """Return how long a run may take: by the time-out of the collection and by the *limit* of the schedule."""
    hours, minutes = details.CollectionOnlyTimeOutHours or 0, details.CollectionOnlyTimeOutMins or 0
    for member, number in (("CollectionOnlyTimeOutHours", hours), ("CollectionOnlyTimeOutMins", minutes)):
        if not 0 <= number <= MAX_TIME_S // 60:
            raise InvalidValue(f"JobDetails.{member}", f"{number} is not from 0 to {MAX_TIME_S // 60}")
    timeout_s = hours * 3600 + minutes * 60
    if timeout_s > MAX_TIME_S:
        raise InvalidValue("JobDetails.CollectionOnlyTimeOutHours", f"{hours} is more than a year")
    limits = [timeout_s] if timeout_s else []
    return min([*limits, *([limit.total_seconds()] if limit else [])], default=None)


def _dumped(details: contract.JobDetails) -> dict[str, Any]:
    """Return the members that *details* has, as they were meant; ids in lower case."""
    dumped = details.model_dump(exclude_none=True)
    for asset in dumped.get("AssetsResolutionInfo", ()):
        asset["Id"] = asset["Id"].strip().lower()
    if "Standards" in dumped:
        dumped["Standards"] = [one.strip().lower() for one in dumped["Standards"]]
    return dumped


def _stored(details: contract.JobDetails) -> dict[str, Any]:
    """Return *details* as they are stored, and shown again: RunNow is an order, which nobody sends back by mistake."""
    dumped = _dumped(details)
    if dumped.get("Schedule", {}).get("RunNow"):
        dumped["Schedule"]["RunNow"] = False
    return dumped


def to_id(text: str, member: str) -> UUID:
    """Return the id in *text*, the value of *member*.

    :raises InvalidValue: if it is none.
    """
    key = to_key(text)
    if key is None:
        raise InvalidValue(member, f"{text[:50]!r} is no GUID")
    return key


def to_status(run: JobRun) -> tuple[int, str, str | None]:
    """Return the status of *run*, its text, and the exception if it is faulted."""
    status, text = STATUSES[run.state]
    if run.state is State.ACTIVE and not run.has_begun:
        status = PENDING
    if run.state in _FAULTED:
        told = None if run.state is State.FAILED else run.state.text
        return status, text, run.reason or told
    return status, text, None


def to_wire_run(run: JobRun) -> contract.JobStatusInfo:
    """Return *run* as lists of runs show it; with its messages, if it has been asked for them."""
    status, text, exception = to_status(run)
    info = contract.JobStatusInfo(
        JobRunID=str(run.id),
        JobID=str(run.job_id),
        CustomStatusText=text,
        Exception=exception,
        JobStartTime=to_wire_moment(run.started_at),
        JobEndTime=to_wire_moment(run.stopped_at),
        JobSummary=_summary(run),
        Status=status,
        ActivityStatusList=[],
    )
    if run.messages is None:
        return info
    messages = [
        contract.RunMessage(Message=one.text, Count=one.count, DateTime=to_wire_moment(one.last_at))
        for one in run.messages
    ]
    return contract.JobStatusInfoWithMessages(**dict(info), Messages=messages)


def to_wire_start(run: JobRun) -> contract.JobStatusInfo:
    """Return *run*, which has been made by this very request: it executes, whatever its agents do by now."""
    empty = {"CustomStatusText": "", "Exception": None, "JobEndTime": NO_MOMENT, "JobSummary": None}
    return contract.JobStatusInfo(**{**dict(to_wire_run(run)), **empty, "Status": EXECUTING})


def to_wire_execution(run: JobRun, *, wraps: bool) -> contract.JobStatusInfo | contract.WrappedStatus:
    """Return the answer to the execution that has made *run*; it *wraps* that, or not."""
    info = to_wire_start(run)
    return contract.WrappedStatus(JobStatusInfo=info) if wraps else info


def to_wire_made(job: CcsJobView, run: JobRun | None) -> contract.JobMade:
    """Return *job*, which has been made or changed, and the *run* that has begun by that."""
    names = {"JobID": str(job.id), "JobName": job.name}
    if run is None:
        return contract.JobMade(**names)
    return contract.JobMadeAndRun(**{**dict(to_wire_start(run)), **names})


def to_wire_job(job: CcsJobView) -> contract.Job:
    """Return *job* as searches show it."""
    details = contract.JobDetails.model_validate(dict(job.details)) if job.details else None
    run = job.last_run
    return contract.Job(
        JobID=str(job.id),
        JobName=job.name,
        JobDescription="" if details is None else details.JobDescription or "",
        JobType=job.job_type or _OTHER,
        JobCategory=to_category(job.job_type),
        JobCreatedBy=job.created_by,
        JobCreationTime=to_wire_moment(job.created_at),
        JobModifiedTime=to_wire_moment(job.modified_at),
        LastRunStatus=0 if run is None else to_status(run)[0],
        LastRunDate=to_wire_moment(None if run is None else run.started_at),
        JobDetails=details,
    )


def to_category(job_type: str) -> str:
    """Return the category that jobs of this type are in."""
    return _CATEGORIES[contract.JobType(job_type)] if job_type else _OTHER


def asks_for_runs(terms: Iterable[Term]) -> bool:
    """Whether one of *terms* is about the latest run of a job."""
    return any(term.attribute in ("lastrunstatus", "lastrundate") for term in terms)


def to_attributes(job: CcsJobView) -> dict[str, list[str]]:
    """Return what searches may ask for of *job*: the texts that fit, by the names of the attributes in lower case."""
    run = job.last_run
    status = 0 if run is None else to_status(run)[0]
    return {
        "jobname": [job.name],
        "jobid": [str(job.id)],
        "jobcategory": [to_category(job.job_type)],
        "jobtype": [job.job_type or _OTHER],
        "jobcreationtime": [to_wire_moment(job.created_at)],
        "jobmodifiedtime": [to_wire_moment(job.modified_at)],
        "lastrunstatus": [str(status), STATUS_NAMES[status]],
        "lastrundate": [to_wire_moment(None if run is None else run.started_at)],
    }


#: The attributes of jobs that a search may name.
ATTRIBUTES = frozenset(
    ["jobname", "jobid", "jobcategory", "jobtype", "jobcreationtime", "jobmodifiedtime", "lastrunstatus", "lastrundate"]
)


def to_wire_moment(moment: datetime | None) -> str:
    """Return *moment* as the original writes it: in UTC, with seven digits and a Z; in its own way if there is none."""
    if moment is None:
        return NO_MOMENT
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}0Z"


def to_logins(username: str) -> list[str]:
    """Return which login *username* may mean: as it is, decoded as in an address, and that without its domain."""
    decoded = unquote(username).strip()
    return [username.strip(), decoded, decoded.rpartition("\\")[2].strip()]


def to_passwords(password: str) -> list[str]:
    """Return what *password* may mean: what was sent, that decoded as in an address, and both taken as Base64."""
    readings = [password, unquote(password)]
    for text in tuple(readings):
        try:
            readings.append(base64.b64decode(text, validate=True).decode())
        except (binascii.Error, ValueError):
            continue
    return list(dict.fromkeys(readings))


def _summary(run: JobRun) -> str | None:
    """Return in words what has become of a run that is over."""
    if not run.is_over or not run.ended:
        return None
    ends = ", ".join(f"{count} {state.text.lower()}" for state, count in sorted(run.ended.items()))
    total = sum(run.ended.values())
    return f"{total} asset{'' if total == 1 else 's'}: {ends}"
