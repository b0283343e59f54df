"""``dispatcher backup``: a copy of the datastore."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.cli.context import Context
from dispatcher.datastore.backup import back_up


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def backup(context: Context, file: Path) -> None:
    """Copy a SQLite datastore to FILE, also while a server runs.

    The key file is not in it: without that key, passwords in parameters cannot be read again. Keep a copy of it
    somewhere else. For PostgreSQL and MariaDB use pg_dump and mariadb-dump.
    """
    size = back_up(context.config.datastore_url, file)
    click.echo(f"Wrote {file}, {size:,} bytes.")
    click.echo(f"Not in it: the key for passwords, {context.config.key_file}. Keep a copy of that apart from this one.")
