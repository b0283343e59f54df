"""``dispatcher migrate``: the datastore's schema."""

from __future__ import annotations

import click

from dispatcher.cli.context import Context
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.datastore import schema
from dispatcher.datastore.transactions import Datastore
from dispatcher.real_ports import new_id, now, steady
from dispatcher.services.key_checks import KeyDoesNotFit
from dispatcher.services.library import clear_texts
from dispatcher.services.secrets import Secrets, load_or_create_key


@click.command()
@click.pass_obj
def migrate(context: Context) -> None:
    """Create or upgrade the datastore's schema.

    'dispatcher serve' does the same when it starts. Repeating it changes nothing. Make a backup first.
    """
    datastore = Datastore(context.config.datastore_url)
    try:
        before, after = schema.upgrade(datastore.engine)
        _seal(context, datastore)
    finally:
        datastore.close()
    if before == after:
        click.echo(f"The schema is already {after}.")
    else:
        click.echo(f"Created schema {after}." if before is None else f"Upgraded the schema from {before} to {after}.")


def _seal(context: Context, datastore: Datastore) -> None:
    """Seal what earlier versions stored in the clear, if the key is here; else the server does it when it starts."""
    key_file = context.config.key_file
    if not key_file.exists():
        return
    try:
        clear_texts.seal_all(datastore, Ports(now, steady, new_id, NoWakeup()), Secrets(load_or_create_key(key_file)))
    except KeyDoesNotFit as error:
        click.echo(f"Warning: {key_file} does not fit: {error.message}", err=True)
