"""Places: the operation and the host, or group of hosts, that a record of a sheet is for; no two live ones share them.

The vendor's sheets take one record for each (``UNIQUE_CONSTRAINT`` of its ``ita_by_menu_create``); of those without
hosts one for each operation. What is taken the records themselves tell, so that those count that were there before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, select

from dispatcher.datastore.exastro_ita import ITA_RECORDS
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.rows import HOST, OPERATION, choice_id

#: The columns that are unique together, and how both are called where unique columns are named (``Uniqueness``).
TOGETHER = (OPERATION, HOST)
BOTH = ",".join(TOGETHER)
#: How many places one statement looks at, at most: those of all its operations on all its hosts.
_AT_ONCE = 10_000

Place = tuple[UUID, UUID | None]
"""An operation, and a host or a group; None in a sheet without hosts."""


def holders(scope: Scope, menu: str, column: str, texts: Collection[str]) -> Mapping[str, list[UUID]]:
    """Return which live records of *menu* are for each of *texts*: values of ``OPERATION``, or of ``BOTH``.

    There may be several that were made for one before this was refused; they are in their order. Where ``OPERATION``
    alone counts, so do those that have a host still, from before the sheet lost its column for them.
    """
    wanted = {place: text for text in texts if (place := _read(column, text)) is not None}
    record, is_both = ITA_RECORDS.c, column == BOTH
    found: dict[str, list[UUID]] = {}
    for operations, hosts in _blocks(wanted):
        query = select(record.operation_id, record.agent_id, record.id).where(*_mine(scope, menu))
        query = query.where(record.operation_id.in_(operations)).order_by(record.number, record.id)
        if is_both:
            query = query.where(record.agent_id.in_(hosts))
        for operation, host, key in scope.session.connection().execute(query).tuples():
            if text := wanted.get((operation, host if is_both else None)):
                found.setdefault(text, []).append(key)
    return found


def _mine(scope: Scope, menu: str) -> tuple[Any, ...]:
    """Return the conditions of the live records of *menu*, which no database looks up by any index.

    By that of workspace and menu SQLite would read all records of the menu: it takes two equal columns for fewer rows
    than any list of operations.
    """
    record = ITA_RECORDS.c
    workspace, name = func.coalesce(record.workspace_id, None), func.coalesce(record.menu, None)
    return workspace == scope.workspace.id, name == menu, record.is_discarded.is_(False)


def _read(column: str, text: str) -> Place | None:
    """Return the place that *text* is; None if it is none, as that of a record which is wrong."""
    if column != BOTH:
        operation = choice_id(text)
        return None if operation is None else (operation, None)
    operation, host = map(choice_id, orjson.loads(text))
    return None if operation is None or host is None else (operation, host)


def _blocks(places: Iterable[Place]) -> Iterator[tuple[set[UUID], set[UUID | None]]]:
    """Give the operations and the hosts of all *places*, in blocks that have few places besides.

    A record for each host of an operation is the usual thing: one block then.
    """
    operations: set[UUID] = set()
    hosts: set[UUID | None] = set()
    for operation, host in sorted(places, key=lambda place: (place[0], place[1] or place[0])):
        if (len(operations) + (operation not in operations)) * (len(hosts) + (host not in hosts)) > _AT_ONCE:
            yield operations, hosts
            operations, hosts = set(), set()
        operations.add(operation)
        hosts.add(host)
    if operations:
        yield operations, hosts
