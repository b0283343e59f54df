"""Sheet rows: the records of a sheet, read with what is shown of their operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any
from uuid import UUID

from dispatcher.services.exastro_ita import sheets
from dispatcher.services.exastro_ita.operations import LAST_RUN, NAME, PLANNED
from dispatcher.services.exastro_ita.portions import portions
from dispatcher.services.exastro_ita.records import Record, Scope, Source
from dispatcher.services.exastro_ita.rows import OPERATION, PAGE, Rows


class SheetRows(Rows):
    """The records of the sheet *menu*. *operations* is the source of ``operation_list``."""

    def __init__(self, menu: str, operations: Source) -> None:
        super().__init__(menu)
        self._operations = operations

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the records as ``Rows`` does, with the name and the moments of their operations, unless discarded."""
        yield from self._completed(scope, super().read(scope, ids))

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
