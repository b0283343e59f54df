"""Reports on the wire: the steps of run books, who is in which team, and which jobs ran. Total and pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.translate import to_wire_job, to_wire_what, to_wire_who
from dispatcher.core.errors import InvalidValue
from dispatcher.wire.guids import format_guid
from dispatcher.wire.types import new

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from dispatcher.services.runbook_jobs import RunBookJob
    from dispatcher.services.team_reports import TeamReport
    from dispatcher.services.usage_reports import JobUsage

#: ``yyyyMMddHHmmss`` (contract section 2.11).
_DATE_TIME = re.compile(r"[0-9]{14}")
_SECOND = timedelta(seconds=1)
#: What the first and the last year stand for: .NET's DateTime.MinValue and MaxValue leave an end open, and no zone can
#: be reckoned with beyond them.
_OPEN_ENDS = {1: datetime(1970, 1, 1, tzinfo=UTC), 9999: datetime(9999, 1, 1, tzinfo=UTC)}


class Interval(NamedTuple):
    """From ``start`` up to, not including, ``stop``; both aware UTC."""

    start: datetime
    stop: datetime


def to_wire_runbook_job(found: RunBookJob) -> Any:
    """Return a run book job as a ``RunBookJob``: a ``Job``, and one for each of its steps."""
    return new(contract.RunBookJob, **vars(to_wire_job(found.job)), Jobs=[to_wire_job(step) for step in found.steps])


def to_wire_team_reports(teams: Iterable[TeamReport]) -> list[Any]:
    """Return *teams* as a list of ``TeamReport``; an agent of several teams is one object in all of them."""
    agents: dict[UUID, Any] = {}
    reports = []
    for team in teams:
        for who in team.agents:
            if who.id not in agents:
                agents[who.id] = to_wire_who(who)
        members = [agents[who.id] for who in team.agents]
        reports.append(
            new(
                contract.TeamReport,
                Agents=members,
                Description=team.description,
                ID=format_guid(team.id),
                Name=team.name,
            )
        )
    return reports


def to_wire_usage(job: JobUsage) -> Any:
    """Return *job* as a ``JobUsage``."""
    return new(
        contract.JobUsage,
        Description=job.description,
        JobID=format_guid(job.id),
        JobInvoker=job.invoker.value,
        StartDateTime=job.started_at,
        Status=job.state.value,
        StopDateTime=job.stopped_at,
        What=[to_wire_what(what) for what in job.what],
        Who=[to_wire_who(who) for who in job.who],
    )


def to_interval(start: str | None, stop: str | None, site_zone: tzinfo) -> Interval:
    """Return the interval from the beginning of the second *start* to the end of the second *stop*.

    Both are ``yyyyMMddHHmmss`` in *site_zone*. Of a time that the clock showed twice, *start* is the first and
    *stop* the second. The years 1 and 9999 stand for ends that are open.

    :raises InvalidValue: if one of them is missing or malformed, or *stop* is before *start*.
    """
    first, last = _to_moment(start, "start", site_zone, fold=0), _to_moment(stop, "stop", site_zone, fold=1)
    if last < first:
        raise InvalidValue("stop", "is before start")
    return Interval(first, last + _SECOND)


def _to_moment(text: str | None, member: str, site_zone: tzinfo, *, fold: int) -> datetime:
    text = (text or "").strip()
    if not text:
        raise InvalidValue(member, "is missing")
    if not _DATE_TIME.fullmatch(text):
        raise InvalidValue(member, f"{text[:100]!r} is no date and time like 20261231235959 (yyyyMMddHHmmss)")
    try:
        local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=site_zone, fold=fold)
    except ValueError:
        raise InvalidValue(member, f"{text!r} is no date and time") from None
    return _OPEN_ENDS.get(local.year) or local.astimezone(UTC)
