"""Sheet rows: the records of a sheet of the hosts that the caller may read, with what is shown of their operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from dispatcher.core.permissions import Node, Right
from dispatcher.services.exastro_ita import places, sheets
from dispatcher.services.exastro_ita.hosts import unreadable
from dispatcher.services.exastro_ita.operations import LAST_RUN, NAME, PLANNED
from dispatcher.services.exastro_ita.records import Record, Scope, Source
from dispatcher.services.exastro_ita.rows import HOST, OPERATION, PAGE, Rows, choice_id
from dispatcher.services.portions import portions


class SheetRows(Rows):
    """The records of the sheet *menu*. *operations* is the source of ``operation_list``."""

    told: ClassVar[frozenset[str]] = frozenset({OPERATION, places.BOTH})

    def __init__(self, menu: str, operations: Source) -> None:
        super().__init__(menu)
        self._operations = operations

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the records as ``Rows`` does, with the name and the moments of their operations, unless discarded."""
        yield from self._completed(scope, self.visible(scope, super().read(scope, ids)))

    def lock(self, scope: Scope, ids: Collection[UUID]) -> Mapping[UUID, Record]:
        """Return those of the records that are there and that the caller may see, locked as by ``Rows``."""
        return {record.id: record for record in self.visible(scope, super().lock(scope, ids).values())}

    def taken(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, UUID]:
        """Return what ``Rows`` does; of several records the last one."""
        return {text: keys[-1] for text, keys in self.holders(scope, column, values).items()}

    def holders(self, scope: Scope, column: str, values: Collection[str]) -> Mapping[str, Sequence[UUID]]:
        """Return all that have each of *values*; of which operation, and on which host, records are, they tell."""
        if column in self.told:
            return places.holders(scope, self._menu, column, values)
        return {text: [key] for text, key in super().taken(scope, column, values).items()}

    def visible(self, scope: Scope, records: Iterable[Record]) -> Iterator[Record]:
        """Give those of *records* that are of no agent, such as those of groups, or of one that the caller may read."""
        if scope.caller.may_all(Right.READ, Node.AGENTS):
            yield from records
            return
        known: set[UUID] = set()
        hidden: set[UUID] = set()
        for page in portions(records, PAGE):
            hosts = [choice_id(record.values.get(HOST)) for record in page]
            new = {host for host in hosts if host is not None} - known
            known |= new
            hidden |= unreadable(scope, new)
            yield from (record for record, host in zip(page, hosts, strict=True) if host not in hidden)

    def complete(self, scope: Scope, records: Iterable[Record]) -> None:
        """Add to *records* what ``read`` does."""
        for _ in self._completed(scope, records):
            pass

    def _completed(self, scope: Scope, records: Iterable[Record]) -> Iterator[Record]:
        known: dict[str, dict[str, Any]] = {}
        for page in portions(records, PAGE):
            wanted = {key for record in page if isinstance(key := record.values.get(OPERATION), str)}
            new = [UUID(key) for key in wanted - known.keys()]
            known |= {key: {} for key in wanted - known.keys()}  # none is looked for again
            for operation in self._operations.read(scope, new) if new else ():
                if not operation.is_discarded:
                    known[str(operation.id)] = _shown(operation)
            for record in page:
                record.values = {**record.values, **known.get(str(record.values.get(OPERATION)), {})}
                yield record


def _shown(operation: Record) -> dict[str, Any]:
    planned, last_run = operation.values.get(PLANNED), operation.values.get(LAST_RUN)
    return {
        sheets.NAME_SHOWN: operation.values.get(NAME),
        sheets.BASE: last_run or planned,
        sheets.PLANNED: planned,
        sheets.LAST_RUN: last_run,
    }
