"""``dispatcher token``: tokens by which agents enrol."""

from __future__ import annotations

import click

from dispatcher.cli.context import Context
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.tokens import MAX_HOURS, Tokens


@click.group()
def token() -> None:
    """Make tokens by which agents enrol."""


@token.command()
@click.option("--once", is_flag=True, help="Let only one agent enrol with it.")
@click.option("--hours", type=click.IntRange(1, MAX_HOURS), default=24, show_default=True, help="How long it is valid.")
@click.option("--team", default="", metavar="TEAM", help="Id or name: let agents enrol as members of this team.")
@click.pass_obj
def enrol(context: Context, once: bool, hours: int, team: str) -> None:
    """Print a new token for 'dispatcher agent --enrol-token'. It is shown only now.

    By a token of a team an agent takes over the entry of its name that is in the team, whoever else is called so, or
    becomes a new member of it.

    \b
    Example:
      TOKEN=$(dispatcher token enrol --once)
      ssh pc-042 dispatcher agent --dispatcher https://jobs.example.com:3163 --enrol-token "$TOKEN"
    """
    with context.open() as opened:
        text = Tokens(opened.datastore, opened.ports).create_enrol_token(SYSTEM, once=once, hours=hours, team=team)
    click.echo(text)
