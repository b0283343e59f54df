"""``dispatcher library``: modules, projects, run books, agents and teams from and to files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO

import click

from dispatcher.cli.context import Context
from dispatcher.cli.exits import USAGE
from dispatcher.cli.output import show_table
from dispatcher.services.library import exporting, importing
from dispatcher.services.library.importing import ImportReport
from dispatcher.services.library.items import Outcome
from dispatcher.services.library.problems import LibraryErrors

_FILE = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)


@click.group()
def library() -> None:
    """Import and export modules, projects, run books, agents and teams.

    Works on the datastore itself, also while a server runs: it sees the change at its next request.

    \b
    Examples:
      dispatcher library import modules.yaml teams.yaml
      dispatcher library export library.yaml
    """


@library.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print what became of every entry as JSON.")
@click.option("--new-key", is_flag=True, help="Begin with another key file: passwords not in FILE are lost.")
@click.pass_obj
def import_(context: Context, files: Sequence[str], as_json: bool, new_key: bool) -> None:
    """Import library files, all of them or none; - is standard input.

    Importing the same files again changes nothing. Whatever is wrong with them is listed, a line each, as
    FILE:LINE: PATH: TEXT.
    """
    contents = {name: _read(name) for name in files}
    with context.open() as opened:
        try:
            report = importing.import_texts(opened.datastore, opened.ports, opened.secrets, contents, new_key=new_key)
        except LibraryErrors as error:
            click.echo(error.message, err=True)
            raise click.exceptions.Exit(USAGE) from error
    if as_json:
        click.echo(_to_json(report))
    else:
        _show(report)


@library.command()
@click.argument("file", default="-", type=click.File("w", encoding="utf-8", atomic=True))
@click.pass_obj
def export(context: Context, file: IO[str]) -> None:
    """Export everything to FILE, or to standard output. Secrets are left out."""
    with context.open() as opened:
        text = exporting.export(opened.datastore)
    file.write(text)


def _read(name: str) -> bytes:
    with click.open_file(name, "rb") as file:
        content: bytes = file.read()
    return content


def _to_json(report: ImportReport) -> str:
    entries = [
        {"section": entry.section, "name": entry.name, "id": str(entry.id), "outcome": entry.outcome.value}
        for entry in report.entries
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False)


def _show(report: ImportReport) -> None:
    changed = [entry for entry in report.entries if entry.outcome is not Outcome.UNCHANGED]
    if changed:
        columns = ("ID", "SECTION", "NAME", "OUTCOME")
        show_table(columns, ((entry.id, entry.section, entry.name, entry.outcome.value) for entry in changed))
    counts = (f"{report.count(outcome)} {outcome.value}" for outcome in Outcome)
    click.echo(", ".join(counts))
