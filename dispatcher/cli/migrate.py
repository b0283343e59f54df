"""``dispatcher migrate``: the datastore's schema."""

from __future__ import annotations

import click

from dispatcher.cli.context import Context
from dispatcher.datastore import schema
from dispatcher.datastore.transactions import Datastore


@click.command()
@click.pass_obj
def migrate(context: Context) -> None:
    """Create or upgrade the datastore's schema.

    'dispatcher serve' does the same when it starts. Repeating it changes nothing. Make a backup first.
    """
    datastore = Datastore(context.config.datastore_url)
    try:
        before, after = schema.upgrade(datastore.engine)
    finally:
        datastore.close()
    if before == after:
        click.echo(f"The schema is already {after}.")
    else:
        click.echo(f"Created schema {after}." if before is None else f"Upgraded the schema from {before} to {after}.")
