"""``dispatcher alert``: what somebody should look at."""

from __future__ import annotations

from datetime import datetime

import click

from dispatcher.cli.context import Context
from dispatcher.cli.output import json_option, show_json, show_table
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.alerts import MAX_PAGE_SIZE, Alert, Alerts

_MOMENTS = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])


@click.group()
def alert() -> None:
    """Show alerts: changed configurations, installations, and whatever else jobs were told to tell of."""


@alert.command("list")
@click.option("--since", type=_MOMENTS, help="Only alerts from then on; in local time, unless it has a zone.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_PAGE_SIZE), default=100, show_default=True, help="At most so many alerts."
)
@json_option
@click.pass_obj
def list_alerts(context: Context, since: datetime | None, limit: int, as_json: bool) -> None:
    """List alerts, the newest first."""
    with context.open() as opened:
        found = Alerts(opened.datastore, opened.ports).list(SYSTEM, since=since and since.astimezone(), limit=limit)
    if as_json:
        show_json(("AT", "KIND", "AGENT", "MESSAGE", "JOB"), (_values(one) for one in found))
    else:
        show_table(("AT", "KIND", "AGENT", "MESSAGE"), (_cells(one) for one in found))


def _values(one: Alert) -> tuple[object, ...]:
    return one.at.isoformat(), one.kind, one.agent, one.message, one.job_id and str(one.job_id)


def _cells(one: Alert) -> tuple[object, ...]:
    return one.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"), one.kind, one.agent, one.message
