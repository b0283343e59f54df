"""Sheet columns: what is wrong with the columns of a sheet themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from dispatcher.services.exastro_ita.menu_entries import MenuEntry, SheetColumnEntry
from dispatcher.services.exastro_ita.patterns import compile_pattern
from dispatcher.services.exastro_ita.sent_values import Unfit, read
from dispatcher.services.exastro_ita.sheets import KINDS, RESERVED, to_column
from dispatcher.services.library.items import Item

_TEXTS = ("text", "lines", "password", "link")
_NUMBERS = ("integer", "number")
#: Of each member, the kinds of columns that may have it.
_MEMBERS = {
    "max_bytes": _TEXTS,
    "pattern": _TEXTS,
    "min": _NUMBERS,
    "max": _NUMBERS,
    "choices": ("choice",),
    "unique": tuple(kind for kind in KINDS if kind not in ("password", "file")),
    "initial": tuple(kind for kind in KINDS if kind not in ("password", "file")),
}


def check(item: Item[MenuEntry]) -> None:
    """Note all that is wrong with the columns of the entry."""
    seen: set[str] = set()
    for place, column in enumerate(item.entry.columns):
        if column.name in RESERVED:
            item.problem("every sheet has a column of this name", "columns", place, "name")
        elif column.name in seen:
            item.problem("is given twice", "columns", place, "name")
        seen.add(column.name)
        for member, text in _problems(column):
            item.problem(text, "columns", place, member)


def _problems(column: SheetColumnEntry) -> Iterator[tuple[str, str]]:
    """Give the members of *column* that are wrong, and why."""
    wrong = [member for member, kinds in _MEMBERS.items() if getattr(column, member) and column.kind not in kinds]
    wrong += [one for one in ("min", "max") if getattr(column, one) == 0 and column.kind not in _NUMBERS]
    yield from ((member, f"a column of kind {column.kind} has no such member") for member in wrong)
    if wrong:
        return
    if column.kind == "choice" and not column.choices:
        yield "choices", "is missing"
    if isinstance(column.choices, list) and len(set(column.choices)) < len(column.choices):
        yield "choices", "a choice is given twice"
    if column.kind == "integer":
        limits = [(one, getattr(column, one)) for one in ("min", "max")]
        yield from ((one, "is a whole number") for one, limit in limits if limit is not None and limit % 1)
    if column.min is not None and column.max is not None and column.min > column.max:
        yield "max", "is less than min"
    if column.pattern:
        try:
            compile_pattern(column.pattern)
        except ValueError as error:
            yield "pattern", str(error)
            return
    yield from _initial_problems(column)


def _initial_problems(column: SheetColumnEntry) -> Iterator[tuple[str, str]]:
    if isinstance(column.choices, list) and column.initial and column.initial not in column.choices:
        yield "initial", "is none of the choices"
    if column.initial and column.kind != "choice":
        try:
            read(to_column("", column.model_dump(mode="json", exclude_defaults=True)), column.initial, UTC)
        except Unfit:
            yield "initial", "is no value that the column takes"
