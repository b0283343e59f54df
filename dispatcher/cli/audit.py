"""``dispatcher audit``: who has changed what."""

from __future__ import annotations

import json
from datetime import datetime

import click

from dispatcher.cli.context import Context
from dispatcher.cli.output import json_option, show_json, show_table
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.audit import MAX_PAGE_SIZE, Audit, AuditEntry

_MOMENTS = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])


@click.command()
@click.option("--since", type=_MOMENTS, help="Only what was changed from then on; in local time, unless it has a zone.")
@click.option("--login", metavar="NAME", help="Only what this login has changed. 'system': who sat at a command line.")
@click.option("--object", "subject", metavar="NAME|ID", help="Only changes of what has this name, or this id.")
@click.option("--action", help="Only this action, such as agent.removed; or all of a kind, such as agent.")
@click.option("--before", type=int, metavar="NUMBER", help="Only entries before the one with this number.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_PAGE_SIZE), default=100, show_default=True, help="At most so many entries."
)
@json_option
@click.pass_obj
def audit(
    context: Context,
    since: datetime | None,
    login: str | None,
    subject: str | None,
    action: str | None,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List who has changed what, the newest first, with what it was before.

    Only what is different is told of a change. Secrets are in no entry.

    \b
    Examples:
      dispatcher audit --since 2026-03-01 --action agent.removed
      dispatcher audit --object webapi.state --json
    """
    with context.open() as opened:
        found = Audit(opened.datastore).list(
            SYSTEM,
            since=since and since.astimezone(),
            login=login,
            subject=subject,
            action=action,
            before=before,
            limit=limit,
        )
    if as_json:
        members = ("NUMBER", "AT", "LOGIN", "ADDRESS", "ACTION", "KIND", "ID", "NAME", "OLD", "NEW")
        show_json(members, (_values(one) for one in found))
    else:
        columns = ("NUMBER", "AT", "LOGIN", "ADDRESS", "ACTION", "NAME", "OLD", "NEW")
        show_table(columns, (_cells(one) for one in found))


def _values(one: AuditEntry) -> tuple[object, ...]:
    key = one.subject.id and str(one.subject.id)
    of = (one.subject.kind, key, one.subject.name)
    return one.number, one.at.isoformat(), one.login, one.address, one.action, *of, one.old, one.new


def _cells(one: AuditEntry) -> tuple[object, ...]:
    at = one.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    values = ("" if values is None else json.dumps(values, ensure_ascii=False) for values in (one.old, one.new))
    return one.number, at, one.login, one.address, one.action, one.subject.name, *values
