"""``dispatcher setting``: what may be changed at run time."""

from __future__ import annotations

import re

import click

from dispatcher.cli.context import Context
from dispatcher.cli.output import json_option, show_json, show_table
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.settings import Settings

_dispatcher = click.option("--dispatcher", metavar="NAME", default="", help="The value of one dispatcher, by its name.")


class _TakesNumbers(click.Command):
    """A command to which ``-1`` is a value, and no option that it does not have."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read *args*; options that are misspelt are refused as ever unless there is a negative number."""
        ctx.ignore_unknown_options = any(re.fullmatch(r"-[0-9.]+", argument) for argument in args)
        return super().parse_args(ctx, args)


@click.group()
def setting() -> None:
    """Show and change what may be changed at run time.

    A value set here wins over the configuration file. A running server sees a change at its next request.
    """


@setting.command("list")
@_dispatcher
@json_option
@click.pass_obj
def list_settings(context: Context, dispatcher: str, as_json: bool) -> None:
    """List all settings with their values, and where these come from."""
    with context.open() as opened:
        found = Settings(opened.datastore, opened.ports).list(dispatcher)
    columns = ("NAME", "VALUE", "UNIT", "FROM", "MEANING")
    show = show_json if as_json else show_table
    show(columns, ((one.name, one.value, one.kind.unit, one.origin, one.kind.description) for one in found))


@setting.command()
@click.argument("name")
@_dispatcher
@click.pass_obj
def get(context: Context, name: str, dispatcher: str) -> None:
    """Print the value of the setting NAME, and nothing else."""
    with context.open() as opened:
        click.echo(Settings(opened.datastore, opened.ports).get(name, dispatcher))


@setting.command("set", cls=_TakesNumbers)
@click.argument("name")
@click.argument("value")
@_dispatcher
@click.pass_obj
def set_setting(context: Context, name: str, value: str, dispatcher: str) -> None:
    """Give the setting NAME a VALUE.

    With --dispatcher the value GLOBAL means: as in the whole environment.

    \b
    Examples:
      dispatcher setting set webapi.site_time_zone Europe/Berlin
      dispatcher setting set webapi.state DISABLED --dispatcher branch-office
    """
    with context.open() as opened:
        changed = Settings(opened.datastore, opened.ports).set(name, value, SYSTEM, dispatcher)
    click.echo(f"{changed.name} is now {changed.value} (from {changed.origin}).")
