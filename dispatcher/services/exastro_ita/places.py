"""Places: the operation and the host, or group of hosts, that a record of a sheet is for; no two live ones share them.

The vendor's sheets take one record for each (``UNIQUE_CONSTRAINT`` of its ``ita_by_menu_create``); of those without
hosts one for each operation. What is taken the records themselves tell, so that those count that were there before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from uuid import UUID

import orjson
from sqlalchemy import select

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


def taken(scope: Scope, menu: str, column: str, texts: Collection[str]) -> Mapping[str, UUID]:
    """Return which live record of *menu* is for each of *texts*: values of ``OPERATION``, or of ``BOTH``.

    Of several that were made for one before this was refused it is the last one.
    """
    wanted = {place: text for text in texts if (place := _read(column, text)) is not None}
    record = ITA_RECORDS.c
    live = (record.workspace_id == scope.workspace.id, record.menu == menu, record.is_discarded.is_(False))
    found: dict[str, UUID] = {}
    for operations, hosts in _blocks(wanted):
        there = record.agent_id.in_(hosts) if column == BOTH else record.agent_id.is_(None)
        query = select(record.operation_id, record.agent_id, record.id).where(*live, there)
        query = query.where(record.operation_id.in_(operations)).order_by(record.number, record.id)
        for operation, host, key in scope.session.connection().execute(query).tuples():
            if text := wanted.get((operation, host)):
                found[text] = key
    return found


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
