#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = ["psutil", "rich", "zeep"]
# ///
"""A SOAP client: schedules two demo modules on an agent, follows the job, and shows what came of it.

All it knows is the address of the service; the rest is read from the WSDL. It needs a server with the sample library
and an agent, which is what ``dispatcher serve --demo`` is.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psutil
from lxml import etree
from requests import Session
from requests.auth import HTTPBasicAuth
from requests.exceptions import ConnectionError as NoConnection
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from zeep import Client
from zeep.exceptions import Fault, TransportError
from zeep.transports import Transport

T = TypeVar("T")

#: What is scheduled: modules of the sample library, and the values of their parameters.
MODULES = {"Say hello": {"Name": getpass.getuser()}, "Wait and count": {"Seconds": "3"}}
#: The states (JobStatusType) of a job that is still on its way.
UNFINISHED = ("Disabled", "Scheduled", "Active", "Aborting", "Pending")
#: How long to wait for the server, then for an agent, then for the job, in seconds.
SERVER_S, AGENT_S, JOB_S = 30, 30, 120

console = Console()


class Failure(Exception):
    """The tour cannot go on; the text says why."""


def main() -> int:
    """Run the tour and return the exit code: 0 if the job completed."""
    options = _options()
    server = _process(options.server_pid)
    try:
        client = _wait_for(lambda: _connect(options), SERVER_S, f"no answer from {options.url}", server)
        who = _wait_for(lambda: _an_agent(client), AGENT_S, "no agent came online", server)
        job = _schedule(client, who)
        state = _follow(client, job, server)
        _show(client, job, state)
        _invite(options.url, job, who)
    except Failure as failure:
        console.print(f"[bold red]{escape(str(failure))}")
        return 1
    except TransportError as error:
        hint = ": set DISPATCHER_LOGIN and DISPATCHER_PASSWORD" if error.status_code == 401 else ""
        console.print(f"[bold red]The server refuses with {error.status_code}{hint}")
        return 1
    except Fault as fault:
        console.print(f"[bold red]The server says: {escape(fault.message)}")
        return 1
    return 0 if state == "Completed" else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Schedules demo modules by SOAP and shows their result.")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the server is  [%(default)s]")
    environ = os.environ.get
    parser.add_argument("--login", default=environ("DISPATCHER_LOGIN"), help="name of a login, if the server has any")
    parser.add_argument("--password", default=environ("DISPATCHER_PASSWORD"), help="its password")
    parser.add_argument("--server-pid", type=int, help="give up when this process has ended")
    options = parser.parse_args()
    options.url = f"{options.url.rstrip('/')}/Dispatcher/SchedulingService"
    return options


def _connect(options: argparse.Namespace) -> Client | None:
    """Return a client made from the live WSDL, None as long as nobody listens."""
    session = Session()
    session.trust_env = False  # a proxy has no business between this client and a server on the same computer
    if options.login:
        session.auth = HTTPBasicAuth(options.login.encode(), (options.password or "").encode())
    try:
        return Client(f"{options.url}?singleWsdl", transport=Transport(session=session, operation_timeout=30))
    except NoConnection:
        return None


def _an_agent(client: Client) -> Any:
    """Return an agent that is online (a JobWho), None if there is none."""
    agents = client.service.GetWho(agents=True, teams=False, online=True, licensed=True, search="")
    return agents[0] if agents else None


def _schedule(client: Client, who: Any) -> Any:
    """Schedule the modules, one after the other in one job, and return the job."""
    known = {module.Name: module for module in client.service.GetModules() or []}
    if missing := MODULES.keys() - known.keys():
        raise Failure(f"the sample library is not there ({', '.join(sorted(missing))}): serve it with --demo")
    containers = []
    for name, values in MODULES.items():
        # What the service says the module takes is sent back with our values in place.
        container = client.service.GetInputParameters(whatType="Module", whatId=known[name].ID)
        for parameter in container.JobParameters.JobParameter:
            parameter.Value1 = values.get(parameter.Name, parameter.Value1)
        containers.append(container)
    job = client.service.ScheduleJob(
        job={
            "Description": "My first job",
            "What": {"JobWhat": [known[name] for name in MODULES]},
            "Who": {"JobWho": [who]},
            "When": {"Immediate": True},
            "Parameters": {"ParameterContainer": containers},
        }
    )
    console.print(f"Scheduled [bold]{escape(job.Description)}[/] on [bold]{escape(who.Name)}[/]: job {job.JobID}")
    return job


def _follow(client: Client, job: Any, server: psutil.Process | None) -> str:
    """Show a progress bar until the job has finished; return the state in which it has."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("Scheduled", total=None)

        def finished() -> str | None:
            state = client.service.GetJob(jobId=job.JobID).Status.Type
            tasks = _tasks(_results(client, job))
            done = sum(task.status not in UNFINISHED for task in tasks)
            progress.update(bar, description=state, total=len(tasks) or None, completed=done)
            return None if state in UNFINISHED else str(state)

        return _wait_for(finished, JOB_S, "the job takes too long", server)


def _results(client: Client, job: Any) -> etree._Element:
    """Return the result document of the job, also while it runs.

    It travels as base64, which zeep has undone already: what is left is UTF-16LE without a byte order mark.
    """
    document = client.service.ExportJobResults(jobId=job.JobID, includeOverview=True, includeDetailed=True)
    text = document.decode("utf-16-le")
    # A text that is decoded must not declare an encoding any more.
    return etree.fromstring(text.partition("?>")[2])


class _Task:
    """One task of the result document, on one agent."""

    def __init__(self, task: etree._Element, agent: etree._Element) -> None:
        self.name = f"{task.findtext('module/name')}: {task.findtext('description')}"
        self.agent = agent.get("name", "")
        self.status = agent.findtext("result/status", "")
        self.exit_code = agent.findtext("result/exitcode", "")
        self.output = agent.findtext("result/log", "")


def _tasks(document: etree._Element) -> list[_Task]:
    return [_Task(task, agent) for task in document.iter("task") for agent in task.iterfind("results/agent")]


def _show(client: Client, job: Any, state: str) -> None:
    table = Table("Task", "Agent", "Status", "Exit code", "Output", title=f"{job.Description}: {state}")
    for task in _tasks(_results(client, job)):
        table.add_row(*map(escape, (task.name, task.agent, task.status, task.exit_code, task.output.rstrip())))
    console.print(table)


def _invite(url: str, job: Any, who: Any) -> None:
    """Print what to try next."""
    job_id = job.JobID.strip("{}")
    lines = [
        f"Help page   {url}/help",
        f"WSDL        {url}?wsdl",
        f"XML         curl {url}/jobs/{job_id}",
        f"JSON        curl -H 'Accept: application/json' '{url}/jobs?pagesize=5'",
        "",
        "Schedule a module, in JSON:",
        f"curl -H 'Content-Type: application/json' {url}/jobs -d '" + _json_request(job, who) + "'",
    ]
    console.rule("Try these")
    for line in lines:
        # As it is, even if it is long: a command is there to be copied.
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _json_request(job: Any, who: Any) -> str:
    what = f'[{{"ID": "{job.What.JobWhat[0].ID}", "Type": 0}}]'
    return f'{{"What": {what}, "Who": [{{"ID": "{who.ID}", "Type": 0}}], "When": {{"Immediate": true}}}}'


def _wait_for(attempt: Callable[[], T | None], seconds: float, otherwise: str, server: psutil.Process | None) -> T:
    """Return what *attempt* returns as soon as it is something.

    :raises Failure: after so many *seconds*, or when the server has ended.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server is not None and not _runs(server):
            raise Failure("the server has ended; what it said last stands above")
        result = attempt()
        if result is not None:
            return result
        time.sleep(0.2)
    raise Failure(f"{otherwise} within {seconds:.0f} seconds")


def _process(pid: int | None) -> psutil.Process | None:
    if pid is None:
        return None
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        raise SystemExit(f"the server (process {pid}) has ended; what it said last stands above") from None


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
