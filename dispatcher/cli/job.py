"""``dispatcher job``: jobs on a running server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from dispatcher.cli import job_result
from dispatcher.cli.choices import Wire, bare
from dispatcher.cli.client import Answer, Client, to_local
from dispatcher.cli.exits import JOB_FAILED, USAGE, Failed
from dispatcher.cli.output import console, show_facts, show_table
from dispatcher.cli.requests import Request, as_json, job_id, request_options, server_options, to_when
from dispatcher.core.jobs import Stage
from dispatcher.core.states import FINISHED, State

#: Pauses between two looks at a job, in seconds: the first, and the longest.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
#: The status by which a job is aborted (contract section 2.4).
_ABORTING = 2


@click.group()
@server_options
@click.pass_context
def job(context: click.Context, url: str, login: str, password: str, ca_file: str | None) -> None:
    """Schedule jobs on a running server, watch them, read their results.

    The environment variables DISPATCHER_URL, DISPATCHER_LOGIN and DISPATCHER_PASSWORD say which server, and who
    you are there.

    Exit codes: 0 done, 1 the job failed, 2 wrong usage, 3 unreachable, 4 refused.
    """
    context.obj = Client(url, login, password, ca_file)


@job.command()
@request_options
@click.option("--at", metavar="TIME", help="Start at this moment (ISO 8601; this computer's zone if it names none).")
@click.option("--next-boot", is_flag=True, help="Start on each agent when its computer is started the next time.")
@click.option(
    "--key", help="What you call this request: sent again under the same name within a day, it does nothing twice."
)
@click.option("--wait", is_flag=True, help="Wait for the end; exit with 1 unless the job completed.")
@as_json
@click.pass_obj
def submit(
    client: Client, /, at: str | None, next_boot: bool, key: str | None, wait: bool, as_json: bool, **request: Any
) -> None:
    """Schedule a module, project or run book, and print the new job's id.

    \b
    Examples:
      dispatcher job submit --module 'Say hello' --agent pc-042 --wait
      dispatcher job submit --project 'Prepare a computer' --team Pilot --parameter Line=hello
      dispatcher job submit --runbook 'Patch ring' --at 2026-12-24T22:00
    """
    when = {**to_when(at), "NextBoot": True} if next_boot else to_when(at)
    body = Request(**request).to_wire(client, when)
    _report(client, client.send("POST", "jobs", body, key=key), wait, as_json)


@job.command("list")
@click.option("--stage", type=click.Choice([stage.name.lower() for stage in Stage]), default="all", show_default=True)
@click.option("--runbook-jobs", is_flag=True, help="Show the jobs that run books started, too.")
@click.option("--recurring-jobs", is_flag=True, help="Show the jobs that recurring schedules started, too.")
@click.option("--page", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--page-size", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
@click.pass_obj
def list_jobs(
    client: Client, stage: str, runbook_jobs: bool, recurring_jobs: bool, page: int, page_size: int, as_json: bool
) -> None:
    """List jobs, the latest first."""
    answer = client.get(
        "jobs",
        stage=stage.capitalize(),
        runbookjobs=runbook_jobs,
        recurringjobs=recurring_jobs,
        page=page,
        pagesize=page_size,
    )
    if as_json:
        click.echo(answer.text)
        return
    rows = [
        (
            bare(one["JobID"]),
            _state(one).text,
            to_local(one["Status"]["StartDateTime"]),
            one["Description"],
            _names(one["What"]),
            _names(one["Who"]),
        )
        for one in answer.value["Items"]
    ]
    show_table(("ID", "STATUS", "STARTED", "DESCRIPTION", "WHAT", "WHO"), rows)
    if answer.value["PageCount"] > 1:
        click.echo(f"Page {page} of {answer.value['PageCount']}.", err=True)


@job.command()
@job_id
@as_json
@click.pass_obj
def show(client: Client, job_id: str, as_json: bool) -> None:
    """Show the job ID: what runs where since when, and with which parameters."""
    answer = client.get(f"jobs/{job_id}")
    if as_json:
        click.echo(answer.text)
    else:
        _show(answer.value)


@job.command()
@job_id
@as_json
@click.pass_obj
def abort(client: Client, job_id: str, as_json: bool) -> None:
    """Abort the job ID: no further task starts, and what runs is killed."""
    answer = client.send("PUT", f"jobs/{job_id}", {"Type": _ABORTING})
    click.echo(answer.text if as_json else f"The job is now: {_state(answer.value).text}.")


@job.command()
@job_id
@as_json
@click.pass_obj
def approve(client: Client, job_id: str, as_json: bool) -> None:
    """Let the job ID begin, which waits for an approval; of a recurring one, all of its jobs that wait."""
    answer = client.send("PUT", f"jobs/{job_id}/approve", None)
    click.echo(answer.text if as_json else "The job is approved.")


@job.command()
@job_id
@click.option("--failed", is_flag=True, help="Only on the agents on which it did not complete.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit with 1 unless the job completed.")
@as_json
@click.pass_obj
def rerun(client: Client, job_id: str, failed: bool, wait: bool, as_json: bool) -> None:
    """Do the job ID again, as another job of the same versions and parameters, and print its id."""
    answer = client.send("POST", f"jobs/{job_id}/rerun?failedonly={str(failed).lower()}", None)
    _report(client, answer, wait, as_json)


@job.command()
@job_id
@as_json
@click.pass_obj
def wait(client: Client, job_id: str, as_json: bool) -> None:
    """Wait until the job ID has ended; exit with 1 unless it completed."""
    answer = _watch(client, job_id)
    if as_json:
        click.echo(answer.text)
    _check_end(answer)


@job.command()
@job_id
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Save the result document there.")
@click.option("--detailed", is_flag=True, help="With every task and what it wrote.")
@as_json
@click.pass_obj
def result(client: Client, job_id: str, output: Path | None, detailed: bool, as_json: bool) -> None:
    """Show the results of the job ID; while it runs, as far as they are known.

    \b
    Examples:
      dispatcher job result ID --detailed
      dispatcher job result ID --detailed --output result.xml
    """
    answer = client.get(f"jobs/{job_id}/results", overview=True, detailed=detailed)
    if as_json:
        click.echo(answer.text)
        return
    document = job_result.decode(answer.value)
    if output is None:
        job_result.show(job_result.parse(document))
        return
    try:
        output.write_bytes(document)
    except OSError as error:
        raise Failed(f"{output}: {error.strerror}", USAGE) from error
    click.echo(f"Wrote {len(document)} bytes to {output}.")


def _report(client: Client, answer: Answer, wait: bool, as_json: bool) -> None:
    """Print what was scheduled; with *wait* follow it to its end, and end as it does."""
    job_id = bare(answer.value["JobID"])
    if not as_json:
        click.echo(job_id)
    if wait:
        answer = _watch(client, job_id)
    if as_json:
        click.echo(answer.text)
    if wait:
        _check_end(answer)


def _watch(client: Client, job_id: str) -> Answer:
    """Return the job once it has ended; meanwhile show at a terminal how many of its agents are done."""
    target = console(to_stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[agents]}"), TimeElapsedColumn())
    pause = FIRST_PAUSE_S
    with Progress(*columns, console=target, disable=not target.is_terminal, transient=True) as bar:
        shown = bar.add_task("", total=None, agents="")
        while True:
            answer = client.get(f"jobs/{job_id}")
            state = _state(answer.value)
            if state in FINISHED:
                break
            if target.is_terminal:
                results = client.get(f"jobs/{job_id}/results", overview=True, detailed=False)
                done, total = job_result.progress(job_result.parse(job_result.decode(results.value)))
                bar.update(
                    shown, description=state.text, completed=done, total=total or None, agents=f"{done}/{total} agents"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)
    return answer


def _check_end(answer: Answer) -> None:
    state = _state(answer.value)
    if state is not State.COMPLETED:
        raise Failed(f"the job ended: {state.text}", JOB_FAILED)


def _show(one: Wire) -> None:
    status = one["Status"]
    show_facts(
        (
            ("Job", bare(one["JobID"])),
            ("Description", one["Description"]),
            ("Status", _state(one).text),
            ("Started", to_local(status["StartDateTime"])),
            ("Stopped", to_local(status.get("StopDateTime"))),
            ("What", _names(one["What"])),
            ("Who", _names(one["Who"])),
            ("By", status.get("JobInvokerInfo")),
            ("Reason", one.get("Reason")),
            ("Recurs", (one["When"].get("RecurringSchedule") or "").replace("\n", "; ") if one.get("When") else ""),
            ("Occurred of", bare(one.get("RecurringJobID") or "")),
        )
    )
    for column, member in (("PARAMETER", "Parameters"), ("OUTPUT", "OutputParameters")):
        rows = [
            (container["TaskContainerName"], parameter["Name"], parameter["Value1"])
            for container in one.get(member) or ()
            for parameter in container["JobParameters"]
        ]
        if rows:
            click.echo()
            show_table(("OF", column, "VALUE"), rows)


def _state(one: Wire) -> State:
    return State(one["Status"]["Type"])


def _names(items: Sequence[Wire] | None) -> str:
    return ", ".join(item["Name"] or bare(item["ID"]) for item in items or ())
