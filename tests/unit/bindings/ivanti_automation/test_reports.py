"""Report messages: intervals in the site's time, teams that share their agents, run books with their steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.bindings.ivanti_automation.reports import (
    to_interval,
    to_wire_runbook_job,
    to_wire_team_reports,
)
from dispatcher.bindings.ivanti_automation.translate import to_wire_job
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Job, Who, WhoKind
from dispatcher.services.runbook_jobs import RunBookJob
from dispatcher.services.team_reports import TeamReport
from dispatcher.wire.json_codec import encode_json

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_an_interval_ends_with_the_second_that_it_names() -> None:
    assert to_interval("20260101000000", " 20260131235959 ", UTC) == (utc(2026, 1, 1), utc(2026, 2, 1))
    assert to_interval("20260101000000", "20260101000000", UTC) == (utc(2026, 1, 1), utc(2026, 1, 1, 0, 0, 1))


def test_times_are_those_of_the_site() -> None:
    assert to_interval("20260701000000", "20260701015959", BERLIN) == (utc(2026, 6, 30, 22), utc(2026, 7, 1))


def test_of_an_hour_that_comes_twice_all_is_meant() -> None:
    # On 25 October 2026 the clocks go from 03:00 summer time back to 02:00.
    start, stop = to_interval("20261025020000", "20261025025959", BERLIN)
    assert (start, stop) == (utc(2026, 10, 25, 0), utc(2026, 10, 25, 2))


@pytest.mark.parametrize(
    ("start", "stop", "problem"),
    [
        (None, "20260101000000", "start: is missing"),
        ("20260101000000", "", "stop: is missing"),
        ("2026-01-01", "20260101000000", "start: '2026-01-01' is no date and time like"),
        ("20260101000000", "202601010000", "stop: .* is no date and time like"),
        ("20260101000000", "2026010100000\uff10", "stop: .* is no date and time like"),
        ("20261301000000", "20260101000000", "start: '20261301000000' is no date and time"),
        ("20260101000000", "20260101240000", "stop: '20260101240000' is no date and time"),
        ("00000101000000", "20260101000000", "start: '00000101000000' is no date and time"),
        ("20260101000001", "20260101000000", "stop: is before start"),
    ],
)
def test_what_is_no_time_is_named(start: str | None, stop: str, problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem):
        to_interval(start, stop, UTC)


@pytest.mark.parametrize("zone", [UTC, BERLIN, ZoneInfo("America/New_York")])
def test_the_ends_of_dotnets_time_are_open_ends(zone: ZoneInfo) -> None:
    # [datetime]::MinValue and MaxValue as "yyyyMMddHHmmss": no zone can be reckoned with there.
    start, stop = to_interval("00010101000000", "99991231235959", zone)
    assert start == utc(1970, 1, 1)
    assert utc(9999, 1, 1) <= stop < utc(9999, 12, 31)


def test_teams_share_the_agents_that_are_in_both() -> None:
    agent = Who(UUID(int=7), "PC-042", WhoKind.AGENT, is_online=True, is_licensed=True)
    teams = [
        TeamReport(UUID(int=1), "A", "first", [agent]),
        TeamReport(UUID(int=2), "B", "", [agent]),
        TeamReport(UUID(int=3), "C", "", []),
    ]

    first, second, third = to_wire_team_reports(teams)

    assert first.Agents[0] is second.Agents[0]
    assert (first.ID, first.Name, first.Description) == ("{00000000-0000-0000-0000-000000000001}", "A", "first")
    assert (first.Agents[0].Name, first.Agents[0].IsOnline, third.Agents) == ("PC-042", True, [])


def test_a_run_book_job_is_a_job_with_its_steps(a_job: Callable[..., Job]) -> None:
    job = a_job(is_runbook=True)
    steps = [a_job(id=UUID(int=1)), a_job(id=UUID(int=2))]

    shown = to_wire_runbook_job(RunBookJob(job, steps))

    assert {name: value for name, value in vars(shown).items() if name != "Jobs"}.keys() == vars(
        to_wire_job(job)
    ).keys()
    assert [step.JobID[-3:] for step in shown.Jobs] == ["01}", "02}"]
    written = encode_json(contract.RunBookJob, shown)
    assert encode_json(contract.Job, to_wire_job(replace(steps[0]))) in written
