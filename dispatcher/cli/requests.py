"""Requests: the options by which ``job submit`` and ``schedule add`` say what is to be done on whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from dispatcher.cli.choices import Wire, fill_in, find_what, find_who, to_guid
from dispatcher.cli.client import DEFAULT_URL, Client, to_date

_F = TypeVar("_F", bound=Callable[..., Any])

#: ``--json`` for commands that talk to a server.
as_json = click.option("--json", "as_json", is_flag=True, help="Print the server's JSON as received.")


class JobId(click.ParamType[str]):
    """A job's id, with braces or without; becomes the bare one."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id without braces, in lower case."""
        guid = to_guid(str(value))
        if guid is None:
            self.fail(f"{value!r} is no job id", param, ctx)
        return str(guid)


#: The id of a job as the only argument of a command.
job_id = click.argument("job_id", metavar="ID", type=JobId())

_SERVER = (
    click.option("--url", envvar="DISPATCHER_URL", default=DEFAULT_URL, show_default=True, help="The server."),
    click.option(
        "--login", envvar="DISPATCHER_LOGIN", default="", help="The login's name; none if the server needs none."
    ),
    click.option("--password", envvar="DISPATCHER_PASSWORD", default="", hidden=True),
    click.option(
        "--ca-file",
        envvar="DISPATCHER_CA_FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Certificates to trust for https, as a PEM file.",
    ),
)
_REQUEST = (
    click.option("--module", metavar="NAME_OR_ID", help="Run this module."),
    click.option("--project", metavar="NAME_OR_ID", help="Run this project."),
    click.option("--runbook", metavar="NAME_OR_ID", help="Run this run book; it may name its agents itself."),
    click.option("--agent", "agents", metavar="NAME_OR_ID", multiple=True, help="Run on this agent; repeatable."),
    click.option("--team", "teams", metavar="NAME_OR_ID", multiple=True, help="Run on this team; repeatable."),
    click.option(
        "--parameter",
        "parameters",
        metavar="NAME=VALUE",
        multiple=True,
        help="Give a parameter a value (USER:PASSWORD for credentials); repeatable.",
    ),
    click.option(
        "--parameter-file",
        "files",
        metavar="NAME=FILE",
        multiple=True,
        help="Take a value from a file (other users can see a command line); repeatable.",
    ),
    click.option("--description", help="What lists show.  [the name of what is run]"),
    click.option("--wake", is_flag=True, help="Wake agents that are asleep, by Wake-on-LAN."),
    click.option(
        "--outside-window",
        type=click.Choice(["fail", "continue", "wait"]),
        help="What happens outside the launch window of an agent.  [as the site's settings say]",
    ),
    click.option("--timeout", metavar="SECONDS", type=click.IntRange(min=1), help="End the job after so long."),
    click.option(
        "--launch-timeout",
        metavar="SECONDS",
        type=click.IntRange(min=1),
        help="How long it waits for an agent.  [as the site's settings say]",
    ),
    click.option("--batch", metavar="N|N%", help="Let no more than so many agents work at a time."),
    click.option(
        "--stop-at",
        metavar="PERCENT",
        type=click.IntRange(1, 100),
        help="Start no further batch once so many of the agents have failed.",
    ),
    click.option("--select-one", is_flag=True, help="Let one of the agents do it, the one with the least to do."),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the options of ``request_options`` say."""

    module: str | None
    project: str | None
    runbook: str | None
    agents: Sequence[str]
    teams: Sequence[str]
    parameters: Sequence[str]
    files: Sequence[str]
    description: str | None
    wake: bool
    outside_window: str | None
    timeout: int | None
    launch_timeout: int | None
    batch: str | None
    stop_at: int | None
    select_one: bool

    def to_wire(self, client: Client, when: Wire) -> Wire:
        """Return the job to post; names are looked up at the server.

        :raises click.UsageError: if the options do not fit together.
        :raises Failed: if the server knows nothing of that name, or several.
        """
        kind, name = _one_of(module=self.module, project=self.project, runbook=self.runbook)
        if kind != "runbook" and not self.agents and not self.teams:
            raise click.UsageError("say where to run it: --agent or --team")
        values, options = _values(self.parameters, self.files), self._options()
        what = find_what(client, kind, name)
        request = {
            "Description": what["Name"] if self.description is None else self.description,
            "Parameters": fill_in(client, kind, what, values),
            "What": [what],
            "When": {**when, "UseWakeOnLAN": self.wake},
            "Who": find_who(client, self.agents, self.teams),
        }
        if self.outside_window:
            request["OutsideLaunchWindow"] = f"LaunchWindow{self.outside_window.capitalize()}Job"
        return {**request, "Options": options} if options else request

    def _options(self) -> Wire:
        batch, sign, rest = (self.batch or "").partition("%")
        if self.batch is not None and (not batch.isdecimal() or not int(batch) or rest):
            raise click.UsageError(f"--batch {self.batch}: must be a number from 1 on, or one with % behind it")
        options = {
            "BatchPercent" if sign else "BatchSize": int(batch or 0),
            "StopAtFailedPercent": self.stop_at,
            "TimeoutSeconds": self.timeout,
            "LaunchTimeoutSeconds": self.launch_timeout,
            "SelectOneAgent": self.select_one,
        }
        return {name: value for name, value in options.items() if value}


def with_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[_F], _F]:
    """Return a decorator that adds *options* to a command, in their order."""

    def add(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


#: Adds the options that say which server, and who you are there.
server_options = with_options(_SERVER)
#: Adds the options that become a ``Request``.
request_options = with_options(_REQUEST)


def to_moment(text: str, option: str) -> datetime:
    """Return the aware moment in *text* (ISO 8601; this computer's zone if it names none).

    :raises click.UsageError: if it is none; names *option*.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.UsageError(f"{option} {text}: must be a moment such as 2026-12-24T22:00") from None


def to_when(at: str | None) -> Wire:
    """Return when to start: at once, or at the moment in *at*."""
    if at is None:
        return {"Immediate": True, "IsLocalTime": False}
    return {"Immediate": False, "IsLocalTime": False, "ScheduledDateTime": to_date(to_moment(at, "--at"))}


def _one_of(**names: str | None) -> tuple[str, str]:
    chosen = [(kind, name) for kind, name in names.items() if name is not None]
    if len(chosen) != 1:
        raise click.UsageError(f"give one of {', '.join('--' + kind for kind in names)}")
    return chosen[0]


def _values(parameters: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    values = dict(_pair(text, "--parameter") for text in parameters)
    for name, path in (_pair(text, "--parameter-file") for text in files):
        try:
            values[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--parameter-file {name}: {error}") from error
    return values


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.UsageError(f"{option} {text}: must be NAME=VALUE")
    return name, value
