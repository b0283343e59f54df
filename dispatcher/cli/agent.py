"""``dispatcher agent``: the program on a computer that does the work."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Any, Literal

import click

from dispatcher.cli.agent_settings import read_settings
from dispatcher.core.networks import NO_NETWORK, PRIVATE
from dispatcher.directories import data_directory

_TOKEN_VARIABLE = "DISPATCHER_ENROL_TOKEN"  # noqa: S105 - a name

# Nothing of the server, not even its configuration: a managed computer may have no SQLAlchemy.


@click.command()
@click.option(
    "--dispatcher",
    "dispatchers",
    multiple=True,
    required=True,
    metavar="URL",
    help="Where a dispatcher listens for agents, such as http://127.0.0.1:3163. Several are tried in turn.",
)
@click.option(
    "--enrol-token",
    envvar=_TOKEN_VARIABLE,
    default="",
    metavar="TOKEN",
    help="Needed once, to enrol; 'dispatcher token enrol' makes one.",
)
@click.option("--enrol-token-stdin", is_flag=True, help="Read that token from the first line of standard input.")
@click.option("--enrol-only", is_flag=True, help="Enrol, and end: a service begins to work later.")
@click.option("--leave", is_flag=True, help="Have this agent's entry removed, and end: it will not come back.")
@click.option("--name", default="", help="The agent's name.  [the computer's name]")
@click.option("--id", "agent_id", type=click.UUID, help="Take over the entry with this id, which never enrolled.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where identity and unreported results are kept.  [agents/NAME in the data directory]",
)
@click.option("--slots", default=2, show_default=True, type=click.IntRange(1, 64), help="How many runs at a time.")
@click.option("--fact", "facts", multiple=True, metavar="NAME=VALUE", help="A fact for team rules; repeatable.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="Certificates to trust for https.")
@click.option(
    "--allowed-target",
    "allowed_targets",
    multiple=True,
    default=PRIVATE,
    show_default=True,
    metavar="NETWORK",
    help="A network that tasks may call; repeatable. 0.0.0.0/0 and ::/0 are everything, none is nothing.",
)
@click.option("--allow-power", is_flag=True, help="Let tasks restart this computer or switch it off.")
@click.option(
    "--cache-mib",
    default=1024,
    show_default=True,
    type=click.IntRange(0, 1 << 20),
    help="How much of what tasks download is kept, in MiB.",
)
@click.option(
    "--hold-s",
    default=2400.0,
    show_default=True,
    type=click.FloatRange(1, 31_536_000),
    help="How long work goes on while no dispatcher answers, in seconds.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged, to standard error.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="console",
    show_default=True,
    help="For people or as JSON; auto is for people at a terminal, else JSON.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, file: read_settings(context, file),
    help="A TOML file with these settings (conf/agent.toml); options of the command line win.",
)
@click.option("--pin", default="", hidden=True, help="PEM file with the only certificate to accept.")
@click.option(
    "--local",
    is_flag=True,
    hidden=True,
    help="The agent of a server: end when standard input ends; its first line is an enrolment token, or empty.",
)
def agent(
    dispatchers: tuple[str, ...],
    enrol_token: str,
    name: str,
    home: Path | None,
    facts: tuple[str, ...],
    allowed_targets: tuple[str, ...],
    cache_mib: int,
    local: bool,
    log_level: Literal["debug", "info", "warning", "error"],
    log_format: Literal["auto", "console", "json"],
    **settings: Any,
) -> None:
    """Run work for a dispatcher on this computer, until Ctrl-C.

    Only outgoing connections are made. What happens while the dispatcher is away is reported later.

    \b
    Example:
      dispatcher agent --dispatcher http://127.0.0.1:3163 --enrol-token TOKEN --name web-01
    """
    # Here, so that the other commands do not load what only the agent needs.
    from dispatcher import logs
    from dispatcher.agents import runner
    from dispatcher.real_ports import now

    # Nothing that this process starts shall find it.
    os.environ.pop(_TOKEN_VARIABLE, None)
    if settings.pop("enrol_token_stdin") or local:
        enrol_token = sys.stdin.readline().strip()
    name = name or platform.node() or "agent"
    # What is called the same there is handed on as it is.
    work = runner.enrol if settings.pop("enrol_only") else runner.run
    if settings.pop("leave"):
        from dispatcher.agents.leaving import leave as work
    whole = runner.AgentSettings(
        dispatchers=list(dispatchers),
        name=name,
        home=home or data_directory() / "agents" / _file_name(name),
        enrol_token=enrol_token,
        local=local,
        facts=dict(_fact(text) for text in facts),
        allowed_targets=[network for network in allowed_targets if network != NO_NETWORK],
        cache_bytes=cache_mib << 20,
        **settings,
    )
    logs.configure(log_level, log_format)
    sys.exit(work(whole, now))


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--fact")
    return name, value


def _file_name(name: str) -> str:
    """Return *name* as a folder may be called on every platform."""
    return re.sub(r"[^\w.-]", "_", name)
