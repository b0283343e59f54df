"""``dispatcher setting``: what may be changed at run time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from dispatcher.certificates import read_certificates, read_key
from dispatcher.cli.context import Context
from dispatcher.cli.output import json_option, show_json, show_table
from dispatcher.config import Config
from dispatcher.core.errors import InvalidValue
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.dispatchers import Dispatchers
from dispatcher.services.security import Security
from dispatcher.services.setting_kinds import REGISTRY
from dispatcher.services.settings import GLOBAL, Settings

#: The settings that name files, and how these are checked.
_FILES: Mapping[str, Callable[[Path], object]] = {
    "webapi.tls_certificate": read_certificates,
    "webapi.tls_key": read_key,
}
#: Those that say where a dispatcher listens, and how.
_PORTS = {"webapi.resource_port", "webapi.scheduling_port"}
_LISTENERS = {*_PORTS, "webapi.tls", *_FILES}

_dispatcher = click.option("--dispatcher", metavar="NAME", default="", help="The value of one dispatcher, by its name.")


class _TakesNumbers(click.Command):
    """A command to which ``-1`` is a value, and no option that it does not have."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read *args*; options that are misspelt are refused as ever unless there is a negative number."""
        # What is wrong with an argument is told with it: not with a private key.
        if any(argument.startswith("-----") or "-----BEGIN " in argument for argument in args):
            raise click.UsageError("give a file's whole path, such as /etc/dispatcher/cert.pem, not its content", ctx)
        ctx.ignore_unknown_options = any(re.fullmatch(r"-[0-9.]+", argument) for argument in args)
        return super().parse_args(ctx, args)


@click.group()
def setting() -> None:
    """Show and change what may be changed at run time.

    A value set here wins over the configuration file. A running server sees a change at its next request; ports and
    certificates, a few seconds later.
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
      dispatcher setting set webapi.tls_certificate /etc/dispatcher/cert.pem
    """
    if name in _LISTENERS and not (dispatcher and value.strip().upper() == GLOBAL):
        _check(context.config, name, str(REGISTRY[name].parse(name, value)), dispatcher)
    with context.open() as opened:
        changed = Settings(opened.datastore, opened.ports).set(name, value, SYSTEM, dispatcher)
        running = {one.name for one in Dispatchers(opened.datastore, opened.ports).list(SYSTEM)}
        holding = Settings(opened.datastore, opened.ports, dispatcher).current()
        has_logins = Security(opened.datastore, opened.ports).has_logins()
    click.echo(f"{changed.name} is now {changed.value} (from {changed.origin}).")
    if dispatcher not in {"", *running} and changed.origin == "dispatcher":
        others = f" (there are {', '.join(sorted(running))})" if running else ""
        click.echo(f"No dispatcher {dispatcher} is running{others}: the value is kept for it.", err=True)
    if name in _LISTENERS:
        from dispatcher.places import hindrance  # it needs the whole server

        if reason := hindrance(context.config, holding, lambda: has_logins):
            click.echo(f"As it is, a dispatcher that is configured as here would not start: {reason}", err=True)


def _check(config: Config, name: str, value: str, dispatcher: str) -> None:
    """Check what is to be set of the listeners, as far as it shows here.

    :raises BadCertificate: if a certificate or key is bad.
    :raises InvalidValue: if a port is the one that agents connect to.
    """
    is_known = dispatcher in ("", config.name)
    if name in _PORTS and is_known and 0 < int(value) == config.agents.listen.port:
        raise InvalidValue(name, f"{value} is the port that agents connect to")
    if name not in _FILES or not value:
        return
    if os.access(value, os.R_OK):
        _FILES[name](Path(value))
    else:
        click.echo(f"{value} cannot be read here: the dispatcher that uses it checks it.", err=True)
