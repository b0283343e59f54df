"""Schedule commands say what the service wants to hear; the preview needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MODULE = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
AGENT = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
JOB = "{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}"
JOB_ID = "55d1e5fd-cd92-481e-abdb-62ed86288d1f"
RULE = "DTSTART;TZID=Europe/Berlin:20260101T020000\nRRULE:FREQ=DAILY"
DUE = "/Date(1760000000000+0000)/"


def a_recurring_job(state: int = 0, **recurrence: Any) -> dict[str, Any]:
    rules = {"MisfireRule": "once", "MisfireWindowSeconds": 3600, "OverlapRule": "skip", "PausedUntil": None}
    return {
        "JobID": JOB,
        "Description": "Backup",
        "IsRecurring": True,
        "Status": {"Type": state, "StartDateTime": DUE},
        "When": {"RecurringSchedule": RULE, "Recurrence": rules | recurrence},
    }


@pytest.fixture
def schedule(run, service, monkeypatch: pytest.MonkeyPatch):
    """Runs a schedule command against the stand-in server."""
    monkeypatch.setenv("TZ", "UTC")
    service.answers |= {
        "GET what/modules": [[{"ID": MODULE, "Name": "Backup", "Type": 0}]],
        "GET who": [[{"ID": AGENT, "Name": "PC-042", "Type": 0}]],
        "POST jobs": a_recurring_job(),
        f"GET jobs/{JOB_ID}": a_recurring_job(),
    }

    def schedule(*arguments: str):
        return run("schedule", *arguments, DISPATCHER_URL=service.url)

    return schedule


def add(schedule, *arguments: str):
    return schedule("add", "--module", "Backup", "--agent", "PC-042", *arguments)


def test_add_sends_the_rule_with_its_start_and_zone(schedule, service) -> None:
    result = add(
        schedule, "--rule", "FREQ=DAILY", "--start", "2026-01-01T02:00", "--tz", "Europe/Berlin", "--overlap", "skip"
    )

    assert result.output == f"{JOB_ID}\n", result.output
    when = service.received[-1].body["When"]
    assert when["RecurringSchedule"] == RULE
    assert when["Recurrence"] == {
        "DaylightGap": "shift",
        "DaylightRepeat": "first",
        "MisfireRule": "once",
        "MisfireWindowSeconds": 3600,
        "OverlapRule": "skip",
    }


def test_a_whole_rule_is_sent_as_it_is(schedule, service) -> None:
    add(schedule, "--rule", RULE.replace("\n", r"\n"))
    assert service.received[-1].body["When"]["RecurringSchedule"] == RULE


def test_every_boot_is_a_rule_of_its_own(schedule, service) -> None:
    add(schedule, "--every-boot")
    assert service.received[-1].body["When"]["RecurringSchedule"] == "BOOT"


def test_options_of_the_job_go_along(schedule, service) -> None:
    add(schedule, "--every-boot", "--batch", "20%", "--stop-at", "50", "--timeout", "60", "--outside-window", "fail")
    body = service.received[-1].body
    assert body["Options"] == {"BatchPercent": 20, "StopAtFailedPercent": 50, "TimeoutSeconds": 60}
    assert body["OutsideLaunchWindow"] == "LaunchWindowFailJob"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give one of --rule, --every-boot"),
        (("--rule", "FREQ=DAILY", "--every-boot"), "give one of --rule, --every-boot"),
        (("--rule", RULE, "--tz", "UTC"), "leave out --tz and --start"),
        (("--rule", "FREQ=DAILY", "--tz", "Mars/Olympus"), "--tz Mars/Olympus"),
        (("--rule", "FREQ=DAILY", "--start", "soon"), "--start soon: must be a moment"),
        (("--every-boot", "--batch", "many"), "--batch many: must be a number"),
        (("--every-boot", "--batch", "0"), "--batch 0: must be a number"),
        (("--every-boot", "--batch", "0%"), "--batch 0%: must be a number"),
    ],
)
def test_wrong_usage_is_told(schedule, arguments: tuple[str, ...], problem: str) -> None:
    result = add(schedule, *arguments)
    assert result.exit_code == 2
    assert problem in result.output


def test_list_shows_the_recurring_jobs_of_all_pages(schedule, service) -> None:
    once = {**a_recurring_job(), "IsRecurring": False, "Description": "once"}
    service.answers["GET jobs"] = [
        {"Items": [a_recurring_job()], "PageCount": 2},
        {"Items": [once, {**a_recurring_job(-1), "Description": "Paused one"}], "PageCount": 2},
    ]
    lines = schedule("list").output.splitlines()
    assert len(lines) == 3
    assert "2025-10-09 08:53:20" in lines[1]
    assert "RRULE:FREQ=DAILY" in lines[1]
    assert "Disabled" in lines[2]
    assert "2025-10-09" not in lines[2]


def test_show_tells_the_rules(schedule, service) -> None:
    service.answers[f"GET jobs/{JOB_ID}"] = a_recurring_job(PausedUntil=DUE)
    output = schedule("show", JOB).output
    assert "DTSTART;TZID=Europe/Berlin:20260101T020000; RRULE:FREQ=DAILY" in output
    assert "once, within 3600 s" in output
    assert "Paused until  2025-10-09 08:53:20" in output


def test_pause_until_a_moment_and_resume(schedule, service) -> None:
    service.answers[f"PUT jobs/{JOB_ID}/pause"] = a_recurring_job()
    service.answers[f"PUT jobs/{JOB_ID}/resume"] = a_recurring_job()
    assert schedule("pause", JOB_ID, "--until", "2026-12-24T22:00+02:00").output == "The schedule is paused.\n"
    assert service.received[-1].query == {"until": "2026-12-24T20:00:00Z"}
    assert schedule("pause", JOB_ID).exit_code == 0
    assert service.received[-1].query == {}
    assert schedule("resume", JOB_ID).output == "The schedule is resumed.\n"


def test_ledger_shows_what_became_of_each_due_time(schedule, service) -> None:
    service.answers[f"GET jobs/{JOB_ID}/occurrences"] = {
        "Items": [
            {"DueDateTime": DUE, "Outcome": "Fired", "JobID": JOB, "Reason": ""},
            {"DueDateTime": DUE, "Outcome": "Skipped", "JobID": None, "Reason": "paused"},
        ],
        "PageCount": 1,
    }
    lines = schedule("ledger", JOB_ID).output.splitlines()
    assert lines[1].split() == ["2025-10-09", "08:53:20", "Fired", JOB_ID]
    assert lines[2].split() == ["2025-10-09", "08:53:20", "Skipped", "paused"]


def test_preview_tells_of_changed_clocks_and_windows(run, tmp_path: Path) -> None:
    window = tmp_path / "window.txt"
    window.write_text("Mon-Fri 20:00-06:00\n")
    arguments = ("--rule", "FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "--tz", "Europe/Berlin", "--start", "2026-03-01")
    result = run("schedule", "preview", *arguments, "--after", "2026-03-28T00:00Z", "--window", str(window), "-n", "3")
    lines = result.output.splitlines()
    assert lines[0].split() == ["LOCAL", "UTC", "WINDOW", "NOTE"]
    assert "Sat 2026-03-28 02:30:00 CET   2026-03-28 01:30:00Z  fires" in lines[1]
    assert "Sun 2026-03-29 03:00:00 CEST" in lines[2]
    assert "waits until Mon 2026-03-30 20:00" in lines[2]
    assert "the clocks go forward from 02:00 to 03:00" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give a --rule"),
        (("--rule", "BOOT"), "only the agents know"),
        (("--rule", "FREQ=SECONDLY"), "SECONDLY"),
        (("--rule", "FREQ=DAILY", "--window", "/nowhere/window"), "--window /nowhere/window"),
    ],
)
def test_preview_refuses_what_it_cannot_show(run, arguments: tuple[str, ...], problem: str) -> None:
    result = run("schedule", "preview", *arguments)
    assert result.exit_code == 2
    assert problem in result.output
