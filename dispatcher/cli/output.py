"""Output: tables for people and for pipes. Text from elsewhere never steers the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatcher.logs import visible

#: Wide enough that nothing is cut or wrapped when the output goes to a file or another program.
_PIPE_WIDTH = 4000


def console(*, to_stderr: bool = False) -> Console:
    """Return the console for stdout, or for what must not mix with results."""
    stream = sys.stderr if to_stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False, markup=False)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print *rows* under their *columns*; nothing is wrapped or cut when stdout is no terminal."""
    target = console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        # The first column tells rows apart and is never folded.
        table.add_column(column, no_wrap=number == 0 or not target.is_terminal, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(str(cell))) for cell in row))
    _print(target, table)


def show_json(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print *rows* as a JSON array of objects; the columns give the names, in lower case."""
    names = [column.lower() for column in columns]
    click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))


#: ``--json`` for commands that list something.
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def show_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    target = console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=not target.is_terminal, overflow="fold")
    for name, value in facts:
        if value not in (None, ""):
            table.add_row(name, Text(visible(str(value))))
    _print(target, table)


def _print(target: Console, table: Table) -> None:
    if target.is_terminal:
        target.print(table)
        return
    with target.capture() as captured:
        target.print(table)
    # The blanks that fill the last column are of no use to a program.
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def yes_no(value: bool) -> str:
    """Return *value* as tables show it."""
    return "yes" if value else "no"
