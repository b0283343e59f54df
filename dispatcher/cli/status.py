"""``dispatcher status``: which dispatchers serve the datastore."""

from __future__ import annotations

from datetime import timedelta

import click

from dispatcher.cli.context import Context
from dispatcher.cli.output import json_option, show_json, show_table
from dispatcher.core.durations import in_words
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.dispatchers import Dispatchers, DispatcherView

_COLUMNS = ("NAME", "HOST", "PID", "VERSION", "STATE", "STARTED", "HEARTBEAT")


@click.command()
@json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """List the dispatchers that serve the datastore, the oldest first.

    A dispatcher is alive, draining (it ends what it has begun, and takes nothing new) or silent: it said nothing for
    some seconds, and is forgotten after a minute.
    """
    with context.open() as opened:
        found = Dispatchers(opened.datastore, opened.ports).list(SYSTEM)
        now = opened.ports.now()
    if as_json:
        show_json(_COLUMNS, ((*_told(one), one.started_at.isoformat(), one.heartbeat_at.isoformat()) for one in found))
        return
    rows = []
    for one in found:
        # Its clock may be a little ahead of this one.
        silent_for = max(timedelta(), now - one.heartbeat_at)
        started = one.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        rows.append((*_told(one), started, f"{in_words(timedelta(seconds=int(silent_for.total_seconds())))} ago"))
    show_table(_COLUMNS, rows)


def _told(one: DispatcherView) -> tuple[object, ...]:
    state = "silent" if not one.is_alive else "draining" if one.is_draining else "alive"
    return one.name, one.host, one.pid, one.version, state
