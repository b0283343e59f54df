"""``dispatcher restore``: a copy of the datastore becomes the datastore again."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.cli.context import Context
from dispatcher.datastore.backup import restore as put_back


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def restore(context: Context, file: Path) -> None:
    """Put FILE, made by 'dispatcher backup', in the place of the SQLite datastore.

    FILE is checked first. Nothing happens while a server has the datastore open. What was there is kept beside it.
    The key file must be the one that belonged to the datastore when FILE was made.
    """
    kept = put_back(context.config.datastore_url, file)
    click.echo(f"Restored {context.config.datastore_url.database}.")
    if kept is not None:
        click.echo(f"What was there is kept as {kept}.")
    if not context.config.key_file.exists():
        click.echo(f"Put the key file back as well: {context.config.key_file} is not there.")
