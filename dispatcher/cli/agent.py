"""``dispatcher agent``: the agent on a managed computer."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option("--dispatcher", "dispatchers", multiple=True, required=True, metavar="URL",
              help="Where a dispatcher listens for agents; several are tried in turn.")
@click.option("--enrol-token", envvar="DISPATCHER_ENROL_TOKEN", default="", metavar="TOKEN",
              help="Needed once, to enrol: dispatcher token enrol makes one.")
@click.option("--name", default="", help="The agent's name.  [the computer's name]")
@click.option("--home", type=click.Path(path_type=Path), help="Where the agent keeps its identity and its spool.")
@click.option("--slots", default=2, show_default=True, type=click.IntRange(1, 64), help="How many runs at once.")
@click.option("--local", is_flag=True, hidden=True, help="End when standard input closes: the agent of a server.")
def agent(
    dispatchers: tuple[str, ...], enrol_token: str, name: str, home: Path | None, slots: int, local: bool
) -> None:
    """Run work for a dispatcher on this computer, until Ctrl-C.

    Only outgoing connections are made. What happens while the dispatcher is away is reported later.

    \b
    Example:
      dispatcher agent --dispatcher http://127.0.0.1:3163 --enrol-token TOKEN --name web-01
    """
