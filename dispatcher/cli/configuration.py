"""``dispatcher configuration``: versions of what was fetched from computers."""

from __future__ import annotations

import sys
from uuid import UUID

import click

from dispatcher.cli.context import Context, Opened
from dispatcher.cli.output import json_option, show_json, show_table
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.configurations import Configurations, Version, difference
from dispatcher.services.topology import Topology

_COLUMNS = ("ID", "NAME", "TAKEN", "SEEN", "SIZE", "SHA256", "JOB")


@click.group()
def configuration() -> None:
    """Show the versions of configurations that jobs have fetched from computers, such as switches."""


@configuration.command("list")
@click.argument("agent")
@click.option("--name", help="Only this configuration, such as running.")
@json_option
@click.pass_obj
def list_versions(context: Context, agent: str, name: str | None, as_json: bool) -> None:
    """List the versions of the configurations of AGENT, by name or id, the newest first."""
    with context.open() as opened:
        configurations, agent_id = _find(opened, agent)
        found = configurations.versions(agent_id, SYSTEM, name)
    if as_json:
        show_json(_COLUMNS, (_values(one) for one in found))
    else:
        show_table(_COLUMNS, (_cells(one) for one in found))


@configuration.command()
@click.argument("version", type=click.UUID)
@click.pass_obj
def show(context: Context, version: UUID) -> None:
    """Print the text of a version, given by its id, as it was fetched."""
    with context.open() as opened:
        sys.stdout.buffer.write(Configurations(opened.datastore, opened.secrets).content(version, SYSTEM))


@configuration.command()
@click.argument("agent")
@click.argument("name")
@click.pass_obj
def diff(context: Context, agent: str, name: str) -> None:
    """Show how the newest version of the configuration NAME of AGENT differs from the one before it."""
    with context.open() as opened:
        configurations, agent_id = _find(opened, agent)
        found = configurations.versions(agent_id, SYSTEM, name)[:2]
        if len(found) < 2:
            click.echo("There are no two versions of it.", err=True)
            return
        new, old = (configurations.content(one.id, SYSTEM) for one in found)
    names = (f"{name} {one.taken_at:%Y-%m-%d %H:%M:%SZ}" for one in reversed(found))
    click.echo(difference(old, new, *names), nl=False)


def _find(opened: Opened, agent: str) -> tuple[Configurations, UUID]:
    """Return what reads versions, and the id of the agent that *agent* names."""
    with opened.datastore.read() as session:
        found = Topology(opened.datastore, opened.ports).resolve_name(session, agent, "AGENT")
    return Configurations(opened.datastore, opened.secrets), found.id


def _values(one: Version) -> tuple[object, ...]:
    moments = (one.taken_at.isoformat(), one.seen_at.isoformat())
    return str(one.id), one.name, *moments, one.size, one.sha256, str(one.job_id)


def _cells(one: Version) -> tuple[object, ...]:
    moments = (moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") for moment in (one.taken_at, one.seen_at))
    return str(one.id), one.name, *moments, one.size, one.sha256[:12], str(one.job_id)
