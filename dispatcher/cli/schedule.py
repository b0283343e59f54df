"""``dispatcher schedule``: recurring jobs on a running server, their ledger, and a look ahead."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click

from dispatcher.cli.choices import Wire, bare
from dispatcher.cli.client import Answer, Client, to_local
from dispatcher.cli.output import show_facts, show_table
from dispatcher.cli.requests import Request, as_json, job_id, request_options, server_options, to_moment, with_options
from dispatcher.core.schedules import BOOT, DEMAND, Forecast, Misfire, Overlap, RecurrenceRequest, preview
from dispatcher.core.states import State
from dispatcher.core.wallclock import Fold, Gap, find_zone
from dispatcher.core.windows import Action, Rule, Window, parse

_rule = click.option(
    "--rule", metavar="RRULE", help="When: RFC 5545, such as FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=6;BYMINUTE=0"
)
_CLOCK = (
    click.option("--tz", metavar="ZONE", help="The time zone of the rule, such as Europe/Berlin.  [UTC]"),
    click.option(
        "--start", metavar="TIME", help="The earliest due time, and its time of day (the wall clock there).  [now]"
    ),
    click.option(
        "--gap",
        type=click.Choice([one.value for one in Gap]),
        default=Gap.SHIFT.value,
        show_default=True,
        help="What a local time gives that the clocks leap over.",
    ),
    click.option(
        "--fold",
        type=click.Choice([one.value for one in Fold]),
        default=Fold.FIRST.value,
        show_default=True,
        help="What a local time gives that comes twice.",
    ),
)
_RULES = (
    click.option("--misfire", type=click.Choice([one.value for one in Misfire]), default="once", show_default=True),
    click.option("--misfire-window", metavar="SECONDS", type=click.IntRange(min=0), default=3600, show_default=True),
    click.option("--overlap", type=click.Choice([one.value for one in Overlap]), default="allow", show_default=True),
)
_OUTSIDE = click.Choice([one.value for one in Rule])


@click.group()
@server_options
@click.pass_context
def schedule(context: click.Context, url: str, login: str, password: str, ca_file: str | None) -> None:
    """Let jobs recur, pause and resume them, and see why one did or did not run.

    The environment variables DISPATCHER_URL, DISPATCHER_LOGIN and DISPATCHER_PASSWORD say which server, and who
    you are there.
    """
    context.obj = Client(url, login, password, ca_file)


@schedule.command()
@request_options
@_rule
@click.option("--every-boot", is_flag=True, help="At every start of an agent's computer, instead of a rule.")
@with_options(_CLOCK)
@with_options(_RULES)
@as_json
@click.pass_obj
def add(client: Client, /, rule: str | None, every_boot: bool, as_json: bool, **options: Any) -> None:
    """Schedule a module, project or run book again and again, and print the recurring job's id.

    \b
    --misfire  what becomes of due times at which nobody was there: skip, once (the latest), all
    --overlap  what happens while the job before still runs: allow, skip, queue, cancel (it is aborted)

    \b
    Example:
      dispatcher schedule add --module Backup --team Servers --rule FREQ=DAILY --start 2026-01-01T02:00 --tz Asia/Tokyo
    """
    if (rule is None) != every_boot:
        raise click.UsageError("give one of --rule, --every-boot")
    tz, start = options.pop("tz"), options.pop("start")
    recurrence = {
        "DaylightGap": options.pop("gap"),
        "DaylightRepeat": options.pop("fold"),
        "MisfireRule": options.pop("misfire"),
        "MisfireWindowSeconds": options.pop("misfire_window"),
        "OverlapRule": options.pop("overlap"),
    }
    text = BOOT if rule is None else _rule_text(rule, tz, start)
    when = {"Immediate": False, "RecurringSchedule": text, "Recurrence": recurrence}
    answer = client.send("POST", "jobs", Request(**options).to_wire(client, when))
    click.echo(answer.text if as_json else bare(answer.value["JobID"]))


@schedule.command("list")
@as_json
@click.pass_obj
def list_schedules(client: Client, as_json: bool) -> None:
    """List the recurring jobs that have not ended, and when each is due."""
    pages: list[Answer] = []
    while not pages or len(pages) < pages[0].value["PageCount"]:
        pages.append(client.get("jobs", stage="Scheduled", recurringjobs=False, page=len(pages) + 1, pagesize=1000))
    if as_json:
        click.echo("\n".join(page.text for page in pages))
        return
    recurring = [one for page in pages for one in page.value["Items"] if one["IsRecurring"]]
    show_table(("ID", "STATUS", "NEXT", "DESCRIPTION", "RULE"), [_row(one) for one in recurring])


@schedule.command()
@job_id
@as_json
@click.pass_obj
def show(client: Client, job_id: str, as_json: bool) -> None:
    """Show the recurring job ID: when it recurs, and by which rules."""
    answer = client.get(f"jobs/{job_id}")
    if as_json:
        click.echo(answer.text)
        return
    one, when = answer.value, answer.value["When"]
    rules = when.get("Recurrence") or {}
    show_facts(
        (
            ("Job", bare(one["JobID"])),
            ("Description", one["Description"]),
            ("Status", State(one["Status"]["Type"]).text),
            ("Next", to_local(one["Status"]["StartDateTime"]) if _is_waiting(one) else ""),
            ("Rule", (when["RecurringSchedule"] or "").replace("\n", "; ")),
            ("Paused until", to_local(rules.get("PausedUntil"))),
            ("Misfire", f"{rules.get('MisfireRule')}, within {rules.get('MisfireWindowSeconds')} s"),
            ("Overlap", rules.get("OverlapRule")),
            ("Clock forward", rules.get("DaylightGap")),
            ("Clock back", rules.get("DaylightRepeat")),
        )
    )


@schedule.command()
@job_id
@click.option("--until", metavar="TIME", help="Resume by itself at this moment.  [only when resumed]")
@as_json
@click.pass_obj
def pause(client: Client, job_id: str, until: str | None, as_json: bool) -> None:
    """Skip the due times of the recurring job ID; the ledger says so of each."""
    query = f"?until={to_moment(until, '--until').astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if until else ""
    answer = client.send("PUT", f"jobs/{job_id}/pause{query}", None)
    click.echo(answer.text if as_json else "The schedule is paused.")


@schedule.command()
@job_id
@as_json
@click.pass_obj
def resume(client: Client, job_id: str, as_json: bool) -> None:
    """End the pause of the recurring job ID."""
    answer = client.send("PUT", f"jobs/{job_id}/resume", None)
    click.echo(answer.text if as_json else "The schedule is resumed.")


@schedule.command()
@job_id
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--page-size", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
@click.pass_obj
def ledger(client: Client, job_id: str, page: int, page_size: int, as_json: bool) -> None:
    """Show what became of every due time of the recurring job ID, the latest first."""
    answer = client.get(f"jobs/{job_id}/occurrences", page=page, pagesize=page_size)
    if as_json:
        click.echo(answer.text)
        return
    rows = [
        (to_local(one["DueDateTime"]), one["Outcome"], bare(one["JobID"] or ""), one["Reason"])
        for one in answer.value["Items"]
    ]
    show_table(("DUE", "OUTCOME", "JOB", "REASON"), rows)
    if answer.value["PageCount"] > 1:
        click.echo(f"Page {page} of {answer.value['PageCount']}.", err=True)


@schedule.command("preview")
@_rule
@with_options(_CLOCK)
@click.option("--window", type=click.Path(path_type=Path, dir_okay=False), help="A file with a launch window.")
@click.option("--outside-window", type=_OUTSIDE, default="wait", show_default=True)
@click.option("--after", metavar="TIME", help="Look ahead from this moment on.  [now]")
@click.option("-n", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
def preview_rule(
    rule: str | None, window: Path | None, outside_window: str, after: str | None, count: int, **clock: Any
) -> None:
    """Show when a rule will be due, with changes of the clocks and a launch window. Needs no server.

    \b
    Example:
      dispatcher schedule preview --rule 'FREQ=DAILY;BYHOUR=2;BYMINUTE=30' --tz Europe/Berlin -n 400
    """
    if rule is None:
        raise click.UsageError("give a --rule")
    since = datetime.now(UTC) if after is None else to_moment(after, "--after")
    text = _rule_text(rule, clock["tz"], clock["start"], since)
    found = RecurrenceRequest(text, Gap(clock["gap"]), Fold(clock["fold"])).read()
    if found is None:
        raise click.UsageError("--rule BOOT: only the agents know when they are started")
    forecasts = preview(found, since, count, _window(window), Rule(outside_window), found.zone)
    show_table(("LOCAL", "UTC", "WINDOW", "NOTE"), [_forecast(one, found.zone) for one in forecasts])


def _forecast(one: Forecast, zone: tzinfo) -> tuple[str, str, str, str]:
    decision = one.decision
    if decision.until is not None:
        what = f"waits until {decision.until.astimezone(zone):%a %Y-%m-%d %H:%M}"
    else:
        what = "fires" if decision.action is Action.START else f"fails: {decision.reason}"
    return f"{one.local:%a %Y-%m-%d %H:%M:%S %Z}", f"{one.due_at:%Y-%m-%d %H:%M:%SZ}", what, one.note


def _rule_text(rule: str, tz: str | None, start: str | None, since: datetime | None = None) -> str:
    """Return *rule* as whole RFC 5545 text; one that has its DTSTART already stays as it is.

    Without *start* it starts *since* then, or now.
    """
    if rule.upper() == BOOT:
        return BOOT
    if "DTSTART" in rule.upper():
        if tz or start:
            raise click.UsageError("the rule has a DTSTART: leave out --tz and --start")
        return rule.replace("\\n", "\n")
    try:
        zone = find_zone(tz or "UTC")
    except ValueError as error:
        raise click.UsageError(f"--tz {tz}: {error}") from None
    try:
        first = datetime.fromisoformat(start) if start else (since or datetime.now(UTC)).astimezone(zone)
    except ValueError:
        raise click.UsageError(f"--start {start}: must be a moment such as 2026-12-24T22:00") from None
    if start and first.tzinfo is not None:
        first = first.astimezone(zone)
    line = rule if rule.upper().startswith(("RRULE:", "RDATE")) else f"RRULE:{rule}"
    return f"DTSTART;TZID={zone.key}:{first:%Y%m%dT%H%M%S}\n{line}"


def _window(file: Path | None) -> Window | None:
    if file is None:
        return None
    try:
        return parse(" ".join(file.read_text(encoding="utf-8").split()))
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--window {file}: {error}") from error


def _row(one: Wire) -> tuple[str, str, str, str, str]:
    rule = (one["When"]["RecurringSchedule"] or "").replace("\n", "; ")
    next_due = to_local(one["Status"]["StartDateTime"]) if _is_waiting(one) else ""
    return bare(one["JobID"]), State(one["Status"]["Type"]).text, next_due, one["Description"], rule


def _is_waiting(one: Wire) -> bool:
    return State(one["Status"]["Type"]) is State.SCHEDULED and one["When"]["RecurringSchedule"] not in (BOOT, DEMAND)
