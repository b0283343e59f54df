"""``dispatcher agent``: the program on a computer that does the work."""

from __future__ import annotations

import logging
import os
import platform
import re
import sys
from pathlib import Path
from uuid import UUID

import click

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
@click.option("--pin", default="", hidden=True, help="SHA-256 of the only certificate to accept.")
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
    agent_id: UUID | None,
    home: Path | None,
    slots: int,
    facts: tuple[str, ...],
    ca_file: str | None,
    pin: str,
    local: bool,
) -> None:
    """Run work for a dispatcher on this computer, until Ctrl-C.

    Only outgoing connections are made. What happens while the dispatcher is away is reported later.

    \b
    Example:
      dispatcher agent --dispatcher http://127.0.0.1:3163 --enrol-token TOKEN --name web-01
    """
    # Here, so that the other commands do not load what only the agent needs.
    from dispatcher.agents.runner import AgentSettings, run
    from dispatcher.real_ports import now

    # Nothing that this process starts shall find it.
    os.environ.pop(_TOKEN_VARIABLE, None)
    if local:
        enrol_token = sys.stdin.readline().strip()
    name = name or platform.node() or "agent"
    settings = AgentSettings(
        dispatchers=list(dispatchers),
        name=name,
        home=home or data_directory() / "agents" / _file_name(name),
        enrol_token=enrol_token,
        agent_id=agent_id,
        slots=slots,
        local=local,
        facts=dict(_fact(text) for text in facts),
        ca_file=ca_file,
        pin=pin,
    )
    logging.getLogger().setLevel(logging.INFO)
    sys.exit(run(settings, now))


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--fact")
    return name, value


def _file_name(name: str) -> str:
    """Return *name* as a folder may be called on every platform."""
    return re.sub(r"[^\w.-]", "_", name)
