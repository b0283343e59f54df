"""Library children: the ordered rows that belong to an object (parameters, tasks, modules, steps)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, select
from sqlalchemy.orm import Session

from dispatcher.core.ports import NewId
from dispatcher.datastore.base import Base

Row = dict[str, Any]


def read(session: Session, model: type[Base], owner: Mapping[str, Any]) -> list[Row]:
    """Return the rows of *owner* (column names and values) in order."""
    table: Any = model.__table__
    found = session.execute(select(table).where(_belongs(table, owner)).order_by(table.c.position))
    return [dict(row) for row in found.mappings()]


def replace(
    session: Session, model: type[Base], owner: Mapping[str, Any], wanted: Sequence[Row], key: str, new_id: NewId
) -> bool:
    """Make *wanted* the rows of *owner*, in this order; return whether that changed anything.

    A row whose column *key* equals that of a stored one, without regard to case, keeps its id and number; one that
    brings an id keeps that.
    """
    stored = read(session, model, owner)
    rows = _identified(wanted, stored, key, new_id)
    rows = [{**row, **owner, "position": position} for position, row in enumerate(rows)]
    if rows == stored:
        return False
    table: Any = model.__table__
    # Positions are unique: rows cannot be moved one by one.
    session.execute(delete(table).where(_belongs(table, owner)))
    # Those that have a number come first: a database could give it to a new one.
    for row in sorted(rows, key=lambda row: "number" not in row):
        session.execute(insert(table).values(row))
    return True


def predecessors(wanted: Sequence[Row], stored: Sequence[Row], key: str) -> list[Row | None]:
    """Return for each of *wanted* the one of *stored* that it takes the place of, by column *key* (see ``replace``)."""
    known = dict(zip(_numbered(stored, key), stored, strict=True))
    return [known.get(name) for name in _numbered(wanted, key)]


def are_certain(
    wanted: Sequence[Row], stored: Sequence[Row], key: str, is_alike: Callable[[Row, Row], bool]
) -> list[bool]:
    """Return for each of *wanted* whether it is sure what it takes the place of, and not only likely.

    That is so if it alone has its name, and before, too; else if those of the name are alike, one by one.
    """
    news, olds = _grouped(wanted, key), _grouped(stored, key)
    certain = {
        name: len(rows) == len(olds[name]) and (len(rows) == 1 or all(map(is_alike, rows, olds[name])))
        for name, rows in news.items()
    }
    return [certain[name] for name, _ in _numbered(wanted, key)]


def _grouped(rows: Sequence[Row], key: str) -> defaultdict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row, (name, _) in zip(rows, _numbered(rows, key), strict=True):
        groups[name].append(row)
    return groups


def _identified(wanted: Sequence[Row], stored: Sequence[Row], key: str, new_id: NewId) -> list[Row]:
    """Return *wanted* with ids: the n-th row of a name is the stored n-th row of that name."""
    rows = []
    for row, before in zip(wanted, predecessors(wanted, stored, key), strict=True):
        identity = {"id": new_id()} if before is None else _identity(before)
        rows.append({**identity, **row})
    return rows


def _identity(row: Row) -> Row:
    return {column: row[column] for column in ("id", "number") if column in row}


def _numbered(rows: Sequence[Row], key: str) -> list[tuple[str, int]]:
    seen: Counter[str] = Counter()
    numbered = []
    for row in rows:
        name = str(row[key]).casefold()
        numbered.append((name, seen[name]))
        seen[name] += 1
    return numbered


def _belongs(table: Any, owner: Mapping[str, Any]) -> ColumnElement[bool]:
    return and_(*(table.c[column] == value for column, value in owner.items()))
